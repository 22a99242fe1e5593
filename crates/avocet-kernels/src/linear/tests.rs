//! Linear layers against their composed form, and what is refused.

use avocet_products::Precision::F32;
use candle_core::{DType, Device, Result, Tensor};

use super::{linear, linear_bias, linear_bias_relu6};
use crate::gradient_check::{assert_finite_differences, assert_fused, random};

#[test]
fn linear_is_its_composed_form() -> Result<()> {
    let inputs = [random((3, 200, 40), 1), random((70, 40), 2)];
    let fused = |t: &[Tensor]| linear(&t[0], &t[1], F32);
    assert_fused(&inputs, 1e-5, &fused)?;
    assert_finite_differences(&[random((4, 3), 1), random((2, 3), 2)], &fused)
}

#[test]
fn linear_bias_is_its_composed_form() -> Result<()> {
    let inputs = [random((600, 40), 1), random((70, 40), 2), random(70, 3)];
    let fused = |t: &[Tensor]| linear_bias(&t[0], &t[1], &t[2], F32);
    assert_fused(&inputs, 1e-5, &fused)?;
    assert_finite_differences(
        &[random((4, 3), 1), random((2, 3), 2), random(2, 3)],
        &fused,
    )
}

#[test]
fn linear_bias_relu6_is_its_composed_form() -> Result<()> {
    let inputs = [random((600, 40), 1), random((70, 40), 2), random(70, 3)];
    // Some sums are beyond either end.
    assert_fused(&inputs, 1e-5, &|t| {
        linear_bias_relu6(&(&t[0] * 5.0)?, &t[1], &t[2], F32)
    })
}

#[test]
fn a_bf16_weight_acts_as_its_f32_copy() -> Result<()> {
    let x = random((5, 40), 1);
    let w = random((70, 40), 2).to_dtype(DType::BF16)?;
    let out = linear(&x, &w, F32)?.to_vec2::<f32>()?;
    assert_eq!(
        out,
        linear(&x, &w.to_dtype(DType::F32)?, F32)?.to_vec2::<f32>()?
    );
    Ok(())
}

#[test]
fn no_rows_give_no_rows() -> Result<()> {
    let x = Tensor::zeros((0, 4), DType::F32, &Device::Cpu)?;
    assert_eq!(linear(&x, &random((3, 4), 1), F32)?.dims(), [0, 3]);
    assert_eq!(
        linear_bias(&x, &random((3, 4), 1), &random(3, 2), F32)?.dims(),
        [0, 3]
    );
    Ok(())
}

#[test]
fn a_weight_of_another_width_is_refused_with_both_numbers() {
    let error = linear(&random((2, 5), 1), &random((3, 4), 2), F32).expect_err("5 is not 4");
    assert!(
        error.to_string().contains("width 5 but w takes 4"),
        "{error}"
    );
}
