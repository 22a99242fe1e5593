//! SwiGLU against its composed form and difference quotients.

use candle_core::{Result, Tensor};

use super::swiglu;
use crate::gradient_check::{assert_finite_differences, assert_fused, random};

#[test]
fn swiglu_is_its_composed_form() -> Result<()> {
    let inputs = [random((2, 150, 2 * 37), 1)];
    let fused = |t: &[Tensor]| swiglu(&t[0]);
    assert_fused(&inputs, 1e-5, &fused)?;
    assert_finite_differences(&[random((3, 8), 1)], &fused)
}
