//! Means over slices, and their gradients.

use super::groups::RowGroups;

/// The mean of each group of the rows of `x`, `width` elements each.
pub(super) fn gather(x: &[f32], groups: &RowGroups, width: usize) -> Vec<f32> {
    let mut means = vec![0f32; groups.num_groups() * width];
    for (row, group, share) in groups.shares() {
        let mean = &mut means[group * width..(group + 1) * width];
        let row = &x[row * width..(row + 1) * width];
        mean.iter_mut().zip(row).for_each(|(m, x)| *m += x * share);
    }
    means
}

/// The gradient of each row; a row without a group has none.
pub(super) fn scatter(grad: &[f32], groups: &RowGroups, width: usize) -> Vec<f32> {
    let mut rows = vec![0f32; groups.num_rows() * width];
    for (row, group, share) in groups.shares() {
        let row = &mut rows[row * width..(row + 1) * width];
        let from = &grad[group * width..(group + 1) * width];
        row.iter_mut().zip(from).for_each(|(x, g)| *x = g * share);
    }
    rows
}
