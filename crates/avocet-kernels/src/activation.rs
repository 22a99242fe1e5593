//! The activation functions of feed-forward layers, each in one pass forwards and backwards.

use avocet_products::simd::{exp, sigmoid, vectorised};
use candle_core::{CpuStorage, CustomOp1, DType, Layout, Result, Shape, Tensor};
use rayon::prelude::*;

use crate::slices::{CHUNK_ELEMENTS, f32_slice, with_f32};

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
    /// `x * sigmoid(x)` (the same paper; also called swish).
    Silu,
}

/// Applies `activation` to every element of `x`, of any shape.
///
/// In f32 on the CPU, [`Activation::Gelu`] is within 2e-7 of the exact function for x below 4, and
/// within one unit in the last place beyond.
///
/// Errors as candle does where `x` is of a type without such functions.
pub fn activate(x: &Tensor, activation: Activation) -> Result<Tensor> {
    if x.device().is_cpu() && x.dtype() == DType::F32 {
        return x.contiguous()?.apply_op1(Activate { activation });
    }
    activate_composed(x, activation)
}

fn activate_composed(x: &Tensor, activation: Activation) -> Result<Tensor> {
    match activation {
        Activation::Gelu => x.gelu_erf(),
        Activation::GeluTanh => x.gelu(),
        Activation::QuickGelu => x / ((x * -QUICK)?.exp()? + 1.0)?,
        Activation::Relu => x.relu(),
        Activation::Silu => x / (x.neg()?.exp()? + 1.0)?,
    }
}

/// The slope of quick GELU's sigmoid.
const QUICK: f64 = 1.702;
/// `2 sqrt(2 / pi)`: a hyperbolic tangent of u is `2 sigmoid(2u) - 1`.
const TANH_SLOPE: f32 = 1.595_769;
/// The cubic term of GELU's hyperbolic tangent.
const TANH_CUBE: f32 = 0.044_715;

/// The probability that a normal variable exceeds `t` >= 0, and its density at `t`.
///
/// The tail over the density is smooth: a polynomial in `k = 1 / (1 + 0.24 t)` without a constant
/// term (the form of Abramowitz and Stegun 26.2.17, fitted again with seven terms) is within
/// 1e-9 of the tail, before rounding.
#[inline(always)]
fn normal_tail(t: f32) -> (f32, f32) {
    // `1 / sqrt(2 pi)`.
    const PEAK: f32 = 0.398_942_3;
    let bell = exp(-0.5 * t * t);
    let k = 1.0 / (1.0 + 0.24 * t);
    let mut p = -0.124_724_515;
    p = p * k + 0.552_830_04;
    p = p * k - 0.642_583_1;
    p = p * k + 0.621_892_9;
    p = p * k - 0.151_857_8;
    p = p * k + 0.154_825_58;
    p = p * k + 0.089_616_85;
    (bell * (p * k), bell * PEAK)
}

/// The magnitude beyond which the tail is zero in f32; it keeps infinities out of products.
#[inline(always)]
fn bounded(x: f32) -> f32 {
    const BOUND: f32 = 14.0;
    let t = x.abs();
    if t > BOUND { BOUND } else { t }
}

#[inline(always)]
fn relu(x: f32) -> f32 {
    if x < 0.0 { 0.0 } else { x }
}

#[inline(always)]
fn gelu(x: f32) -> f32 {
    let t = bounded(x);
    relu(x) - t * normal_tail(t).0
}

#[inline(always)]
fn gelu_slope(x: f32) -> f32 {
    let t = bounded(x);
    let (tail, density) = normal_tail(t);
    let along = t * density;
    if x < 0.0 {
        tail - along
    } else {
        1.0 - tail + along
    }
}

#[inline(always)]
fn gelu_tanh(x: f32) -> f32 {
    x * sigmoid(TANH_SLOPE * (x + TANH_CUBE * x * x * x))
}

#[inline(always)]
fn gelu_tanh_slope(x: f32) -> f32 {
    let square = x * x;
    let s = sigmoid(TANH_SLOPE * (x + TANH_CUBE * x * square));
    s + x * s * (1.0 - s) * TANH_SLOPE * (1.0 + 3.0 * TANH_CUBE * square)
}

#[inline(always)]
fn quick_gelu(x: f32) -> f32 {
    x * sigmoid(QUICK as f32 * x)
}

#[inline(always)]
fn quick_gelu_slope(x: f32) -> f32 {
    let s = sigmoid(QUICK as f32 * x);
    s + QUICK as f32 * x * s * (1.0 - s)
}

#[inline(always)]
fn relu_slope(x: f32) -> f32 {
    if x > 0.0 { 1.0 } else { 0.0 }
}

#[inline(always)]
fn silu(x: f32) -> f32 {
    x * sigmoid(x)
}

#[inline(always)]
fn silu_slope(x: f32) -> f32 {
    let s = sigmoid(x);
    s + x * s * (1.0 - s)
}

#[inline(always)]
fn each(x: &[f32], y: &mut [f32], f: impl Fn(f32) -> f32) {
    for (y, x) in y.iter_mut().zip(x) {
        *y = f(*x);
    }
}

vectorised! {
    fn forward(activation: Activation, x: &[f32], y: &mut [f32]) {
        match activation {
            Activation::Gelu => each(x, y, gelu),
            Activation::GeluTanh => each(x, y, gelu_tanh),
            Activation::QuickGelu => each(x, y, quick_gelu),
            Activation::Relu => each(x, y, relu),
            Activation::Silu => each(x, y, silu),
        }
    }
}

