//! Large matrices of a network, trained or only read, and the layers on them.

use std::sync::Arc;

use candle_core::{D, DType, Device, Error, Result, Tensor, bail};
use rayon::prelude::*;

use crate::embedding::{check_ids, embedding};
use crate::fused::{HOST, is_fused};
use crate::linear::{check_bias, linear, linear_bias, stored_linear};
use crate::low_rank::low_rank_sum;
use crate::slices::with_f32;
use crate::stored::{self, StoredMatrix};

/// A large matrix of a network: a tensor, or stored rows that are only read.
///
/// Gradients flow through a stored matrix to what it is multiplied with; it gets none itself.
#[derive(Debug, Clone)]
pub enum Weight {
    /// Numbers in memory: f32, trainable or not, or bf16 for inference.
    Tensor(Tensor),
    /// Rows as a checkpoint stores them, read on the CPU.
    Stored(Arc<StoredMatrix>),
    /// A matrix that stands still beside a product of two small ones that learn.
    Adapted(Arc<AdaptedWeight>),
}

/// `still + scale * b a`, never added up: `still` (O, I), `b` (O, r), `a` (r, I).
///
/// LoRA, arXiv:2106.09685, section 4.1.
#[derive(Debug)]
pub struct AdaptedWeight {
    still: Weight,
    a: Tensor,
    b: Tensor,
    scale: f64,
}

impl AdaptedWeight {
    /// The matrix `still` with factors `a` and `b`.
    ///
    /// Errors if the shapes disagree.
    pub fn new(still: Weight, a: Tensor, b: Tensor, scale: f64) -> Result<Self> {
        let (outputs, inputs) = still.dims2("adapted weight")?;
        let rank = a.dim(0)?;
        if a.dims() != [rank, inputs] || b.dims() != [outputs, rank] {
            bail!(
                "adapted weight: factors of shape {:?} and {:?} for {:?}",
                a.dims(),
                b.dims(),
                still.dims()
            );
        }
        Ok(Self { still, a, b, scale })
    }

    fn linear(&self, x: &Tensor) -> Result<Tensor> {
        // The small factor is scaled, not what it makes: that would be kept for the way back.
        let b = self.b.affine(self.scale, 0.0)?;
        self.still.linear(x)? + linear(&linear(x, &self.a)?, &b)?
    }
}

impl From<Tensor> for Weight {
    fn from(tensor: Tensor) -> Self {
        Self::Tensor(tensor)
    }
}

impl From<StoredMatrix> for Weight {
    fn from(matrix: StoredMatrix) -> Self {
        Self::Stored(Arc::new(matrix))
    }
}

impl Weight {
    /// The shape.
    pub fn dims(&self) -> &[usize] {
        match self {
            Self::Tensor(tensor) => tensor.dims(),
            Self::Stored(matrix) => matrix.shape(),
            Self::Adapted(adapted) => adapted.still.dims(),
        }
    }

    /// Where its products are computed; the CPU for stored rows.
    pub fn device(&self) -> Device {
        match self {
            Self::Tensor(tensor) => tensor.device().clone(),
            Self::Stored(_) => HOST,
            Self::Adapted(adapted) => adapted.still.device(),
        }
    }

    /// `x w^T`, for `x` (.., I) and this weight (O, I), giving (.., O) in the type of `x`.
    ///
    /// Errors if the widths disagree, or this is no matrix, or `x` is not where it is.
    pub fn linear(&self, x: &Tensor) -> Result<Tensor> {
        match self {
            Self::Tensor(w) => linear(x, w),
            Self::Stored(w) => {
                let (outputs, _) = self.dims2("linear")?;
                stored_linear(x, w, 0..outputs)
            }
            Self::Adapted(adapted) => adapted.linear(x),
        }
    }

    /// `x w^T + b`, for `x` (.., I), this weight (O, I) and `bias` (O), giving (.., O).
    ///
    /// Errors as [`linear`](Self::linear), and if the bias has another length.
    pub fn linear_bias(&self, x: &Tensor, bias: &Tensor) -> Result<Tensor> {
        match self {
            Self::Tensor(w) => linear_bias(x, w, bias),
            Self::Stored(_) | Self::Adapted(_) => {
                let (outputs, _) = self.dims2("linear_bias")?;
                check_bias(bias, outputs)?;
                self.linear(x)?.broadcast_add(&bias.to_dtype(x.dtype())?)
            }
        }
    }

