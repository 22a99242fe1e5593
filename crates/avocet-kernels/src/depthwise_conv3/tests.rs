//! Depthwise convolution against its composed form, and packed grids against single ones.

use candle_core::{Result, Tensor};

use super::depthwise_conv3;
use crate::gradient_check::{assert_close, assert_finite_differences, assert_fused, random};

#[test]
fn depthwise_convolution_is_its_composed_form() -> Result<()> {
    let grids = [(5, 7), (1, 1), (0, 3), (1, 6), (12, 12)];
    let inputs = [random((186, 19), 1), random((9, 19), 2)];
    let fused = |t: &[Tensor]| depthwise_conv3(&t[0], &t[1], &grids);
    assert_fused(&inputs, 1e-5, &fused)?;
    assert_finite_differences(&[random((9, 2), 1), random((9, 2), 2)], &|t| {
        depthwise_conv3(&t[0], &t[1], &[(3, 2), (1, 3)])
    })
}

#[test]
fn packed_grids_equal_their_images_one_by_one() -> Result<()> {
    let (x, w) = (random((10, 4), 1), random((9, 4), 2));
    let both = depthwise_conv3(&x, &w, &[(2, 3), (2, 2)])?;
    let second = depthwise_conv3(&x.narrow(0, 6, 4)?, &w, &[(2, 2)])?;
    let both = both.narrow(0, 6, 4)?.flatten_all()?.to_vec1()?;
    assert_close(
        &both,
        &second.flatten_all()?.to_vec1()?,
        0.0,
        "second image",
    );
    Ok(())
}

#[test]
fn grids_of_other_pixels_are_refused_with_both_numbers() {
    let error = depthwise_conv3(&random((7, 4), 1), &random((9, 4), 2), &[(2, 3)]);
    let text = error.expect_err("6 is not 7").to_string();
    assert!(
        text.contains("6 pixels") && text.contains("7 rows"),
        "{text}"
    );
    assert!(depthwise_conv3(&random((6, 4), 1), &random((9, 5), 2), &[(2, 3)]).is_err());
}
