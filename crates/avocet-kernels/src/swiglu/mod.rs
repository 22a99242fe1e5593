//! SwiGLU, the activation of gated feed-forward layers (arXiv:2002.05202).

mod cpu;

#[cfg(test)]
mod tests;

use candle_core::{D, Result, Shape, Tensor, bail};

use crate::fused::{FusedOp, Gradients, Inputs, Outcome, apply};
pub(crate) use cpu::{CHUNK_ROWS, activate, activate_backward};

/// `silu(gate) * up`, where `gate_up` (.., 2F) holds the gate in its first half, giving (.., F).
///
/// Errors if the width is odd.
pub fn swiglu(gate_up: &Tensor) -> Result<Tensor> {
    let width = gate_up.dim(D::Minus1)?;
    if width % 2 == 1 {
        bail!("swiglu: the width {width} is not an even number");
    }
    apply(SwiGlu, [gate_up])
}

struct SwiGlu;

impl FusedOp<1> for SwiGlu {
    const NAME: &'static str = "swiglu";
    type Saved = ();

    fn shape(&self, [gate_up]: [&Shape; 1]) -> Result<Shape> {
        let mut dims = gate_up.dims().to_vec();
        let hidden = dims.pop().unwrap_or(0) / 2;
        dims.push(hidden);
        Ok(dims.into())
    }

    fn forward(&self, [gate_up]: Inputs<'_, 1>) -> Result<(Vec<f32>, ())> {
        Ok((cpu::forward(gate_up.f32()?, gate_up.width() / 2), ()))
    }

    fn backward(&self, [gate_up]: Inputs<'_, 1>, result: Outcome<'_, ()>) -> Gradients<1> {
        let hidden = gate_up.width() / 2;
        Ok([cpu::backward(gate_up.f32()?, result.grad, hidden).into()])
    }

    fn composed(&self, [gate_up]: [&Tensor; 1]) -> Result<Tensor> {
        let halves = gate_up.chunk(2, D::Minus1)?;
        // silu as g * sigmoid(g), both differentiable everywhere.
        let gate = &halves[0];
        let silu = (gate / (gate.neg()?.exp()? + 1.0)?)?;
        silu * &halves[1]
    }
}
