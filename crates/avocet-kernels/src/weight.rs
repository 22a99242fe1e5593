//! Large matrices of a network, trained or only read, and the layers on them.

use std::sync::Arc;

use avocet_products::Precision;
use avocet_products::stored::StoredMatrix;
use candle_core::{DType, Device, Result, Tensor, bail};
use rayon::prelude::*;

use crate::activation::{Activation, activate};
use crate::embedding::{check_ids, embedding};
use crate::linear::{check_bias, linear, linear_bias, linear_bias_relu6, stored_linear};
use crate::low_rank::low_rank_sum;
use crate::placement::HOST;

mod infer;

pub(crate) use infer::with_lines;
pub use infer::{StepRows, infer_each};

/// A matrix of a network, and the precision in which its products are computed.
///
/// Gradients flow through a stored matrix to what it is multiplied with; it gets none itself.
#[derive(Debug, Clone)]
pub struct Weight {
    pub(crate) numbers: Numbers,
    pub(crate) precision: Precision,
}

/// What a weight consists of.
#[derive(Debug, Clone)]
pub(crate) enum Numbers {
    /// Numbers in memory: f32, trainable or not, or bf16 for inference.
    Tensor(Tensor),
    /// Rows as a checkpoint stores them, read on the CPU.
    Stored(Arc<StoredMatrix>),
    /// A frozen matrix beside a product of two small ones that learn.
    Adapted(Arc<AdaptedWeight>),
}

/// `frozen + scale * b a`, never added up: `frozen` (O, I), `b` (O, r), `a` (r, I).
///
/// LoRA, arXiv:2106.09685, section 4.1.
#[derive(Debug)]
pub struct AdaptedWeight {
    frozen: Weight,
    a: Tensor,
    b: Tensor,
    scale: f64,
}

impl AdaptedWeight {
    /// The matrix `frozen` with factors `a` and `b`.
    ///
    /// Errors if the shapes disagree.
    pub fn new(frozen: Weight, a: Tensor, b: Tensor, scale: f64) -> Result<Self> {
        let (outputs, inputs) = frozen.dims2("adapted weight")?;
        let rank = a.dim(0)?;
        if a.dims() != [rank, inputs] || b.dims() != [outputs, rank] {
            bail!(
                "adapted weight: factors of shape {:?} and {:?} for {:?}",
                a.dims(),
                b.dims(),
                frozen.dims()
            );
        }
        Ok(Self {
            frozen,
            a,
            b,
            scale,
        })
    }

    fn linear(&self, x: &Tensor, precision: Precision) -> Result<Tensor> {
        // The small factor is scaled, not what it makes: that would be kept for the way back.
        let b = self.b.affine(self.scale, 0.0)?;
        let frozen = self.frozen.clone().with_precision(precision);
        frozen.linear(x)? + linear(&linear(x, &self.a, precision)?, &b, precision)?
    }
}

impl From<Numbers> for Weight {
    fn from(numbers: Numbers) -> Self {
        let precision = Precision::F32;
        Self { numbers, precision }
    }
}

impl From<Tensor> for Weight {
    fn from(tensor: Tensor) -> Self {
        Numbers::Tensor(tensor).into()
    }
}

impl From<&Tensor> for Weight {
    fn from(tensor: &Tensor) -> Self {
        tensor.clone().into()
    }
}

impl From<StoredMatrix> for Weight {
    fn from(matrix: StoredMatrix) -> Self {
        Numbers::Stored(Arc::new(matrix)).into()
    }
}

impl From<AdaptedWeight> for Weight {
    fn from(adapted: AdaptedWeight) -> Self {
        Numbers::Adapted(Arc::new(adapted)).into()
    }
}

impl Weight {
    /// The same matrix with its products computed in `precision`; those of a new weight are in F32.
    pub fn with_precision(self, precision: Precision) -> Self {
        Self { precision, ..self }
    }

    /// The precision in which its products are computed.
    pub fn precision(&self) -> Precision {
        self.precision
    }

    /// The same numbers, which get no gradient where they are in memory.
    pub fn detach(&self) -> Self {
        match &self.numbers {
            Numbers::Tensor(tensor) => Self {
                numbers: Numbers::Tensor(tensor.detach()),
                precision: self.precision,
            },
            Numbers::Stored(_) | Numbers::Adapted(_) => self.clone(),
        }
    }

    /// Whether it is only read, as a checkpoint stores it.
    pub fn is_stored(&self) -> bool {
        matches!(self.numbers, Numbers::Stored(_))
    }

