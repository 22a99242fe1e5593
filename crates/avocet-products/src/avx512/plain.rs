//! Rows without blocks, read with AVX-512.

use std::arch::x86_64::*;

use crate::stored::left::{Left, SIDE};

/// Lanes of a vector.
const LANES: usize = 16;
/// How far ahead rows are fetched, of which several are read side by side.
const AHEAD: usize = 512;
/// Bytes that are fetched at once.
const CACHE_LINE: usize = 64;

/// Where the dot products of up to four neighbouring rows with each row of x belong.
pub(super) struct Products<'a> {
    /// The products of all rows, `count` for each row of x.
    pub(super) out: &'a mut [f32],
    pub(super) count: usize,
    /// The first of the neighbouring rows.
    pub(super) at: usize,
    /// How many of them are there; the products of others are dropped.
    pub(super) taken: usize,
}

impl Products<'_> {
    /// Writes the products with row `i` of x.
    #[inline(always)]
    pub(super) fn put(&mut self, i: usize, sums: [f32; SIDE]) {
        let out = &mut self.out[i * self.count + self.at..][..self.taken];
        out.iter_mut().zip(sums).for_each(|(out, sum)| *out = sum);
    }
}

/// A format without blocks.
pub(crate) trait Plain {
    /// Bytes of a number.
    const BYTES: usize;

    /// The 16 numbers from `at` on. Some processors load them twice as fast as masked ones.
    ///
    /// # Safety
    ///
    /// AVX-512 must be available, and the numbers readable.
    unsafe fn load(at: *const u8) -> __m512;

    /// The masked numbers from `at` on.
    ///
    /// # Safety
    ///
    /// AVX-512 must be available, and the masked numbers readable.
    unsafe fn load_masked(at: *const u8, mask: u16) -> __m512;
}

pub(crate) struct F32;
pub(crate) struct F16;
pub(crate) struct Bf16;

impl Plain for F32 {
    const BYTES: usize = 4;

    #[inline]
    #[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl")]
    unsafe fn load(at: *const u8) -> __m512 {
        // SAFETY: the caller's.
        unsafe { _mm512_loadu_ps(at.cast()) }
    }

    #[inline]
    #[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl")]
    unsafe fn load_masked(at: *const u8, mask: u16) -> __m512 {
        // SAFETY: the caller's.
        unsafe { _mm512_maskz_loadu_ps(mask, at.cast()) }
    }
}

impl Plain for F16 {
    const BYTES: usize = 2;

    #[inline]
    #[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl")]
    unsafe fn load(at: *const u8) -> __m512 {
        // SAFETY: the caller's.
        _mm512_cvtph_ps(unsafe { _mm256_loadu_si256(at.cast()) })
    }

    #[inline]
    #[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl")]
    unsafe fn load_masked(at: *const u8, mask: u16) -> __m512 {
        // SAFETY: the caller's.
        _mm512_cvtph_ps(unsafe { _mm256_maskz_loadu_epi16(mask, at.cast()) })
    }
}

impl Plain for Bf16 {
    const BYTES: usize = 2;

    #[inline]
    #[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl")]
    unsafe fn load(at: *const u8) -> __m512 {
        // SAFETY: the caller's.
        bf16_numbers(unsafe { _mm256_loadu_si256(at.cast()) })
    }

    #[inline]
    #[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl")]
    unsafe fn load_masked(at: *const u8, mask: u16) -> __m512 {
        // SAFETY: the caller's.
        bf16_numbers(unsafe { _mm256_maskz_loadu_epi16(mask, at.cast()) })
    }
}

#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl")]
fn bf16_numbers(halves: __m256i) -> __m512 {
    _mm512_castsi512_ps(_mm512_slli_epi32(_mm512_cvtepu16_epi32(halves), 16))
}

/// A mask of the lanes that `left` numbers fill.
fn mask_of(left: usize) -> u16 {
    ((1u32 << left.min(LANES)) - 1) as u16
}

/// Hands the dot products of four lines with each row of x to `out`; the lines must be
/// as long as a row of x.
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl")]
pub(super) fn dots<P: Plain>(lines: [*const u8; SIDE], x: &Left<'_>, out: &mut Products<'_>) {
    for row in (0..x.rows).step_by(SIDE) {
        // SAFETY: the lines are as long as a row of x, and `row` and those after it are rows of x.
        unsafe {
            match x.rows - row {
                1 => dots_of::<P, 1>(lines, x, row, out),
                2 => dots_of::<P, 2>(lines, x, row, out),
                3 => dots_of::<P, 3>(lines, x, row, out),
                _ => dots_of::<P, SIDE>(lines, x, row, out),
            }
        }
    }
}

/// # Safety
///
/// The lines must hold `x.depth` numbers, and `x` rows `row..row + N`.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl")]
unsafe fn dots_of<P: Plain, const N: usize>(
    lines: [*const u8; SIDE],
    x: &Left<'_>,
    row: usize,
    out: &mut Products<'_>,
) {
    let left = x.numbers[row * x.depth..].as_ptr();
    let mut sums = [[_mm512_setzero_ps(); SIDE]; N];
    let fetched = CACHE_LINE / P::BYTES;
    let whole = x.depth / LANES * LANES;
    for line in (0..whole).step_by(fetched) {
        for start in lines {
            let ahead = start.wrapping_add(line * P::BYTES + AHEAD);
            _mm_prefetch::<_MM_HINT_T0>(ahead.cast());
        }
        for at in (line..whole.min(line + fetched)).step_by(LANES) {
            // SAFETY: the vectors end by the depth; the rest is the caller's.
            unsafe {
                let lines = lines.map(|line| P::load(line.add(at * P::BYTES)));
                for (i, sums) in sums.iter_mut().enumerate() {
                    add_products(sums, lines, _mm512_loadu_ps(left.add(i * x.depth + at)));
                }
            }
        }
    }
    if whole < x.depth {
        let mask = mask_of(x.depth - whole);
        // SAFETY: masked to the depth; the rest is the caller's.
        unsafe {
            let lines = lines.map(|line| P::load_masked(line.add(whole * P::BYTES), mask));
            for (i, sums) in sums.iter_mut().enumerate() {
                let x = _mm512_maskz_loadu_ps(mask, left.add(i * x.depth + whole));
                add_products(sums, lines, x);
            }
        }
    }
    for (i, sums) in sums.into_iter().enumerate() {
        out.put(row + i, sums.map(|sum| _mm512_reduce_add_ps(sum)));
    }
}

#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl")]
fn add_products(sums: &mut [__m512; SIDE], lines: [__m512; SIDE], x: __m512) {
    for (sum, line) in sums.iter_mut().zip(lines) {
        *sum = _mm512_fmadd_ps(x, line, *sum);
    }
}

/// Writes the numbers of `bytes`, as many as `out` holds.
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl")]
pub(super) fn numbers<P: Plain>(bytes: &[u8], out: &mut [f32]) {
    let whole = out.len() / LANES * LANES;
    for at in (0..whole).step_by(LANES) {
        // SAFETY: `bytes` and `out` have equally many numbers, `whole` of them at least.
        unsafe {
            let v = P::load(bytes.as_ptr().add(at * P::BYTES));
            _mm512_storeu_ps(out.as_mut_ptr().add(at), v);
        }
    }
    if whole < out.len() {
        let mask = mask_of(out.len() - whole);
        // SAFETY: masked to the numbers of `bytes` and `out`.
        unsafe {
            let v = P::load_masked(bytes.as_ptr().add(whole * P::BYTES), mask);
            _mm512_mask_storeu_ps(out.as_mut_ptr().add(whole), mask, v);
        }
    }
}
