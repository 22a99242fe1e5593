//! Activations against their composed forms, difference quotients, and the exact functions.

use candle_core::{DType, Device, Result, Tensor, Var};

use super::cpu::{gelu, gelu_slope};
use super::{Activation, activate};
use crate::gradient_check::{assert_finite_differences, assert_fused, random};

const ALL: [Activation; 6] = [
    Activation::Gelu,
    Activation::GeluTanh,
    Activation::QuickGelu,
    Activation::Relu,
    Activation::Relu6,
    Activation::Silu,
];

#[test]
fn activations_are_their_composed_form() -> Result<()> {
    let x = (random((300, 70), 1).as_tensor().detach() * 6.0)?;
    let x = [Var::from_tensor(&x)?];
    for activation in ALL {
        let fused = |t: &[Tensor]| activate(&t[0], activation);
        assert_fused(&x, 2e-6, &fused)?;
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
