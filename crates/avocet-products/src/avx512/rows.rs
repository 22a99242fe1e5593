//! Stored rows read with AVX-512: dot products with rows of f32, and dequantised rows.
//!
//! A dot product applies a scale to the sum of its group, so it differs from that of dequantised
//! numbers by rounding; a dequantised row has the bits of the portable form.

use std::arch::x86_64::*;

use super::quant_dot::{self, AHEAD, QuantDot};
use super::unpack::{Block, Q4_0, Q4_1, Q4K, Q5K, Q6K, Q8_0, Unpacked};
use crate::simd::{self, Level};
use crate::stored::format::{GROUP, Row, Run, StoredFormat};
use crate::stored::left::Left;
use crate::stored::order::SIDE;

/// Lanes of a vector.
const LANES: usize = 16;
/// How far ahead rows without blocks are fetched, of which several are read side by side.
const PLAIN_AHEAD: usize = 512;
/// Bytes that are fetched at once.
const CACHE_LINE: usize = 64;

/// Whether this CPU has the instructions.
pub(crate) fn available() -> bool {
    simd::level() == Level::Avx512
}

/// Writes the dot product of row i of `x` and row j of `run` to `out[i * count + first + j]`.
///
/// Panics unless the instructions are [`available`], rows are as wide as `x` and `out` has `count`
/// numbers for each row of `x`, those of `run` among them.
pub(crate) fn dots(run: &Run<'_>, x: &Left<'_>, (first, count): (usize, usize), out: &mut [f32]) {
    assert!(available(), "AVX-512 is needed");
    assert!(
        out.len() == count * x.rows && first + run.rows <= count,
        "products"
    );
    assert_eq!(x.numbers.len(), x.rows * x.depth, "rows of x");
    assert_eq!(run.bytes.len(), run.rows * run.row_bytes, "whole rows");
    if let Some(bytes) = run.bytes.get(..run.row_bytes).filter(|_| run.rows > 0) {
        let format = run.format;
        assert_width(Row { format, bytes }, x.depth);
    }
    // SAFETY: the instructions are available, and the lengths are those asserted.
    unsafe { all_dots(run, x, (first, count), out) }
}

/// Writes the numbers of `row`.
///
/// Panics unless the instructions are [`available`] and `out` is as long as the row.
pub(crate) fn dequantise(row: Row<'_>, out: &mut [f32]) {
    assert!(available(), "AVX-512 is needed");
    assert_width(row, out.len());
    // SAFETY: the instructions are available, and the lengths are those asserted.
    unsafe { numbers(row, out) }
}

fn assert_width(row: Row<'_>, width: usize) {
    let blocks = row.bytes.len() / row.format.block_bytes();
    assert!(
        row.bytes.len() == blocks * row.format.block_bytes()
            && width == blocks * row.format.block_len(),
        "{} bytes of {:?} for {width} numbers",
        row.bytes.len(),
        row.format
    );
}

#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl")]
fn all_dots(run: &Run<'_>, x: &Left<'_>, (first, count): (usize, usize), out: &mut [f32]) {
    let format = run.format;
    let mut scratch = Vec::new();
    for (step, bytes) in run.bytes.chunks(SIDE * run.row_bytes).enumerate() {
        let taken = bytes.len() / run.row_bytes;
        // A row that is missing is read as the first one, and its products not used.
        let lines: [Row<'_>; SIDE] = std::array::from_fn(|j| {
            let from = if j < taken { j * run.row_bytes } else { 0 };
            let bytes = &bytes[from..from + run.row_bytes];
            Row { format, bytes }
        });
        let at = first + step * SIDE;
        let mut put = |i: usize, sums: [f32; SIDE]| {
            let out = &mut out[i * count + at..][..taken];
            out.iter_mut().zip(sums).for_each(|(out, sum)| *out = sum);
        };
        let starts = lines.map(|line| line.bytes.as_ptr());
        match format {
            StoredFormat::F32 => plain::<F32>(starts, x, &mut put),
            StoredFormat::F16 => plain::<F16>(starts, x, &mut put),
            StoredFormat::Bf16 => plain::<Bf16>(starts, x, &mut put),
            _ if x.rows > SIDE => {
                // Unpacked once for all rows of x.
                scratch.resize(SIDE * x.depth, 0.0);
                for (line, out) in lines.iter().zip(scratch.chunks_exact_mut(x.depth)) {
                    numbers(*line, out);
                }
                let lines = std::array::from_fn(|j| scratch[j * x.depth..].as_ptr().cast());
                plain::<F32>(lines, x, &mut put);
            }
            StoredFormat::Q8_0 => quantised::<Q8_0>(&lines[..taken], x, &mut put),
            StoredFormat::Q4_0 => packed::<Q4_0>(&lines[..taken], x, &mut put),
            StoredFormat::Q4_1 => packed::<Q4_1>(&lines[..taken], x, &mut put),
            StoredFormat::Q4K => packed::<Q4K>(&lines[..taken], x, &mut put),
            StoredFormat::Q5K => packed::<Q5K>(&lines[..taken], x, &mut put),
            StoredFormat::Q6K => packed::<Q6K>(&lines[..taken], x, &mut put),
        }
    }
}

