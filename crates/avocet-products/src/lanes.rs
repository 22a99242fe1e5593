//! Products whose right operand is as wide as a vector.

use crate::level::Level;
use crate::matrix::MatMut;

/// Columns of the right operand.
pub const LANES: usize = 16;

/// Adds to `c`, of [`LANES`] columns, the product of A and `b` (depth, [`LANES`]) on the calling
/// thread: each sum over the depth in order, whatever rows are beside. The rows of A begin
/// `a_stride` apart in `a`.
///
/// Processors with AVX-512 round once a product and sum, others twice.
///
/// Panics if `c` has other columns, or `a` ends before the last row.
pub fn add_lanes(c: MatMut<'_>, a: &[f32], a_stride: usize, b: &[f32]) {
    assert!(c.cols == LANES, "{} columns", c.cols);
    (Level::current().kernels().add_lanes)(c, a, a_stride, b);
}