    /// The shape.
    pub fn dims(&self) -> &[usize] {
        match &self.numbers {
            Numbers::Tensor(tensor) => tensor.dims(),
            Numbers::Stored(matrix) => matrix.shape(),
            Numbers::Adapted(adapted) => adapted.frozen.dims(),
        }
    }

    /// Where its products are computed; the CPU for stored rows.
    pub fn device(&self) -> Device {
        match &self.numbers {
            Numbers::Tensor(tensor) => tensor.device().clone(),
            Numbers::Stored(_) => HOST,
            Numbers::Adapted(adapted) => adapted.frozen.device(),
        }
    }

    /// `x w^T`, for `x` (.., I) and this weight (O, I), giving (.., O) in the type of `x`.
    ///
    /// Errors if the widths disagree, or this is no matrix, or `x` is not where it is.
    pub fn linear(&self, x: &Tensor) -> Result<Tensor> {
        match &self.numbers {
            Numbers::Tensor(w) => linear(x, w, self.precision),
            Numbers::Stored(w) => {
                let (outputs, _) = self.dims2("linear")?;
                stored_linear(x, w, 0..outputs, self.precision)
            }
            Numbers::Adapted(adapted) => adapted.linear(x, self.precision),
        }
    }

    /// `x w^T + b`, for `x` (.., I), this weight (O, I) and `bias` (O), giving (.., O).
    ///
    /// Errors as [`linear`](Self::linear), and if the bias has another length.
    pub fn linear_bias(&self, x: &Tensor, bias: &Tensor) -> Result<Tensor> {
        match &self.numbers {
            Numbers::Tensor(w) => linear_bias(x, w, bias, self.precision),
            Numbers::Stored(_) | Numbers::Adapted(_) => {
                let (outputs, _) = self.dims2("linear_bias")?;
                check_bias(bias, outputs)?;
                self.linear(x)?.broadcast_add(&bias.to_dtype(x.dtype())?)
            }
        }
    }

    /// ReLU6 of `x w^T + b`, for `x` (.., I), this weight (O, I) and `bias` (O), giving (.., O).
    ///
    /// Errors as [`linear_bias`](Self::linear_bias).
    pub fn linear_bias_relu6(&self, x: &Tensor, bias: &Tensor) -> Result<Tensor> {
        match &self.numbers {
            Numbers::Tensor(w) => linear_bias_relu6(x, w, bias, self.precision),
            Numbers::Stored(_) | Numbers::Adapted(_) => {
                activate(&self.linear_bias(x, bias)?, Activation::Relu6)
            }
        }
    }

    /// The rows of this table (V, D) named by `ids`, as (S, D) in f32.
    ///
    /// Errors if an id is not below V.
    pub fn embedding(&self, ids: &[u32]) -> Result<Tensor> {
        let table = match &self.numbers {
            Numbers::Tensor(table) => return embedding(table, ids),
            Numbers::Stored(table) => table,
            Numbers::Adapted(_) => bail!("embedding: an adapted matrix is no table"),
        };
        let (rows, width) = self.dims2("embedding")?;
        check_ids(ids, rows)?;
        let mut out = vec![0.0; ids.len() * width];
        out.par_chunks_mut(width.max(1))
            .zip(ids)
            .for_each(|(out, &id)| table.row(id as usize, out));
        Tensor::from_vec(out, (ids.len(), width), &HOST)
    }

    /// The tensor itself, as training needs it.
    ///
    /// Errors if the matrix is only read, as it is stored.
    pub fn tensor(&self) -> Result<&Tensor> {
        match &self.numbers {
            Numbers::Tensor(tensor) => Ok(tensor),
            Numbers::Stored(_) => bail!("a stored matrix cannot be trained"),
            Numbers::Adapted(_) => bail!("of an adapted matrix only the factors are trained"),
        }
    }

    /// All numbers in f32, on this weight's device.
    ///
    /// Errors if the device cannot hold them.
    pub fn to_tensor(&self) -> Result<Tensor> {
        match &self.numbers {
            Numbers::Tensor(tensor) => tensor.to_dtype(DType::F32),
            Numbers::Stored(matrix) => Tensor::from_vec(matrix.numbers(), matrix.shape(), &HOST),
            Numbers::Adapted(adapted) => {
                let frozen = adapted.frozen.to_tensor()?;
                low_rank_sum(&frozen, &adapted.a, &adapted.b, adapted.scale)
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

#[cfg(test)]
mod tests;
