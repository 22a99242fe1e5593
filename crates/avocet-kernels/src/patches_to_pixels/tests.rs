//! Pixels against their composed form, and what is refused.

use candle_core::Result;

use super::patches_to_pixels;
use crate::gradient_check::{assert_fused, random};

#[test]
fn pixels_are_their_composed_form() -> Result<()> {
    let grids = [(2, 3), (0, 4), (1, 1)];
    let patches = [random((7, 3 * 4 * 4), 1)];
    assert_fused(&patches, 0.0, &|t| patches_to_pixels(&t[0], &grids, 4))
}

#[test]
fn patches_of_another_size_are_refused_with_both_numbers() {
    let error = patches_to_pixels(&random((2, 48), 1), &[(1, 2)], 5).expect_err("48 is not 75");
    assert!(error.to_string().contains("48 values") && error.to_string().contains("75"));
    assert!(patches_to_pixels(&random((2, 48), 1), &[(1, 3)], 4).is_err());
}
