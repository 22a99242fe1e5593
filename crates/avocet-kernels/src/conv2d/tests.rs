//! Convolution against its composed form, and packed grids against single ones.

use candle_core::{Result, Tensor};

use super::{conv2d, conv2d_same};
use crate::gradient_check::{assert_close, assert_finite_differences, assert_fused, random};
use crate::weight::Weight;

#[test]
fn convolution_is_its_composed_form() -> Result<()> {
    for (kernel, stride) in [(1, 1), (3, 1), (3, 2), (5, 2), (3, 5)] {
        let grids = [(5, 7), (1, 1), (0, 3), (1, 6), (16, 12)];
        let rows = 35 + 1 + 6 + 192;
        let inputs = [
            random((rows, 5), 1),
            random((6, kernel * kernel * 5), 2),
            random(6, 3),
        ];
        let fused = |t: &[Tensor]| conv2d(&t[0], &(&t[1]).into(), &t[2], &grids, kernel, stride);
        assert_fused(&inputs, 1e-5, &fused)?;
    }
    let inputs = [random((9, 2), 1), random((3, 18), 2), random(3, 3)];
    assert_finite_differences(&inputs, &|t| {
        conv2d(&t[0], &(&t[1]).into(), &t[2], &[(2, 3), (3, 1)], 3, 2)
    })
}

#[test]
fn convolution_with_tensorflows_padding_is_its_composed_form() -> Result<()> {
    for (kernel, stride) in [(1, 2), (3, 1), (3, 2), (5, 2)] {
        let grids = [(5, 8), (1, 1), (0, 3), (2, 6), (16, 12)];
        let rows = 40 + 1 + 12 + 192;
        let inputs = [
            random((rows, 5), 1),
            random((6, kernel * kernel * 5), 2),
            random(6, 3),
        ];
        assert_fused(&inputs, 1e-5, &|t| {
            conv2d_same(&t[0], &(&t[1]).into(), &t[2], &grids, kernel, stride)
        })?;
    }
    Ok(())
}

#[test]
fn tensorflows_padding_leaves_the_last_pixel_free() -> Result<()> {
    // The sum of each window of 3 over 1 2 3 4, by steps of 2: from the first pixel, and from one
    // before it.
    let x = Tensor::new(&[[1f32], [2.0], [3.0], [4.0]], &candle_core::Device::Cpu)?;
    let middle = Tensor::new(
        &[[0f32, 0.0, 0.0, 1.0, 1.0, 1.0, 0.0, 0.0, 0.0]],
        x.device(),
    )?;
    let (w, b) = (Weight::from(middle), random(1, 1).zeros_like()?);
    let same = conv2d_same(&x, &w, &b, &[(1, 4)], 3, 2)?;
    assert_eq!(same.flatten_all()?.to_vec1::<f32>()?, [6.0, 7.0]);
    let half = conv2d(&x, &w, &b, &[(1, 4)], 3, 2)?;
    assert_eq!(half.flatten_all()?.to_vec1::<f32>()?, [3.0, 9.0]);
    Ok(())
}

#[test]
fn packed_grids_equal_their_images_one_by_one() -> Result<()> {
    let (x, b) = (random((31, 3), 1), random(4, 3));
    let w = Weight::from(random((4, 27), 2).detach());
    let both = conv2d(&x, &w, &b, &[(3, 5), (4, 4)], 3, 2)?;
    assert_eq!(both.dims(), [2 * 3 + 2 * 2, 4]);
    let second = conv2d(&x.narrow(0, 15, 16)?, &w, &b, &[(4, 4)], 3, 2)?;
    let both = both.narrow(0, 6, 4)?.flatten_all()?.to_vec1()?;
    assert_close(
        &both,
        &second.flatten_all()?.to_vec1()?,
        1e-6,
        "second image",
    );
    Ok(())
}

#[test]
fn shapes_that_disagree_are_refused_with_both_numbers() {
    let (x, b) = (random((6, 3), 1), random(4, 3));
    let w = Weight::from(random((4, 27), 2).detach());
    let text = |r: Result<Tensor>| r.expect_err("shapes disagree").to_string();
    let error = text(conv2d(&x, &w, &b, &[(2, 3)], 5, 1));
    assert!(
        error.contains("windows of 27") && error.contains("75"),
        "{error}"
    );
    assert!(conv2d(&x, &w, &b, &[(2, 4)], 3, 1).is_err());
    assert!(conv2d(&x, &w, &b, &[(2, 3)], 2, 1).is_err());
    assert!(conv2d(&x, &w, &b, &[(2, 3)], 3, 0).is_err());
    assert!(conv2d(&x, &w, &random(5, 1), &[(2, 3)], 3, 1).is_err());
}
