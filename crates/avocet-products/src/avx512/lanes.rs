//! Products whose right operand is one vector wide: up to eight rows of sums stay in registers.

use std::arch::x86_64::*;

use crate::lanes::LANES;
use crate::level::Level;
use crate::matrix::MatMut;

/// As [`add_lanes`](crate::add_lanes).
///
/// Panics if the processor lacks AVX-512.
pub(super) fn add_lanes(c: MatMut<'_>, a: &[f32], a_stride: usize, b: &[f32]) {
    assert!(Level::detected() >= Level::Avx512, "AVX-512 is needed");
    let mut row = 0;
    while row < c.rows {
        let (out, a) = (&mut c.data[row * c.row_stride..], &a[row * a_stride..]);
        // SAFETY: the instructions are there.
        row += unsafe {
            match c.rows - row {
                8.. => add_rows::<8>(out, c.row_stride, a, a_stride, b),
                4.. => add_rows::<4>(out, c.row_stride, a, a_stride, b),
                2.. => add_rows::<2>(out, c.row_stride, a, a_stride, b),
                _ => add_rows::<1>(out, c.row_stride, a, a_stride, b),
            }
        };
    }
}

/// The same for N rows; gives back N.
#[target_feature(enable = "avx512f")]
fn add_rows<const N: usize>(
    c: &mut [f32],
    c_stride: usize,
    a: &[f32],
    a_stride: usize,
    b: &[f32],
) -> usize {
    let depth = b.len() / LANES;
    let end = |stride: usize, width: usize| (N - 1).checked_mul(stride)?.checked_add(width);
    assert!(
        end(c_stride, LANES).is_some_and(|end| end <= c.len())
            && end(a_stride, depth).is_some_and(|end| end <= a.len()),
        "rows of C and A"
    );
    let mut sums = [_mm512_setzero_ps(); N];
    // SAFETY: N rows of 16 numbers lie inside `c` and N of `depth` inside `a`, as asserted; `b`
    // has `depth` lines of 16.
    unsafe {
        for (i, sum) in sums.iter_mut().enumerate() {
            *sum = _mm512_loadu_ps(c.as_ptr().add(i * c_stride));
        }
        for k in 0..depth {
            let line = _mm512_loadu_ps(b.as_ptr().add(k * LANES));
            for (i, sum) in sums.iter_mut().enumerate() {
                let x = _mm512_set1_ps(*a.get_unchecked(i * a_stride + k));
                *sum = _mm512_fmadd_ps(x, line, *sum);
            }
        }
        for (i, sum) in sums.iter().enumerate() {
            _mm512_storeu_ps(c.as_mut_ptr().add(i * c_stride), *sum);
        }
    }
    N
}
