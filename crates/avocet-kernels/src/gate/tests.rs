//! The gated residual against its composed form, and shut gates.

use candle_core::{DType, Result, Tensor};

use super::gated_add;
use crate::gradient_check::{assert_finite_differences, assert_fused, random};

#[test]
fn gated_add_is_its_composed_form() -> Result<()> {
    let inputs = [random((300, 70), 1), random((300, 70), 2), random(1, 3)];
    let fused = |t: &[Tensor]| gated_add(&t[0], &t[1], &t[2]);
    // The gate's gradient sums 21,000 products, in another order than candle's.
    assert_fused(&inputs, 1e-4, &fused)?;
    assert_finite_differences(
        &[random((2, 3), 1), random((2, 3), 2), random(1, 3)],
        &fused,
    )
}

#[test]
fn a_closed_gate_leaves_x_untouched() -> Result<()> {
    let x = random((4, 5), 1);
    let gate = Tensor::zeros(1, DType::F32, x.device())?;
    let out = gated_add(&x, &random((4, 5), 2), &gate)?;
    assert_eq!(out.to_vec2::<f32>()?, x.to_vec2::<f32>()?);
    Ok(())
}

#[test]
fn a_vector_gate_is_its_composed_form() -> Result<()> {
    let fused = |t: &[Tensor]| gated_add(&t[0], &t[1], &t[2]);
    for (rows, width) in [(600, 70), (2, 20_000), (3, 1)] {
        let x = random((1, rows, width), 1);
        let inputs = [x, random((1, rows, width), 2), random(width, 3)];
        // A gate's gradient sums up to 600 products, in another order than candle's.
        assert_fused(&inputs, 1e-5, &fused)?;
    }
    let inputs = [random((4, 3), 1), random((4, 3), 2), random(3, 3)];
    assert_finite_differences(&inputs, &fused)
}

#[test]
fn a_gate_of_another_width_is_refused_with_both_shapes() -> Result<()> {
    let x = random((4, 3), 1);
    let error = gated_add(&x, &x, &random(2, 3)).expect_err("2 gates for 3 components");
    let text = error.to_string();
    assert!(text.contains("[2]") && text.contains("[3]"), "{text}");
    let none = random((4, 0), 1);
    assert_eq!(gated_add(&none, &none, &random(0, 2))?.dims(), [4, 0]);
    Ok(())
}
