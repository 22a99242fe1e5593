//! Large matrices of a network, trained or only read, and the layers on them.

use std::sync::Arc;

use candle_core::{
    CpuStorage, CustomOp1, D, DType, Device, Error, Layout, Result, Shape, Tensor, bail,
};
use rayon::prelude::*;

use crate::slices::{f32_slice, with_f32};
use crate::stored::{self, StoredMatrix};
use crate::swiglu::{swiglu, swiglu_ffn};

mod experts;
mod infer;

pub use experts::weighted_expert_ffn;
pub use infer::{StepRows, infer_each, infer_experts};

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
        self.still.linear(x)? + crate::linear(&crate::linear(x, &self.a)?, &b)?
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
            Self::Stored(_) => Device::Cpu,
            Self::Adapted(adapted) => adapted.still.device(),
        }
    }

    /// `x w^T`, for `x` (.., I) and this weight (O, I), giving (.., O) in the type of `x`.
    ///
    /// Errors if the widths disagree, or this is no matrix, or `x` is not where it is.
    pub fn linear(&self, x: &Tensor) -> Result<Tensor> {
        match self {
            Self::Tensor(w) => crate::linear(x, w),
            Self::Stored(w) => {
                let (outputs, _) = self.dims2("linear")?;
                stored_linear(x, w, 0, outputs)
            }
            Self::Adapted(adapted) => adapted.linear(x),
        }
    }

    /// `x w^T + b`, for `x` (.., I), this weight (O, I) and `bias` (O), giving (.., O).
    ///
    /// Errors as [`linear`](Self::linear), and if the bias has another length.
    pub fn linear_bias(&self, x: &Tensor, bias: &Tensor) -> Result<Tensor> {
        match self {
            Self::Tensor(w) => crate::linear_bias(x, w, bias),
            Self::Stored(_) | Self::Adapted(_) => {
                let (outputs, _) = self.dims2("linear_bias")?;
                if bias.dims() != [outputs] {
                    bail!(
                        "linear_bias: the bias has shape {:?} but w has {outputs} outputs",
                        bias.dims()
                    );
                }
                self.linear(x)?.broadcast_add(&bias.to_dtype(x.dtype())?)
            }
        }
    }

    /// The rows of this table (V, D) named by `ids`, as (S, D) in f32.
    ///
    /// Errors if an id is not below V.
    pub fn embedding(&self, ids: &[u32]) -> Result<Tensor> {
        let table = match self {
            Self::Tensor(table) => return crate::embedding(table, ids),
            Self::Stored(table) => table,
            Self::Adapted(_) => bail!("embedding: an adapted matrix is no table"),
        };
        let (rows, width) = self.dims2("embedding")?;
        if let Some((i, id)) = ids.iter().enumerate().find(|(_, id)| **id as usize >= rows) {
            bail!("embedding: id {id} at position {i}, but the table has {rows} rows");
        }
        let mut out = vec![0.0; ids.len() * width];
        out.par_chunks_mut(width.max(1))
            .zip(ids)
            .try_for_each(|(out, &id)| table.row(id as usize, out))?;
        Tensor::from_vec(out, (ids.len(), width), &Device::Cpu)
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
            Self::Stored(matrix) => matrix.to_tensor(&Device::Cpu),
            Self::Adapted(adapted) => {
                let still = adapted.still.to_tensor()?;
                crate::low_rank_sum(&still, &adapted.a, &adapted.b, adapted.scale)
            }
        }
    }

    fn dims2(&self, op: &'static str) -> Result<(usize, usize)> {
        match *self.dims() {
            [rows, cols] => Ok((rows, cols)),
            _ => bail!(
                "{op}: the weight has shape {:?}, not two dimensions",
                self.dims()
            ),
        }
    }
}

fn array<const N: usize>(tensors: Vec<Tensor>) -> Result<[Tensor; N]> {
    let found = tensors.len();
    let wrong = |_| Error::msg(format!("infer: {found} products, not {N}"));
    tensors.try_into().map_err(wrong)
}

/// `swiglu(x w_gate_up^T) w_down^T`, for `x` (.., D), `gate_up` (2F, D) and `down` (D, F).
///
/// Errors if the widths disagree.
pub fn weighted_swiglu_ffn(x: &Tensor, gate_up: &Weight, down: &Weight) -> Result<Tensor> {
    if let (Weight::Tensor(gate_up), Weight::Tensor(down)) = (gate_up, down) {
        return swiglu_ffn(x, gate_up, down);
    }
    let (doubled, width) = gate_up.dims2("swiglu_ffn")?;
    let (outputs, hidden) = down.dims2("swiglu_ffn")?;
    if outputs != width {
        bail!("swiglu_ffn: w_gate_up takes {width} but w_down gives {outputs}");
    }
    if hidden.checked_mul(2) != Some(doubled) {
        bail!("swiglu_ffn: w_gate_up gives {doubled}, not twice the {hidden} that w_down takes");
    }
    down.linear(&swiglu(&gate_up.linear(x)?)?)
}

/// `x w^T` for `outputs` rows of `w` from row `first` on, which must be there.
fn stored_linear(
    x: &Tensor,
    w: &Arc<StoredMatrix>,
    first: usize,
    outputs: usize,
) -> Result<Tensor> {
    let inputs = w.shape().last().copied().unwrap_or(0);
    let width = x.dim(D::Minus1)?;
    if width != inputs {
        bail!("linear: the rows of x have width {width} but w takes {inputs}");
    }
    if !x.device().is_cpu() {
        bail!(
            "linear: stored rows are read on the CPU, but x is on {:?}",
            x.device()
        );
    }
    let op = StoredLinear {
        w: w.clone(),
        first,
        outputs,
    };
    let out = x.to_dtype(DType::F32)?.contiguous()?.apply_op1(op)?;
    out.to_dtype(x.dtype())
}

struct StoredLinear {
    w: Arc<StoredMatrix>,
    first: usize,
    outputs: usize,
}

impl CustomOp1 for StoredLinear {
    fn name(&self) -> &'static str {
        "stored_linear"
    }

    fn cpu_fwd(&self, x: &CpuStorage, layout: &Layout) -> Result<(CpuStorage, Shape)> {
        let x = f32_slice(x, layout, self.name())?;
        let mut dims = layout.dims().to_vec();
        dims.pop();
        let num_rows = dims.iter().product();
        dims.push(self.outputs);
        let rows = self.first..self.first + self.outputs;
        let out = stored::product(&self.w, rows, x, num_rows);
        Ok((CpuStorage::F32(out), dims.into()))
    }

    fn bwd(&self, x: &Tensor, _out: &Tensor, grad: &Tensor) -> Result<Option<Tensor>> {
        let num_rows = x.dims()[..x.rank() - 1].iter().product();
        let rows = self.first..self.first + self.outputs;
        let dx = with_f32(grad, self.name(), |g| {
            Ok(stored::gradient(&self.w, rows, g, num_rows))
        })?;
        Tensor::from_vec(dx, x.shape(), x.device()).map(Some)
    }
}

#[cfg(test)]
mod tests;
