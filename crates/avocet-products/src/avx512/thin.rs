//! Products of few rows with AVX-512: four columns of the right operand beside up to four rows.

use std::arch::x86_64::*;

use super::panel::{LINES, load, ones};
use crate::level::Level;
use crate::matrix::{MatMut, MatRef, Values};

/// Columns of the right operand, and rows of the left one, that are read side by side.
const SIDE: usize = 4;

/// Adds to element (i, j) of C the dot product of row i of `x` and column j of B, whose elements
/// are neighbours in memory.
///
/// Panics if the processor lacks AVX-512.
pub(super) fn add_dots(x: &[f32], b: MatRef<'_>, c: MatMut<'_>) {
    assert!(Level::detected() >= Level::Avx512, "AVX-512 is needed");
    // SAFETY: the instructions are there.
    unsafe { all_dots(x, b, c) }
}

#[target_feature(enable = "avx512f,avx512bw,avx512vl")]
fn all_dots(x: &[f32], b: MatRef<'_>, c: MatMut<'_>) {
    let depth = b.rows;
    for first in (0..c.cols).step_by(SIDE) {
        // A column that is missing at the end is read as the last one, and its sum not used.
        let starts = std::array::from_fn(|j| (first + j).min(c.cols - 1) * b.col_stride);
        assert!(
            starts[SIDE - 1] + depth <= b.data.len(),
            "columns inside the operand"
        );
        let rows = x.len() / depth;
        for row in (0..rows).step_by(SIDE) {
            let x = &x[row * depth..];
            let mut add = |i: usize, sums: [f32; SIDE]| {
                let out = &mut c.data[(row + i) * c.row_stride..][first..c.cols];
                out.iter_mut().zip(sums).for_each(|(out, sum)| *out += sum);
            };
            match rows - row {
                1 => dots::<1>(x, depth, b.data, starts, &mut add),
                2 => dots::<2>(x, depth, b.data, starts, &mut add),
                3 => dots::<3>(x, depth, b.data, starts, &mut add),
                _ => dots::<SIDE>(x, depth, b.data, starts, &mut add),
            }
        }
    }
}

#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512vl")]
fn dots<const N: usize>(
    x: &[f32],
    depth: usize,
    b: Values<'_>,
    starts: [usize; SIDE],
    add: &mut impl FnMut(usize, [f32; SIDE]),
) {
    assert!(x.len() >= N * depth, "rows of x");
    let mut sums = [[_mm512_setzero_ps(); SIDE]; N];
    for at in (0..depth).step_by(LINES) {
        let mask = ones((depth - at).min(LINES));
        // SAFETY: masked to the depth of lines inside `b`, as the caller checked, and of rows
        // inside `x`, checked above.
        unsafe {
            let lines = starts.map(|start| _mm512_castsi512_ps(load(b, start + at, mask)));
            for (i, sums) in sums.iter_mut().enumerate() {
                let x = _mm512_maskz_loadu_ps(mask, x.as_ptr().add(i * depth + at));
                for (sum, line) in sums.iter_mut().zip(lines) {
                    *sum = _mm512_fmadd_ps(x, line, *sum);
                }
            }
        }
    }
    for (i, sums) in sums.into_iter().enumerate() {
        add(i, sums.map(|sum| _mm512_reduce_add_ps(sum)));
    }
}
