//! Normalisation against its composed form and difference quotients.

use candle_core::{Result, Tensor};

use super::{layer_norm, layer_norm_unbiased, rms_norm};
use crate::gradient_check::{assert_finite_differences, assert_fused, random};

#[test]
fn rms_norm_is_its_composed_form() -> Result<()> {
    for (rows, width) in [(1, 1), (3, 37), (300, 64)] {
        let inputs = [random((rows, width), 1), random(width, 2)];
        let fused = |t: &[Tensor]| rms_norm(&t[0], &t[1], 1e-5);
        assert_fused(&inputs, 1e-5, &fused)?;
    }
    assert_finite_differences(&[random((2, 3, 5), 3), random(5, 4)], &|t| {
        rms_norm(&t[0], &t[1], 1e-2)
    })
}

#[test]
fn layer_norm_is_its_composed_form() -> Result<()> {
    for (rows, width) in [(2, 3), (3, 37), (300, 64)] {
        let inputs = [random((rows, width), 1), random(width, 2), random(width, 3)];
        let fused = |t: &[Tensor]| layer_norm(&t[0], &t[1], &t[2], 1e-5);
        assert_fused(&inputs, 2e-5, &fused)?;
    }
    let inputs = [random((2, 3, 5), 3), random(5, 4), random(5, 5)];
    assert_finite_differences(&inputs, &|t| layer_norm(&t[0], &t[1], &t[2], 1e-1))
}

#[test]
fn a_weight_of_another_width_is_refused_with_both_numbers() -> Result<()> {
    let error = rms_norm(&random((2, 8), 1), &random(7, 2), 1e-5).expect_err("widths differ");
    let text = error.to_string();
    assert!(text.contains("[7]") && text.contains("width 8"), "{text}");
    Ok(())
}

#[test]
fn no_rows_give_no_rows() -> Result<()> {
    let y = rms_norm(&random((0, 8), 1), &random(8, 2), 1e-5)?;
    assert_eq!(y.dims(), [0, 8]);
    Ok(())
}

#[test]
fn layer_norm_without_bias_is_its_composed_form() -> Result<()> {
    let fused = |t: &[Tensor]| layer_norm_unbiased(&t[0], &t[1], 1e-5);
    for (rows, width) in [(2, 3), (3, 37), (300, 64)] {
        let inputs = [random((rows, width), 1), random(width, 2)];
        assert_fused(&inputs, 2e-5, &fused)?;
    }
    let inputs = [random((2, 3, 5), 3), random(5, 4)];
    assert_finite_differences(&inputs, &|t| layer_norm_unbiased(&t[0], &t[1], 1e-1))
}
