//! What a processor level does in a way of its own: a row of the [`table`](crate::table).

use crate::matrix::{MatMut, MatRef};
use crate::stored::format::{FormatKernels, RowKernels};

/// The functions of a level.
pub(crate) struct Kernels {
    /// Packs a right operand in f32; without, the crate `gemm` reads operands as they lie.
    pub(crate) pack_f32: Option<Pack>,
    /// Packs a right operand in bfloat16; without, its products are those in f32.
    pub(crate) pack_bf16: Option<Pack>,
    /// Adds to element (i, j) of C the dot product of row i of `x` and column j of B, whose
    /// elements are neighbours in memory; nothing is empty.
    pub(crate) add_dots: fn(x: &[f32], b: MatRef<'_>, c: MatMut<'_>),
    /// Adds to C, of [`LANES`](crate::LANES) columns, the product of A, whose rows lie `a_stride`
    /// apart, and `b` (depth, LANES): each sum over the depth in order.
    pub(crate) add_lanes: fn(c: MatMut<'_>, a: &[f32], a_stride: usize, b: &[f32]),
    /// Which functions read the stored rows of a format.
    pub(crate) rows: fn(&'static FormatKernels) -> &'static RowKernels,
}

/// Packs a right operand, on all threads if told so.
pub(crate) type Pack = fn(b: MatRef<'_>, parallel: bool) -> Box<dyn Packed>;

/// A packed right operand.
pub(crate) trait Packed: Send + Sync {
    /// Sets `c` to `a` times this operand, or adds that to it, on the calling thread; the shapes
    /// agree and nothing is empty.
    fn product(&self, c: MatMut<'_>, a: MatRef<'_>, accumulate: bool);
}
