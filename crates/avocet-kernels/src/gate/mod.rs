//! The gated residual of cross-attention layers.
//!
//! Flamingo, arXiv:2204.14198, section 3.1: a gate that starts at zero leaves a pretrained
//! language model unchanged.

mod scalar;
mod vector;

#[cfg(test)]
mod tests;

use candle_core::{Result, Tensor, bail};

use crate::fused::{FusedOp, Gradient, Gradients, Inputs, Outcome, apply, f32s};

/// `x + tanh(gate) * y`, for `x` and `y` of one shape (.., D) and a `gate` of shape (1), for all
/// components, or (D), one for each (the vector gates of IDEFICS, arXiv:2306.16527).
///
/// Errors if the shapes of x and y disagree or the gate has another shape.
pub fn gated_add(x: &Tensor, y: &Tensor, gate: &Tensor) -> Result<Tensor> {
    if x.dims() != y.dims() {
        bail!(
            "gated_add: x has shape {:?} but y has {:?}",
            x.dims(),
            y.dims()
        );
    }
    let width = x.dims().last().copied().unwrap_or(1);
    if gate.dims() != [1] && gate.dims() != [width] {
        bail!(
            "gated_add: the gate has shape {:?}, neither [1] nor [{width}]",
            gate.dims()
        );
    }
    apply(GatedAdd, [x, y, &gate.to_dtype(x.dtype())?])
}

struct GatedAdd;

impl FusedOp<3> for GatedAdd {
    const NAME: &'static str = "gated_add";
    type Saved = ();

    fn forward(&self, inputs: Inputs<'_, 3>) -> Result<(Vec<f32>, ())> {
        let [x, y, gate] = f32s(inputs)?;
        let out = match gate {
            [gate] => scalar::forward(x, y, *gate),
            gates => vector::forward(x, y, gates),
        };
        Ok((out, ()))
    }

    fn backward(&self, inputs: Inputs<'_, 3>, result: Outcome<'_, ()>) -> Gradients<3> {
        let [_, y, gate] = f32s(inputs)?;
        let (dy, dgate) = match gate {
            [gate] => scalar::backward(y, *gate, result.grad),
            gates => vector::backward(y, gates, result.grad),
        };
        let dx = Gradient::Tensor(result.grad_tensor.clone());
        Ok([dx, dy.into(), dgate.into()])
    }

    fn composed(&self, [x, y, gate]: [&Tensor; 3]) -> Result<Tensor> {
        x + y.broadcast_mul(&gate.tanh()?)?
    }
}
