//! Depthwise convolution with stride against its composed form, packed grids against single ones.

use candle_core::{Device, Result, Tensor};

use super::depthwise_conv2d_relu6;
use crate::gradient_check::{assert_close, assert_finite_differences, assert_fused, random};

#[test]
fn depthwise_convolution_is_its_composed_form() -> Result<()> {
    for (kernel, stride) in [(3, 1), (3, 2), (5, 1), (5, 2), (5, 3)] {
        for channels in [16, 19, 35] {
            let grids = [(5, 8), (1, 1), (0, 3), (2, 6), (12, 13)];
            let rows = 40 + 1 + 12 + 156;
            let inputs = [
                random((rows, channels), 1),
                random((kernel * kernel, channels), 2),
                random(channels, 3),
            ];
            // Some sums are beyond either end of ReLU6.
            assert_fused(&inputs, 1e-5, &|t| {
                let x = (&t[0] * 3.0)?;
                depthwise_conv2d_relu6(&x, &t[1], &t[2], &grids, kernel, stride)
            })?;
        }
    }
    Ok(())
}

#[test]
fn gradients_are_difference_quotients_between_the_ends_of_relu6() -> Result<()> {
    let inputs = [random((9, 2), 1), random((9, 2), 2), random(2, 3)];
    assert_finite_differences(&inputs, &|t| {
        // A step of 1e-2 must not cross an end: sums are drawn close to 3.
        let (x, w) = ((&t[0] * 0.25)?, (&t[1] * 0.5)?);
        depthwise_conv2d_relu6(&x, &w, &(&t[2] + 3.0)?, &[(2, 3), (3, 1)], 3, 2)
    })
}

#[test]
fn relu6_cuts_at_both_ends() -> Result<()> {
    let x = Tensor::new(&[[-1f32, 5.0, 7.0]], &Device::Cpu)?;
    let mut w = vec![0f32; 27];
    w[12..15].fill(1.0);
    let w = Tensor::from_vec(w, (9, 3), &Device::Cpu)?;
    let y = depthwise_conv2d_relu6(&x, &w, &w.narrow(0, 0, 1)?.squeeze(0)?, &[(1, 1)], 3, 1)?;
    assert_eq!(y.to_vec2::<f32>()?, [[0.0, 5.0, 6.0]]);
    Ok(())
}

#[test]
fn packed_grids_equal_their_images_one_by_one() -> Result<()> {
    let (x, w, b) = (random((31, 17), 1), random((25, 17), 2), random(17, 3));
    let both = depthwise_conv2d_relu6(&x, &w, &b, &[(3, 5), (4, 4)], 5, 2)?;
    assert_eq!(both.dims(), [2 * 3 + 2 * 2, 17]);
    let second = depthwise_conv2d_relu6(&x.narrow(0, 15, 16)?, &w, &b, &[(4, 4)], 5, 2)?;
    let both = both.narrow(0, 6, 4)?.flatten_all()?.to_vec1()?;
    let second = second.flatten_all()?.to_vec1()?;
    assert_close(&both, &second, 0.0, "second image");
    Ok(())
}

#[test]
fn shapes_that_disagree_are_refused() {
    let of = |w: (usize, usize), b: usize, kernel, stride| {
        let (x, w, b) = (random((6, 4), 1), random(w, 2), random(b, 3));
        depthwise_conv2d_relu6(&x, &w, &b, &[(2, 3)], kernel, stride).is_ok()
    };
    assert!(of((9, 4), 4, 3, 1));
    assert!(!of((9, 5), 4, 3, 1) && !of((9, 4), 5, 3, 1) && !of((25, 4), 4, 3, 1));
    assert!(!of((49, 4), 4, 7, 1) && !of((9, 4), 4, 3, 0));
}
