//! The dense feed-forward block of the vision tower, the resampler and cross-attention.

use avocet_kernels::swiglu_ffn;
use candle_core::{Result, Tensor};
use candle_nn::VarBuilder;

use crate::init;

/// SwiGLU feed-forward: `down(silu(gate(x)) * up(x))`, no biases. arXiv:2002.05202.
#[derive(Debug, Clone)]
pub struct SwiGlu {
    gate_up: Tensor,
    down: Tensor,
}

impl SwiGlu {
    /// Makes a block of width `dim` and hidden width `ff_dim`; `num_writers` blocks of the tower
    /// write into its residual stream.
    pub fn new(dim: usize, ff_dim: usize, num_writers: usize, vb: VarBuilder) -> Result<Self> {
        Ok(Self {
            gate_up: init::matrix(&vb, (2 * ff_dim, dim), "gate_up")?,
            down: init::residual(&vb, (dim, ff_dim), "down", num_writers)?,
        })
    }

    /// Maps `x` (S, D) to (S, D).
    pub fn forward(&self, x: &Tensor) -> Result<Tensor> {
        swiglu_ffn(x, &self.gate_up, &self.down)
    }
}
