//! The gated feed-forward layer: SwiGLU between its two products.

mod cpu;

#[cfg(test)]
mod tests;

use avocet_products::Precision;
use candle_core::{D, Result, Tensor, bail};

use crate::fused::{FusedOp, Gradient, Gradients, Inputs, Outcome, apply, f32s};
use crate::linear::linear;
use crate::swiglu::swiglu;
use crate::weight::{Numbers, Weight};

/// `swiglu(x w_gate_up^T) w_down^T`, for `x` (.., D), `gate_up` (2F, D) and `down` (D, F).
///
/// Of weights in memory the 2F wide rows between the products are kept for the backward; what
/// follows from them is computed again. BF16 weights are for inference only: they get no gradient.
///
/// Errors if the widths disagree.
pub fn swiglu_ffn(x: &Tensor, gate_up: &Weight, down: &Weight) -> Result<Tensor> {
    let (doubled, width) = gate_up.dims2("swiglu_ffn")?;
    let (outputs, hidden) = down.dims2("swiglu_ffn")?;
    let given = x.dim(D::Minus1)?;
    if given != width || outputs != width {
        bail!(
            "swiglu_ffn: the rows of x have width {given} but w_gate_up takes {width} and w_down \
             gives {outputs}"
        );
    }
    if hidden.checked_mul(2) != Some(doubled) {
        bail!("swiglu_ffn: w_gate_up gives {doubled}, not twice the {hidden} that w_down takes");
    }
    let precisions = (gate_up.precision, down.precision);
    match (&gate_up.numbers, &down.numbers) {
        (Numbers::Tensor(gate_up), Numbers::Tensor(down)) if precisions.0 == precisions.1 => {
            let precision = precisions.0;
            apply(SwiGluFfn { precision }, [x, gate_up, down])
        }
        _ => down.linear(&swiglu(&gate_up.linear(x)?)?),
    }
}

struct SwiGluFfn {
    precision: Precision,
}

impl FusedOp<3> for SwiGluFfn {
    const NAME: &'static str = "swiglu_ffn";
    /// The rows between the two products, (S, 2F).
    type Saved = Vec<f32>;

    fn forward(&self, [x, gate_up, down]: Inputs<'_, 3>) -> Result<(Vec<f32>, Self::Saved)> {
        let shape = down.shape.dims2()?;
        let (gate_up, down) = (gate_up.values, down.values);
        Ok(cpu::forward(x.f32()?, gate_up, down, shape, self.precision))
    }

    fn backward(&self, inputs: Inputs<'_, 3>, result: Outcome<'_, Self::Saved>) -> Gradients<3> {
        let [_, _, down] = inputs;
        let (inputs, shape) = (f32s(inputs)?, down.shape.dims2()?);
        let gradients = cpu::backward(inputs, result.saved, result.grad, shape, self.precision);
        Ok(gradients.map(Gradient::Numbers))
    }

    fn composed(&self, [x, gate_up, down]: [&Tensor; 3]) -> Result<Tensor> {
        let hidden = swiglu(&linear(x, gate_up, self.precision)?)?;
        linear(&hidden, down, self.precision)
    }
}
