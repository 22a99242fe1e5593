//! The activation functions in one pass over slices, forwards and backwards.

use avocet_products::simd::{exp, sigmoid, vectorised};
use rayon::prelude::*;

use super::Activation;
use crate::slices::CHUNK_ELEMENTS;

impl Activation {
    /// The function of every element.
    pub(super) fn of_each(self, x: &[f32]) -> Vec<f32> {
        let mut y = vec![0.0; x.len()];
        y.par_chunks_mut(CHUNK_ELEMENTS)
            .zip(x.par_chunks(CHUNK_ELEMENTS))
            .for_each(|(y, x)| values(self, x, y));
        y
    }

    /// The gradient of every element.
    pub(super) fn gradients(self, x: &[f32], grad: &[f32]) -> Vec<f32> {
        let mut dx = vec![0.0; x.len()];
        dx.par_chunks_mut(CHUNK_ELEMENTS)
            .zip(x.par_chunks(CHUNK_ELEMENTS))
            .zip(grad.par_chunks(CHUNK_ELEMENTS))
            .for_each(|((dx, x), grad)| {
                slopes(self, x, dx);
                multiply(dx, grad);
            });
        dx
    }
}

/// The gradient before [`relu6`] of a gradient behind it, by what came out.
pub(crate) fn relu6_gradients(out: &[f32], grad: &[f32]) -> Vec<f32> {
    Activation::Relu6.gradients(out, grad)
}

/// The slope of quick GELU's sigmoid.
const QUICK: f32 = super::QUICK as f32;
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
pub(super) fn gelu(x: f32) -> f32 {
    let t = bounded(x);
    relu(x) - t * normal_tail(t).0
}

#[inline(always)]
pub(super) fn gelu_slope(x: f32) -> f32 {
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
    x * sigmoid(QUICK * x)
}

#[inline(always)]
fn quick_gelu_slope(x: f32) -> f32 {
    let s = sigmoid(QUICK * x);
    s + QUICK * x * s * (1.0 - s)
}

#[inline(always)]
fn relu_slope(x: f32) -> f32 {
    if x > 0.0 { 1.0 } else { 0.0 }
}

/// `max(x, 0)`, at most 6.
#[inline(always)]
pub(crate) fn relu6(x: f32) -> f32 {
    let x = relu(x);
    if x > 6.0 { 6.0 } else { x }
}

#[inline(always)]
fn relu6_slope(x: f32) -> f32 {
    if x > 0.0 && x < 6.0 { 1.0 } else { 0.0 }
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
    fn values(activation: Activation, x: &[f32], y: &mut [f32]) {
        match activation {
            Activation::Gelu => each(x, y, gelu),
            Activation::GeluTanh => each(x, y, gelu_tanh),
            Activation::QuickGelu => each(x, y, quick_gelu),
            Activation::Relu => each(x, y, relu),
            Activation::Relu6 => each(x, y, relu6),
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
            Activation::Relu6 => each(x, y, relu6_slope),
            Activation::Silu => each(x, y, silu_slope),
        }
    }
}

vectorised! {
    /// Replaces every element by its [`relu6`].
    pub(crate) fn relu6_in_place(x: &mut [f32]) {
        for x in x {
            *x = relu6(*x);
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
