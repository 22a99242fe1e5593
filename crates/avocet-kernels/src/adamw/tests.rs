//! A fused step against its composed form, and moments of another shape. The optimizer of the
//! trainer holds three steps against PyTorch's.

use candle_core::{DType, Result, Tensor};

use super::{AdamWStep, adamw};
use crate::fused::composed;
use crate::gradient_check::{assert_close, random};

const STEP: AdamWStep = AdamWStep {
    kept: 0.99,
    scale: 0.5,
    beta1: 0.9,
    beta2: 0.98,
    step_size: 0.1,
    correction2: 0.3,
    eps: 1e-8,
};

/// Parameter and moments after three steps.
fn moved() -> Result<[Vec<f32>; 2]> {
    let values = random((2, 40_000), 1);
    let moments = Tensor::zeros((2, 2, 40_000), DType::F32, values.device())?;
    for seed in 2..5 {
        adamw(&values, &random((2, 40_000), seed), &moments, &STEP)?;
    }
    Ok([
        values.flatten_all()?.to_vec1()?,
        moments.flatten_all()?.to_vec1()?,
    ])
}

#[test]
fn a_step_is_its_composed_form() -> Result<()> {
    let (fused, composed) = (moved()?, composed(moved)?);
    // Both round to f32, the composed form after each operation.
    assert_close(&fused[0], &composed[0], 1e-5, "parameter");
    assert_close(&fused[1], &composed[1], 1e-5, "moments");
    Ok(())
}

#[test]
fn a_step_has_the_same_bits_on_one_and_two_threads() -> Result<()> {
    let on = |threads: usize| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build();
        pool.expect("a pool").install(moved)
    };
    assert!(on(1)? == on(2)?);
    Ok(())
}

#[test]
fn moments_of_another_shape_are_refused() {
    let (values, gradient) = (random((2, 3), 1), random((2, 3), 2));
    let error = adamw(&values, &gradient, &random((3, 2), 3), &STEP);
    let error = error.expect_err("no moments of a 2 x 3 matrix").to_string();
    assert!(error.contains("[3, 2]"), "{error}");
}
