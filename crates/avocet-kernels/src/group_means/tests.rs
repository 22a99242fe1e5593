//! Means against their composed form, and groups of other rows.

use candle_core::Result;

use super::{RowGroups, group_means};
use crate::gradient_check::{assert_finite_differences, assert_fused, random};

/// Rows 2 and 5 are of no group.
fn groups() -> RowGroups {
    let of = [1, 0, 9, 1, 2, 9, 1, 0].map(|group| (group < 9).then_some(group));
    RowGroups::new(of.into())
}

#[test]
fn group_means_are_their_composed_form() -> Result<()> {
    let inputs = [random((8, 5), 1)];
    let means = |t: &[candle_core::Tensor]| group_means(&t[0], &groups());
    assert_fused(&inputs, 1e-6, &means)?;
    assert_finite_differences(&inputs, &means)
}

#[test]
fn groups_of_other_rows_are_refused_with_both_counts() {
    let error = group_means(&random((7, 5), 1), &groups()).expect_err("seven rows");
    let error = error.to_string();
    assert!(
        error.contains("7 rows") && error.contains("of 8"),
        "{error}"
    );
}
