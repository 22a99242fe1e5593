//! The loss against its composed form and difference quotients, and what is refused.

use candle_core::{Result, Tensor};

use super::cross_entropy;
use crate::gradient_check::{assert_close, assert_finite_differences, assert_fused, random};

#[test]
fn cross_entropy_is_its_composed_form() -> Result<()> {
    let rows = 300;
    let targets: Vec<u32> = (0..rows as u32).map(|i| i * 7 % 150).collect();
    let weights: Vec<f32> = (0..rows).map(|i| (i % 3) as f32 * 0.01).collect();
    let inputs = [random((rows, 24), 1), random((150, 24), 2)];
    let fused = |t: &[Tensor]| cross_entropy(&t[0], &(&t[1]).into(), &targets, &weights);
    assert_fused(&inputs, 2e-5, &fused)?;
    let small = [random((3, 4), 3), random((5, 4), 4)];
    assert_finite_differences(&small, &|t| {
        cross_entropy(&t[0], &(&t[1]).into(), &[4, 9, 0], &[0.5, 0.0, 2.0])
    })
}

#[test]
fn the_loss_alone_is_the_loss_beside_its_gradient() -> Result<()> {
    let (h, w) = (random((70, 8), 1), random((33, 8), 2));
    let targets: Vec<u32> = (0..70).map(|i| i % 33).collect();
    let with = cross_entropy(&h, &(&*w).into(), &targets, &[1.0; 70])?.to_scalar::<f32>()?;
    let (h, w) = (h.as_detached_tensor(), w.as_detached_tensor());
    let alone = cross_entropy(&h, &w.into(), &targets, &[1.0; 70])?.to_scalar::<f32>()?;
    assert_close(&[alone], &[with], 1e-6, "loss");
    Ok(())
}

#[test]
fn no_row_of_weight_gives_a_loss_of_zero() -> Result<()> {
    let (h, w) = (random((2, 4), 1), random((5, 4), 2));
    let loss = cross_entropy(&h, &(&*w).into(), &[77, 1], &[0.0, 0.0])?;
    assert_eq!(loss.to_scalar::<f32>()?, 0.0);
    Ok(())
}

#[test]
fn a_target_beyond_the_vocabulary_is_refused_with_both_numbers() {
    let (h, w) = (random((2, 4), 1), random((5, 4), 2));
    let error =
        cross_entropy(&h, &(&*w).into(), &[1, 5], &[1.0, 1.0]).expect_err("5 is not below 5");
    assert!(
        error
            .to_string()
            .contains("target 5 in row 1, but the head has 5"),
        "{error}"
    );
    assert!(cross_entropy(&h, &(&*w).into(), &[1], &[1.0, 1.0]).is_err());
}
