//! The gated feed-forward layer against its composed form, and what is refused.

use candle_core::{Result, Tensor};

use super::swiglu_ffn;
use crate::gradient_check::{assert_finite_differences, assert_fused, random};
use crate::weight::Weight;

#[test]
fn swiglu_ffn_is_its_composed_form() -> Result<()> {
    let inputs = [
        random((300, 24), 1),
        random((2 * 40, 24), 2),
        random((24, 40), 3),
    ];
    let fused = |t: &[Tensor]| swiglu_ffn(&t[0], &(&t[1]).into(), &(&t[2]).into());
    assert_fused(&inputs, 1e-5, &fused)?;
    let small = [random((2, 3), 1), random((2 * 2, 3), 2), random((3, 2), 3)];
    assert_finite_differences(&small, &fused)
}

#[test]
fn a_down_projection_of_another_width_is_refused_with_both_numbers() {
    let weight = |shape, seed| Weight::from(random(shape, seed).detach());
    let error = swiglu_ffn(&random((2, 3), 1), &weight((8, 3), 2), &weight((3, 5), 3));
    let error = error.expect_err("8 is not twice 5").to_string();
    assert!(error.contains("gives 8, not twice the 5"), "{error}");
}
