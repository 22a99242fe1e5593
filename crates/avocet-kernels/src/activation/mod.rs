//! The activation functions of feed-forward layers.

mod cpu;

#[cfg(test)]
mod tests;

pub(crate) use cpu::{relu6, relu6_gradients, relu6_in_place};

use candle_core::{Result, Tensor};

use crate::fused::{FusedOp, Gradients, Inputs, Outcome, apply, f32s};

/// A function applied to every element of a hidden layer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Activation {
    /// `x * Phi(x)`, Phi being the normal distribution function (GELU, arXiv:1606.08415).
    Gelu,
    /// GELU with Phi approximated by a hyperbolic tangent, as in GPT-2 (the same paper).
    GeluTanh,
    /// GELU with Phi approximated by `sigmoid(1.702 x)`, as in CLIP (the same paper).
    QuickGelu,
    /// `max(x, 0)`.
    Relu,
    /// `max(x, 0)`, at most 6 (arXiv:1704.04861).
    Relu6,
    /// `x * sigmoid(x)` (the same paper; also called swish).
    Silu,
}

/// The slope of quick GELU's sigmoid.
const QUICK: f64 = 1.702;

/// Applies `activation` to every element of `x`, of any shape.
///
/// In f32 on the CPU, [`Activation::Gelu`] is within 2e-7 of the exact function for x below 4, and
/// within one unit in the last place beyond.
///
/// Errors as candle does where `x` is of a type without such functions.
pub fn activate(x: &Tensor, activation: Activation) -> Result<Tensor> {
    apply(activation, [x])
}

impl FusedOp<1> for Activation {
    const NAME: &'static str = "activate";
    type Saved = ();

    fn forward(&self, inputs: Inputs<'_, 1>) -> Result<(Vec<f32>, ())> {
        let [x] = f32s(inputs)?;
        Ok((self.of_each(x), ()))
    }

    fn backward(&self, inputs: Inputs<'_, 1>, result: Outcome<'_, ()>) -> Gradients<1> {
        let [x] = f32s(inputs)?;
        Ok([self.gradients(x, result.grad).into()])
    }

    fn composed(&self, [x]: [&Tensor; 1]) -> Result<Tensor> {
        match self {
            Self::Gelu => x.gelu_erf(),
            Self::GeluTanh => x.gelu(),
            Self::QuickGelu => x / ((x * -QUICK)?.exp()? + 1.0)?,
            Self::Relu => x.relu(),
            Self::Relu6 => x.clamp(0.0, 6.0),
            Self::Silu => x / (x.neg()?.exp()? + 1.0)?,
        }
    }
}