vectorised! {
    /// Writes the slopes, to be multiplied by the gradient.
    fn slopes(activation: Activation, x: &[f32], y: &mut [f32]) {
        match activation {
            Activation::Gelu => each(x, y, gelu_slope),
            Activation::GeluTanh => each(x, y, gelu_tanh_slope),
            Activation::QuickGelu => each(x, y, quick_gelu_slope),
            Activation::Relu => each(x, y, relu_slope),
            Activation::Silu => each(x, y, silu_slope),
        }
    }
}

vectorised! {
    fn multiply(y: &mut [f32], by: &[f32]) {
        for (y, by) in y.iter_mut().zip(by) {
            *y *= by;
        }
    }
}

struct Activate {
    activation: Activation,
}

impl CustomOp1 for Activate {
    fn name(&self) -> &'static str {
        "activate"
    }

    fn cpu_fwd(&self, x: &CpuStorage, layout: &Layout) -> Result<(CpuStorage, Shape)> {
        let x = f32_slice(x, layout, "activate")?;
        let mut y = vec![0.0; x.len()];
        y.par_chunks_mut(CHUNK_ELEMENTS)
            .zip(x.par_chunks(CHUNK_ELEMENTS))
            .for_each(|(y, x)| forward(self.activation, x, y));
        Ok((CpuStorage::F32(y), layout.shape().clone()))
    }

    fn bwd(&self, x: &Tensor, _y: &Tensor, grad: &Tensor) -> Result<Option<Tensor>> {
        let mut dx = vec![0.0; x.elem_count()];
        with_f32(x, "activate", |x| {
            with_f32(grad, "activate", |grad| {
                dx.par_chunks_mut(CHUNK_ELEMENTS)
                    .zip(x.par_chunks(CHUNK_ELEMENTS))
                    .zip(grad.par_chunks(CHUNK_ELEMENTS))
                    .for_each(|((dx, x), grad)| {
                        slopes(self.activation, x, dx);
                        multiply(dx, grad);
                    });
                Ok(())
            })
        })?;
        Tensor::from_vec(dx, x.shape(), x.device()).map(Some)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::gradient_check::{
        assert_finite_differences, assert_matches, assert_same_on_one_and_two_threads, random,
    };
    use candle_core::{DType, Device, Var};

    const ALL: [Activation; 5] = [
        Activation::Gelu,
        Activation::GeluTanh,
        Activation::QuickGelu,
        Activation::Relu,
        Activation::Silu,
    ];

    #[test]
    fn activations_are_their_composed_form() -> Result<()> {
        let x = (random((300, 70), 1).as_tensor().detach() * 6.0)?;
        let x = [Var::from_tensor(&x)?];
        for activation in ALL {
            let fused = |t: &[Tensor]| activate(&t[0], activation);
            assert_matches(&x, 2e-6, &fused, &|t| activate_composed(&t[0], activation))?;
            assert_same_on_one_and_two_threads(&x, &fused)?;
            // None of the values is within a step of zero, where relu has no slope.
            let few = Var::new(&[-3f32, -1.0, -0.4, 0.1, 0.6, 2.0], &Device::Cpu)?;
            assert_finite_differences(&[few], &fused)?;
        }
        Ok(())
    }

    /// `x * Phi(x)` and its slope in f64, from the series of the error function.
    fn exact_gelu(x: f64) -> (f64, f64) {
        let z = x / std::f64::consts::SQRT_2;
        // erf z = 2 / sqrt(pi) e^-z^2 sum_n 2^n z^(2n+1) / (1 3 .. (2n+1)), all of one sign.
        let (mut term, mut sum) = (z, z);
        for n in 1..400 {
            term *= 2.0 * z * z / f64::from(2 * n + 1);
            sum += term;
        }
        let bell = (-z * z).exp();
        let phi = 0.5 + bell * sum / std::f64::consts::PI.sqrt();
        (x * phi, phi + x * bell / std::f64::consts::TAU.sqrt())
    }

    #[test]
    fn gelu_is_exact_to_2e_7_and_its_slope_to_3e_7() {
        for i in -100_000..=100_000 {
            let x = i as f32 * 1e-4;
            let (value, slope) = exact_gelu(f64::from(x));
            // From 4 on the spacing of f32 is more than twice that, and the result is rounded.
            let allowed = if x < 4.0 { 2e-7 } else { 4.8e-7 };
            let error = (f64::from(gelu(x)) - value).abs();
            assert!(error <= allowed, "gelu({x}): {error}");
            let error = (f64::from(gelu_slope(x)) - slope).abs();
            assert!(error <= 3e-7, "slope at {x}: {error}");
        }
    }

    #[test]
    fn infinities_keep_their_limits_and_no_number_stays_none() -> Result<()> {
        let x = Tensor::new(&[f32::INFINITY, f32::NEG_INFINITY, f32::NAN], &Device::Cpu)?;
        for activation in [Activation::Gelu, Activation::Relu] {
            let y = activate(&x, activation)?.to_vec1::<f32>()?;
            assert!(
                y[0] == f32::INFINITY && y[1] == 0.0 && y[2].is_nan(),
                "{y:?}"
            );
        }
        for activation in ALL {
            assert!(activate(&x, activation)?.to_vec1::<f32>()?[2].is_nan());
            let none = Tensor::zeros((0, 3), DType::F32, &Device::Cpu)?;
            assert_eq!(activate(&none, activation)?.dims(), [0, 3]);
        }
        Ok(())
    }
}
