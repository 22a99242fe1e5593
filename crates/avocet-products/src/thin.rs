//! Products of few rows, such as one token's: limited by reading the right operand once.

use half::bf16;

use crate::kernels::Kernels;
use crate::matrix::{MatMut, MatRef, Values, widen};
use crate::simd::vectorised;

/// Most rows that are worth multiplying without packing the right operand.
pub(crate) const MAX_ROWS: usize = 16;
/// Rows of the right operand that are read side by side.
const SIDE: usize = 4;

/// Whether the right operand can be read as it lies.
pub(crate) fn suits(b: &MatRef<'_>) -> bool {
    b.row_stride == 1 || b.col_stride == 1
}

/// Sets `c` to `a b`, or adds `a b` to it, on the calling thread; `b` [`suits`], the shapes agree
/// and nothing is empty.
pub(crate) fn product(
    kernels: &Kernels,
    c: MatMut<'_>,
    a: MatRef<'_>,
    b: MatRef<'_>,
    accumulate: bool,
) {
    if !accumulate {
        let rows = c.data.chunks_mut(c.row_stride).take(c.rows);
        rows.for_each(|row| row[..c.cols].fill(0.0));
    }
    let x: Vec<f32> = (0..c.rows)
        .flat_map(|i| (0..a.cols).map(move |k| a.at(i, k)))
        .collect();
    if b.row_stride == 1 {
        return (kernels.add_dots)(&x, b, c);
    }
    match b.data {
        Values::F32(data) => add_lines(&x, a.cols, data, b.row_stride, c),
        Values::Bf16(data) => add_lines_bf16(&x, a.cols, data, b.row_stride, c),
    }
}

vectorised! {
    /// Adds to each row of C the rows of B, which begin at `k * stride`, each times element k of
    /// the same row of `x`, rows of `depth`.
    fn add_lines(x: &[f32], depth: usize, b: &[f32], stride: usize, c: MatMut<'_>) {
        lines(x, depth, b, stride, c, |v| v);
    }
}

vectorised! {
    fn add_lines_bf16(x: &[f32], depth: usize, b: &[bf16], stride: usize, c: MatMut<'_>) {
        lines(x, depth, b, stride, c, widen);
    }
}

#[inline(always)]
fn lines<W: Copy>(
    x: &[f32],
    depth: usize,
    b: &[W],
    stride: usize,
    c: MatMut<'_>,
    widen: impl Fn(W) -> f32 + Copy,
) {
    let line = |k: usize| &b[k * stride..][..c.cols];
    let whole = depth / SIDE * SIDE;
    for k in (0..whole).step_by(SIDE) {
        let (b0, b1, b2, b3) = (line(k), line(k + 1), line(k + 2), line(k + 3));
        for (x, out) in x.chunks_exact(depth).zip(c.data.chunks_mut(c.row_stride)) {
            let (x0, x1, x2, x3) = (x[k], x[k + 1], x[k + 2], x[k + 3]);
            let inputs = b0.iter().zip(b1).zip(b2).zip(b3);
            for (out, (((&b0, &b1), &b2), &b3)) in out[..c.cols].iter_mut().zip(inputs) {
                *out += (x0 * widen(b0) + x1 * widen(b1)) + (x2 * widen(b2) + x3 * widen(b3));
            }
        }
    }
    for k in whole..depth {
        for (x, out) in x.chunks_exact(depth).zip(c.data.chunks_mut(c.row_stride)) {
            for (out, &b) in out[..c.cols].iter_mut().zip(line(k)) {
                *out += x[k] * widen(b);
            }
        }
    }
}
