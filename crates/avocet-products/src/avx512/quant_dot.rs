//! Dot products with packed blocks that stay in the registers: 64 numbers are one vector, four of
//! them a lane, so that a shift and a table look-up make 16 of them f32.
//!
//! The rows of x are put in the same order once, for all stored rows.

use std::arch::x86_64::*;

use super::unpack::Unpack;
use crate::stored::left::{GROUP, Left};
use crate::stored::order::{Order, VECTOR};

/// How far ahead rows are fetched, in bytes.
pub(super) const AHEAD: usize = 4096;

/// What a step keeps in registers.
#[derive(Clone, Copy)]
pub(crate) struct Step {
    /// Scales, and minima where the format has them.
    pub(crate) steps: __m512,
    /// Bits that several vectors need.
    pub(crate) bits: __m512i,
}

/// A format read in steps of whole vectors.
pub(crate) trait QuantDot: Unpack {
    /// Blocks of a step.
    const STEP_BLOCKS: usize;
    /// Which way the numbers lie in the vectors.
    const ORDER: Order;

    /// Reads what all vectors of a step need.
    ///
    /// # Safety
    ///
    /// AVX-512 must be available, and the step readable.
    unsafe fn begin(at: *const u8) -> Step;

    /// Vector `v` of a step: bytes 0, 1, 2 and 3 of each lane, and the scale of each lane.
    ///
    /// # Safety
    ///
    /// As for [`begin`](QuantDot::begin).
    unsafe fn vector(at: *const u8, step: &Step, v: usize) -> ([__m512; 4], __m512);

    /// The minima of the step's groups, in the first lanes; zeros where there are none.
    ///
    /// # Safety
    ///
    /// AVX-512 must be available.
    #[inline]
    #[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl")]
    unsafe fn minima(_step: &Step) -> __m512 {
        _mm512_setzero_ps()
    }
}

/// Dot products of `line` and N rows of x; of as many numbers as are whole steps.
///
/// # Safety
///
/// AVX-512 must be available, `line` must hold `x.depth` numbers, and `x` at least N rows, which
/// are arranged in the format's order.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl")]
pub(super) unsafe fn dots<B: QuantDot, const N: usize>(line: &[u8], x: &Left<'_>) -> [f32; N] {
    let (step_len, step_bytes) = (
        B::STEP_BLOCKS * B::BLOCK_LEN,
        B::STEP_BLOCKS * B::BLOCK_BYTES,
    );
    let groups = x.depth / GROUP;
    let depth = x.depth / (2 * VECTOR) * (2 * VECTOR);
    let arranged = x.arranged(B::ORDER).as_ptr().cast::<f32>();
    let mut sums = [[_mm512_setzero_ps(); 2]; N];
    let mut minima = [_mm512_setzero_ps(); N];
    for (number, bytes) in line.chunks_exact(step_bytes).enumerate() {
        let at = bytes.as_ptr();
        for ahead in (0..step_bytes).step_by(64) {
            // Past the end of the line lies another one, or nothing, which does no harm.
            _mm_prefetch::<_MM_HINT_T0>(at.wrapping_add(AHEAD + ahead).cast());
        }
        // SAFETY: the step is whole, and its numbers are as many as those of x that are read.
        unsafe {
            let step = B::begin(at);
            for v in 0..step_len / VECTOR {
                let (numbers, scale) = B::vector(at, &step, v);
                for (i, sums) in sums.iter_mut().enumerate() {
                    let x = arranged.add(i * depth + number * step_len + v * VECTOR);
                    let sum = _mm512_mul_ps(numbers[0], _mm512_load_ps(x));
                    let sum = _mm512_fmadd_ps(numbers[1], _mm512_load_ps(x.add(16)), sum);
                    let sum = _mm512_fmadd_ps(numbers[2], _mm512_load_ps(x.add(32)), sum);
                    let sum = _mm512_fmadd_ps(numbers[3], _mm512_load_ps(x.add(48)), sum);
                    sums[v % 2] = _mm512_fmadd_ps(sum, scale, sums[v % 2]);
                }
            }
            if B::MINIMA {
                let mask = ((1u32 << (step_len / GROUP)) - 1) as u16;
                let minimum = B::minima(&step);
                for (i, sum) in minima.iter_mut().enumerate() {
                    let x = x.group_sums.as_ptr();
                    let x = x.add(i * groups + number * (step_len / GROUP));
                    *sum = _mm512_fmadd_ps(minimum, _mm512_maskz_loadu_ps(mask, x), *sum);
                }
            }
        }
    }
    std::array::from_fn(|i| {
        let sum = _mm512_add_ps(sums[i][0], sums[i][1]);
        _mm512_reduce_add_ps(_mm512_sub_ps(sum, minima[i]))
    })
}

/// The numbers 0 to 15, less `zero`.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl")]
pub(crate) fn table(zero: i32) -> __m512 {
    let counted = _mm512_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15);
    _mm512_cvtepi32_ps(_mm512_sub_epi32(counted, _mm512_set1_epi32(zero)))
}

/// The four bytes of each lane as the lowest.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl")]
pub(crate) fn bytes_of(v: __m512i) -> [__m512i; 4] {
    [
        v,
        _mm512_srli_epi32::<8>(v),
        _mm512_srli_epi32::<16>(v),
        _mm512_srli_epi32::<24>(v),
    ]
}

/// The low halves of bytes where `v` is even, the high ones where it is odd, as the lowest bits.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl")]
pub(crate) fn halves_of(bytes: __m512i, v: usize) -> __m512i {
    if v.is_multiple_of(2) {
        bytes
    } else {
        _mm512_srli_epi32::<4>(bytes)
    }
}

/// A vector of which the lower half is `a` and the upper `b`.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl")]
pub(crate) fn two(a: i32, b: i32) -> __m512i {
    _mm512_mask_mov_epi32(_mm512_set1_epi32(a), 0xff00, _mm512_set1_epi32(b))
}

/// A vector of which the quarters are `a`, `b`, `c` and `d`.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl")]
pub(crate) fn four(a: i32, b: i32, c: i32, d: i32) -> __m512i {
    _mm512_setr_epi32(a, a, a, a, b, b, b, b, c, c, c, c, d, d, d, d)
}

/// 32 bytes, twice.
///
/// # Safety
///
/// They must be readable.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl")]
pub(crate) unsafe fn twice(at: *const u8) -> __m512i {
    // SAFETY: the caller's.
    _mm512_broadcast_i64x4(unsafe { _mm256_loadu_si256(at.cast()) })
}

/// 16 bytes of each of four blocks of `BYTES` bytes.
///
/// # Safety
///
/// They must be readable.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl")]
pub(crate) unsafe fn of_four_blocks<const BYTES: usize>(at: *const u8) -> __m512i {
    // SAFETY: the caller's.
    unsafe {
        let load = |i: usize| _mm_loadu_si128(at.add(i * BYTES).cast());
        let v = _mm512_castsi128_si512(load(0));
        let v = _mm512_inserti32x4::<1>(v, load(1));
        let v = _mm512_inserti32x4::<2>(v, load(2));
        _mm512_inserti32x4::<3>(v, load(3))
    }
}
