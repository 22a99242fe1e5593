//! Products of few rows, such as one token's: limited by reading the right operand once.

use half::bf16;

use crate::matrix::{MatMut, MatRef, Values};
use crate::simd::{self, vectorised};

/// Most rows that are worth multiplying without packing the right operand.
pub(crate) const MAX_ROWS: usize = 16;
/// Lanes of a vector.
#[cfg(target_arch = "x86_64")]
const LANES: usize = 16;
/// Lines of the right operand that are read side by side.
const SIDE: usize = 4;

/// Whether the right operand can be read as it lies.
pub(crate) fn suits(b: &MatRef<'_>) -> bool {
    b.row_stride == 1 || b.col_stride == 1
}

/// Sets `c` to `a b`, or adds `a b` to it, on the calling thread.
///
/// Panics unless `b` [`suits`] and the shapes agree.
pub(crate) fn product(c: MatMut<'_>, a: MatRef<'_>, b: MatRef<'_>, accumulate: bool) {
    assert!(
        suits(&b) && c.rows == a.rows && c.cols == b.cols && a.cols == b.rows,
        "shapes"
    );
    for out in c.data.chunks_mut(c.row_stride.max(1)).take(c.rows) {
        if !accumulate {
            out[..c.cols].fill(0.0);
        }
    }
    if a.cols == 0 || c.cols == 0 {
        return;
    }
    let x: Vec<f32> = (0..c.rows)
        .flat_map(|i| (0..a.cols).map(move |k| a.at(i, k)))
        .collect();
    let by_column = b.row_stride == 1;
    let stride = if by_column {
        b.col_stride
    } else {
        b.row_stride
    };
    let c = Rows {
        stride: c.row_stride,
        len: c.cols,
        data: c.data,
    };
    if by_column {
        return add_dots(&x, a.cols, b.data, stride, c);
    }
    match b.data {
        Values::F32(b) => add_lines(&x, a.cols, b, stride, c),
        Values::Bf16(b) => add_lines_bf16(&x, a.cols, b, stride, c),
    }
}

/// The rows of C.
struct Rows<'a> {
    data: &'a mut [f32],
    stride: usize,
    len: usize,
}

/// Adds to element j of each row of C the dot product of the same row of `x`, rows of `depth`,
/// and the line of `b` that begins at `j * stride`.
fn add_dots(x: &[f32], depth: usize, b: Values<'_>, stride: usize, c: Rows<'_>) {
    #[cfg(target_arch = "x86_64")]
    if simd::level() == simd::Level::Avx512 {
        // SAFETY: the level says that this CPU has the instructions.
        return unsafe { wide::add_dots(x, depth, b, stride, c) };
    }
    for (x, out) in x.chunks_exact(depth).zip(c.data.chunks_mut(c.stride)) {
        for (j, out) in out[..c.len].iter_mut().enumerate() {
            *out += match b {
                Values::F32(b) => simd::dot_of(x, &b[j * stride..][..depth]),
                Values::Bf16(b) => {
                    let line = &b[j * stride..][..depth];
                    x.iter().zip(line).map(|(x, &w)| x * widen(w)).sum()
                }
            };
        }
    }
}

vectorised! {
    /// Adds to each row of C the lines of `b`, which begin at `k * stride`, each times element k
    /// of the same row of `x`, rows of `depth`.
    fn add_lines(x: &[f32], depth: usize, b: &[f32], stride: usize, c: Rows<'_>) {
        lines(x, depth, b, stride, c, |v| v);
    }
}

vectorised! {
    fn add_lines_bf16(x: &[f32], depth: usize, b: &[bf16], stride: usize, c: Rows<'_>) {
        lines(x, depth, b, stride, c, widen);
    }
}

/// `bf16::to_f32` without its care for signalling NaN, which keeps it from being vectorised.
#[inline(always)]
fn widen(v: bf16) -> f32 {
    f32::from_bits(u32::from(v.to_bits()) << 16)
}

#[inline(always)]
fn lines<W: Copy>(
    x: &[f32],
    depth: usize,
    b: &[W],
    stride: usize,
    c: Rows<'_>,
    widen: impl Fn(W) -> f32 + Copy,
) {
    let line = |k: usize| &b[k * stride..][..c.len];
    let whole = depth / SIDE * SIDE;
    for k in (0..whole).step_by(SIDE) {
        let (b0, b1, b2, b3) = (line(k), line(k + 1), line(k + 2), line(k + 3));
        for (x, out) in x.chunks_exact(depth).zip(c.data.chunks_mut(c.stride)) {
            let (x0, x1, x2, x3) = (x[k], x[k + 1], x[k + 2], x[k + 3]);
            let inputs = b0.iter().zip(b1).zip(b2).zip(b3);
            for (out, (((&b0, &b1), &b2), &b3)) in out[..c.len].iter_mut().zip(inputs) {
                *out += (x0 * widen(b0) + x1 * widen(b1)) + (x2 * widen(b2) + x3 * widen(b3));
            }
        }
    }
    for k in whole..depth {
        for (x, out) in x.chunks_exact(depth).zip(c.data.chunks_mut(c.stride)) {
            for (out, &b) in out[..c.len].iter_mut().zip(line(k)) {
                *out += x[k] * widen(b);
            }
        }
    }
}

/// Dot products with AVX-512: four lines of the right operand beside up to four rows.
#[cfg(target_arch = "x86_64")]
mod wide {
    use std::arch::x86_64::*;

    use super::{LANES, Rows, SIDE};
    use crate::avx512::panel::{load, ones};
    use crate::matrix::Values;

    #[target_feature(enable = "avx512f,avx512bw,avx512vl")]
    pub(super) fn add_dots(x: &[f32], depth: usize, b: Values<'_>, stride: usize, c: Rows<'_>) {
        for first in (0..c.len).step_by(SIDE) {
            // A line that is missing at the end is read as the last one, and its sum not used.
            let starts = std::array::from_fn(|j| (first + j).min(c.len - 1) * stride);
            assert!(
                starts[SIDE - 1] + depth <= b.len(),
                "lines inside the operand"
            );
            let rows = x.len() / depth;
            for row in (0..rows).step_by(SIDE) {
                let x = &x[row * depth..];
                let mut add = |i: usize, sums: [f32; SIDE]| {
                    let out = &mut c.data[(row + i) * c.stride..][first..c.len];
                    out.iter_mut().zip(sums).for_each(|(out, sum)| *out += sum);
                };
                match rows - row {
                    1 => dots::<1>(x, depth, b, starts, &mut add),
                    2 => dots::<2>(x, depth, b, starts, &mut add),
                    3 => dots::<3>(x, depth, b, starts, &mut add),
                    _ => dots::<SIDE>(x, depth, b, starts, &mut add),
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
        for at in (0..depth).step_by(LANES) {
            let mask = ones((depth - at).min(LANES));
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
}