    /// The rows of this table (V, D) named by `ids`, as (S, D) in f32.
    ///
    /// Errors if an id is not below V.
    pub fn embedding(&self, ids: &[u32]) -> Result<Tensor> {
        let table = match self {
            Self::Tensor(table) => return embedding(table, ids),
            Self::Stored(table) => table,
            Self::Adapted(_) => bail!("embedding: an adapted matrix is no table"),
        };
        let (rows, width) = self.dims2("embedding")?;
        check_ids(ids, rows)?;
        let mut out = vec![0.0; ids.len() * width];
        out.par_chunks_mut(width.max(1))
            .zip(ids)
            .try_for_each(|(out, &id)| table.row(id as usize, out))?;
        Tensor::from_vec(out, (ids.len(), width), &HOST)
    }

    /// The tensor itself, as training needs it.
    ///
    /// Errors if the matrix is only read, as it is stored.
    pub fn tensor(&self) -> Result<&Tensor> {
        match self {
            Self::Tensor(tensor) => Ok(tensor),
            Self::Stored(_) | Self::Adapted(_) => bail!("a stored matrix cannot be trained"),
        }
    }

    /// All numbers in f32, on this weight's device.
    ///
    /// Errors if the device cannot hold them.
    pub fn to_tensor(&self) -> Result<Tensor> {
        match self {
            Self::Tensor(tensor) => tensor.to_dtype(DType::F32),
            Self::Stored(matrix) => matrix.to_tensor(&HOST),
            Self::Adapted(adapted) => {
                let still = adapted.still.to_tensor()?;
                low_rank_sum(&still, &adapted.a, &adapted.b, adapted.scale)
            }
        }
    }

    /// The shape of a matrix.
    ///
    /// Errors if it has another number of dimensions.
    pub(crate) fn dims2(&self, op: &'static str) -> Result<(usize, usize)> {
        match *self.dims() {
            [rows, cols] => Ok((rows, cols)),
            _ => bail!(
                "{op}: the weight has shape {:?}, not two dimensions",
                self.dims()
            ),
        }
    }
}

/// `x w^T` for `x` (.., I) and each of some weights (O, I), giving (.., O) each: what
/// [`Weight::linear`] gives, but one row is multiplied with several stored matrices at once.
///
/// Errors as [`Weight::linear`] does.
pub fn linear_each<const N: usize>(x: &Tensor, weights: [&Weight; N]) -> Result<[Tensor; N]> {
    let width = x.dim(D::Minus1)?;
    let fits = |w: &Weight| {
        matches!(w, Weight::Stored(w) if w.shape().get(1) == Some(&width)) && w.dims().len() == 2
    };
    let plain = is_fused(x) && !x.track_op();
    if x.elem_count() != width || !plain || !weights.iter().all(|w| fits(w)) {
        let each = weights.iter().map(|w| w.linear(x));
        return array(each.collect::<Result<Vec<_>>>()?);
    }
    let matrices = weights.iter().filter_map(|w| match w {
        Weight::Stored(w) => Some((&**w, 0..w.shape()[0])),
        Weight::Tensor(_) | Weight::Adapted(_) => None,
    });
    let matrices: Vec<_> = matrices.collect();
    let outs = with_f32(x, "linear_each", |x| Ok(stored::row_products(&matrices, x)))?;
    let mut dims = x.dims().to_vec();
    let outs = outs.into_iter().map(|out| {
        let last = dims.len() - 1;
        dims[last] = out.len();
        Tensor::from_vec(out, dims.as_slice(), x.device())
    });
    array(outs.collect::<Result<Vec<_>>>()?)
}

fn array<const N: usize>(tensors: Vec<Tensor>) -> Result<[Tensor; N]> {
    let found = tensors.len();
    let wrong = |_| Error::msg(format!("linear_each: {found} products, not {N}"));
    tensors.try_into().map_err(wrong)
}

#[cfg(test)]
mod tests;