#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl")]
fn numbers(row: Row<'_>, out: &mut [f32]) {
    match row.format {
        StoredFormat::F32 => plain_numbers::<F32>(row.bytes, out),
        StoredFormat::F16 => plain_numbers::<F16>(row.bytes, out),
        StoredFormat::Bf16 => plain_numbers::<Bf16>(row.bytes, out),
        StoredFormat::Q8_0 => quantised_numbers::<Q8_0>(row.bytes, out),
        StoredFormat::Q4_0 => quantised_numbers::<Q4_0>(row.bytes, out),
        StoredFormat::Q4_1 => quantised_numbers::<Q4_1>(row.bytes, out),
        StoredFormat::Q4K => quantised_numbers::<Q4K>(row.bytes, out),
        StoredFormat::Q5K => quantised_numbers::<Q5K>(row.bytes, out),
        StoredFormat::Q6K => quantised_numbers::<Q6K>(row.bytes, out),
    }
}

/// A format without blocks.
trait Plain {
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

struct F32;
struct F16;
struct Bf16;

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

#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl")]
fn plain<P: Plain>(
    lines: [*const u8; SIDE],
    x: &Left<'_>,
    put: &mut impl FnMut(usize, [f32; SIDE]),
) {
    for row in (0..x.rows).step_by(SIDE) {
        // SAFETY: the lines are as long as a row of x, and `row` and those after it are rows of x.
        unsafe {
            match x.rows - row {
                1 => plain_rows::<P, 1>(lines, x, row, put),
                2 => plain_rows::<P, 2>(lines, x, row, put),
                3 => plain_rows::<P, 3>(lines, x, row, put),
                _ => plain_rows::<P, SIDE>(lines, x, row, put),
            }
        }
    }
}

/// # Safety
///
/// The lines must hold `x.depth` numbers, and `x` rows `row..row + N`.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl")]
unsafe fn plain_rows<P: Plain, const N: usize>(
    lines: [*const u8; SIDE],
    x: &Left<'_>,
    row: usize,
    put: &mut impl FnMut(usize, [f32; SIDE]),
) {
    let left = x.numbers[row * x.depth..].as_ptr();
    let mut sums = [[_mm512_setzero_ps(); SIDE]; N];
    let fetched = CACHE_LINE / P::BYTES;
    let whole = x.depth / LANES * LANES;
    for line in (0..whole).step_by(fetched) {
        for start in lines {
            let ahead = start.wrapping_add(line * P::BYTES + PLAIN_AHEAD);
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
        put(row + i, sums.map(|sum| _mm512_reduce_add_ps(sum)));
    }
}

#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl")]
fn add_products(sums: &mut [__m512; SIDE], lines: [__m512; SIDE], x: __m512) {
    for (sum, line) in sums.iter_mut().zip(lines) {
        *sum = _mm512_fmadd_ps(x, line, *sum);
    }
}

#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl")]
fn plain_numbers<P: Plain>(bytes: &[u8], out: &mut [f32]) {
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

#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl")]
fn quantised<B: Block>(lines: &[Row<'_>], x: &Left<'_>, put: &mut impl FnMut(usize, [f32; SIDE])) {
    match x.rows {
        0 => {}
        1 => each_line::<1>(lines, put, |line| block_dots::<B, 1>(line, x, 0)),
        2 => each_line::<2>(lines, put, |line| block_dots::<B, 2>(line, x, 0)),
        3 => each_line::<3>(lines, put, |line| block_dots::<B, 3>(line, x, 0)),
        _ => each_line::<SIDE>(lines, put, |line| block_dots::<B, SIDE>(line, x, 0)),
    }
}

/// As [`quantised`], for formats that are read in vectors of 64 numbers.
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl")]
fn packed<B: Block + QuantDot>(
    lines: &[Row<'_>],
    x: &Left<'_>,
    put: &mut impl FnMut(usize, [f32; SIDE]),
) {
    match x.rows {
        0 => {}
        1 => each_line::<1>(lines, put, |line| packed_dots::<B, 1>(line, x)),
        2 => each_line::<2>(lines, put, |line| packed_dots::<B, 2>(line, x)),
        3 => each_line::<3>(lines, put, |line| packed_dots::<B, 3>(line, x)),
        _ => each_line::<SIDE>(lines, put, |line| packed_dots::<B, SIDE>(line, x)),
    }
}

/// Hands the dot products of each line with N rows of x to `put`, row by row.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl")]
fn each_line<const N: usize>(
    lines: &[Row<'_>],
    put: &mut impl FnMut(usize, [f32; SIDE]),
    dots: impl Fn(&[u8]) -> [f32; N],
) {
    let mut all = [[0.0; SIDE]; N];
    for (j, line) in lines.iter().enumerate() {
        for (all, sum) in all.iter_mut().zip(dots(line.bytes)) {
            all[j] = sum;
        }
    }
    for (i, sums) in all.into_iter().enumerate() {
        put(i, sums);
    }
}

/// Dot products of a line and N rows of x, the last blocks of a row apart if they are no whole
/// step.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl")]
fn packed_dots<B: Block + QuantDot, const N: usize>(line: &[u8], x: &Left<'_>) -> [f32; N] {
    let blocks = <B as QuantDot>::NUMBERS / <B as Block>::NUMBERS;
    let done = line.len() / <B as Block>::BYTES / blocks * blocks;
    let arranged = x.arranged(B::ORDER).len() * LANES;
    assert!(
        arranged >= N * done * <B as Block>::NUMBERS
            && (!<B as Block>::MINIMA || x.group_sums.len() >= N * x.depth / GROUP),
        "arranged x"
    );
    // SAFETY: the line is as long as a row of x, of which N are arranged.
    let mut sums = unsafe { quant_dot::dots::<B, N>(line, x) };
    if done * <B as Block>::BYTES < line.len() {
        let rest = block_dots::<B, N>(line, x, done);
        sums.iter_mut()
            .zip(rest)
            .for_each(|(sum, rest)| *sum += rest);
    }
    sums
}

/// Dot products of the blocks of a line from `first` on with N rows of x.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl")]
fn block_dots<B: Block, const N: usize>(line: &[u8], x: &Left<'_>, first: usize) -> [f32; N] {
    let groups = x.depth / GROUP;
    let blocks = line.len() / B::BYTES;
    assert!(
        x.rows >= N
            && blocks * B::NUMBERS == x.depth
            && (!B::MINIMA || x.group_sums.len() >= N * groups),
        "rows of x as long as the line"
    );
    let mut unpacked = Unpacked::new();
    // Two sums a row, so that one addition need not wait for the last.
    let mut sums = [[_mm512_setzero_ps(); 2]; N];
    let mut minima = [0.0f32; N];
    for (number, block) in line.chunks_exact(B::BYTES).enumerate().skip(first) {
        _mm_prefetch::<_MM_HINT_T0>(block.as_ptr().wrapping_add(AHEAD).cast());
        // SAFETY: the block is whole; its numbers are as many as those of x that are read.
        unsafe {
            let quants = B::unpack(block, &mut unpacked);
            let at = number * B::NUMBERS;
            for group in 0..B::NUMBERS / GROUP {
                let low = load_quants(quants.add(group * GROUP));
                let high = load_quants(quants.add(group * GROUP + LANES));
                let step = _mm512_set1_ps(unpacked.steps[group]);
                for (i, sums) in sums.iter_mut().enumerate() {
                    let x = x.numbers.as_ptr().add(i * x.depth + at + group * GROUP);
                    let sum = _mm512_mul_ps(low, _mm512_loadu_ps(x));
                    let sum = _mm512_fmadd_ps(high, _mm512_loadu_ps(x.add(LANES)), sum);
                    sums[number % 2] = _mm512_fmadd_ps(sum, step, sums[number % 2]);
                }
                if B::MINIMA {
                    let minimum = unpacked.steps[B::NUMBERS / GROUP + group];
                    let at = number * (B::NUMBERS / GROUP) + group;
                    for (i, sum) in minima.iter_mut().enumerate() {
                        *sum += minimum * x.group_sums[i * groups + at];
                    }
                }
            }
        }
    }
    std::array::from_fn(|i| _mm512_reduce_add_ps(_mm512_add_ps(sums[i][0], sums[i][1])) - minima[i])
}

#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl")]
fn quantised_numbers<B: Block>(bytes: &[u8], out: &mut [f32]) {
    let mut unpacked = Unpacked::new();
    let group = if B::HALF_GROUPS { LANES } else { GROUP };
    let blocks = bytes.chunks_exact(B::BYTES);
    for (block, out) in blocks.zip(out.chunks_exact_mut(B::NUMBERS)) {
        // SAFETY: the block is whole.
        let quants = unsafe { B::unpack(block, &mut unpacked) };
        for (i, out) in out.chunks_exact_mut(LANES).enumerate() {
            let scale = i * LANES / group;
            // SAFETY: a block has as many quants as numbers; a chunk of `out` has 16.
            unsafe {
                let v = load_quants(quants.add(i * LANES));
                let mut v = _mm512_mul_ps(v, _mm512_set1_ps(unpacked.steps[scale]));
                if B::MINIMA {
                    let minimum = unpacked.steps[B::NUMBERS / GROUP + scale];
                    v = _mm512_sub_ps(v, _mm512_set1_ps(minimum));
                }
                _mm512_storeu_ps(out.as_mut_ptr(), v);
            }
        }
    }
}

/// 16 signed bytes as f32.
///
/// # Safety
///
/// They must be readable.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl")]
unsafe fn load_quants(at: *const i8) -> __m512 {
    // SAFETY: the caller's.
    _mm512_cvtepi32_ps(_mm512_cvtepi8_epi32(unsafe { _mm_loadu_si128(at.cast()) }))
}
