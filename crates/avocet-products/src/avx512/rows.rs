//! Stored rows read with AVX-512: dot products with rows of f32, and widened rows.
//!
//! A dot product applies a scale to the sum of its group, so it differs from that of widened
//! numbers by rounding; a widened row has the bits of the portable form.

use std::arch::x86_64::*;
use std::marker::PhantomData;

use super::plain::{self, F32, Plain, Products};
use super::quant_dot::{self, AHEAD, QuantDot};
use super::unpack::{Unpack, Unpacked};
use crate::level::Level;
use crate::stored::format::{Format, RowKernels, Run};
use crate::stored::left::{GROUP, Left, Needs, SIDE};
use crate::stored::order::Order;

/// Lanes of a vector.
const LANES: usize = 16;

/// Rows of numbers without blocks.
pub(crate) const fn plain<P: Plain>() -> RowKernels {
    kernels::<PlainRows<P>>()
}

/// Rows of blocks that are unpacked to memory.
pub(crate) const fn unpacked<B: Unpack>() -> RowKernels {
    kernels::<BlockRows<InMemory<B>>>()
}

/// Rows of blocks that are multiplied as they lie, in registers.
pub(crate) const fn packed<B: QuantDot>() -> RowKernels {
    kernels::<BlockRows<InRegisters<B>>>()
}

const fn kernels<R: Rows>() -> RowKernels {
    RowKernels {
        needs: R::NEEDS,
        widen: widen::<R>,
        dots: dots::<R>,
    }
}

/// A kind of rows.
trait Rows {
    /// Numbers of a block.
    const LEN: usize;
    /// Bytes of a block.
    const BYTES: usize;
    /// What the dot products read of x beside its numbers.
    const NEEDS: Needs;

    /// Writes the numbers of a row.
    ///
    /// # Safety
    ///
    /// AVX-512 must be available, and the row as long as `out`.
    unsafe fn numbers(row: &[u8], out: &mut [f32]);

    /// Hands the dot products of the rows with each row of x to `out`.
    ///
    /// # Safety
    ///
    /// AVX-512 must be available, and the rows as long as those of x.
    unsafe fn dots(
        rows: [&[u8]; SIDE],
        x: &Left<'_>,
        scratch: &mut Vec<f32>,
        out: &mut Products<'_>,
    );
}

struct PlainRows<P>(PhantomData<P>);
struct BlockRows<L>(PhantomData<L>);

impl<P: Plain> Rows for PlainRows<P> {
    const LEN: usize = 1;
    const BYTES: usize = P::BYTES;
    const NEEDS: Needs = Needs::NOTHING;

    #[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl")]
    unsafe fn numbers(row: &[u8], out: &mut [f32]) {
        plain::numbers::<P>(row, out);
    }

    #[inline]
    #[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl")]
    unsafe fn dots(
        rows: [&[u8]; SIDE],
        x: &Left<'_>,
        _scratch: &mut Vec<f32>,
        out: &mut Products<'_>,
    ) {
        plain::dots::<P>(rows.map(<[u8]>::as_ptr), x, out);
    }
}

impl<L: Line> Rows for BlockRows<L> {
    const LEN: usize = L::Block::BLOCK_LEN;
    const BYTES: usize = L::Block::BLOCK_BYTES;
    const NEEDS: Needs = Needs {
        order: L::ORDER,
        group_sums: L::Block::MINIMA,
    };

    #[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl")]
    unsafe fn numbers(row: &[u8], out: &mut [f32]) {
        block_numbers::<L::Block>(row, out);
    }

    #[inline]
    #[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl")]
    unsafe fn dots(
        rows: [&[u8]; SIDE],
        x: &Left<'_>,
        scratch: &mut Vec<f32>,
        out: &mut Products<'_>,
    ) {
        let lines = &rows[..out.taken];
        // SAFETY: the rows are as long as those of x, as the caller's are.
        unsafe {
            match x.rows {
                0 => {}
                1 => each_line::<1>(lines, out, |line| L::dots::<1>(line, x)),
                2 => each_line::<2>(lines, out, |line| L::dots::<2>(line, x)),
                3 => each_line::<3>(lines, out, |line| L::dots::<3>(line, x)),
                SIDE => each_line::<SIDE>(lines, out, |line| L::dots::<SIDE>(line, x)),
                _ => many_dots::<L::Block>(rows, x, scratch, out),
            }
        }
    }
}

fn assert_width<R: Rows>(row_bytes: usize, width: usize) {
    assert!(
        width.is_multiple_of(R::LEN) && row_bytes == width / R::LEN * R::BYTES,
        "{row_bytes} bytes for {width} numbers"
    );
}

fn widen<R: Rows>(row: &[u8], out: &mut [f32]) {
    assert!(Level::detected() >= Level::Avx512, "AVX-512 is needed");
    assert_width::<R>(row.len(), out.len());
    // SAFETY: the instructions are available, and the lengths are those asserted.
    unsafe { R::numbers(row, out) }
}

fn dots<R: Rows>(run: &Run<'_>, x: &Left<'_>, (first, count): (usize, usize), out: &mut [f32]) {
    assert!(Level::detected() >= Level::Avx512, "AVX-512 is needed");
    assert!(
        out.len() == count * x.rows && first + run.rows <= count,
        "products"
    );
    assert_eq!(x.numbers.len(), x.rows * x.depth, "rows of x");
    assert_eq!(run.bytes.len(), run.rows * run.row_bytes, "whole rows");
    if run.rows > 0 {
        assert_width::<R>(run.row_bytes, x.depth);
    }
    // SAFETY: the instructions are available, and the lengths are those asserted.
    unsafe { all_dots::<R>(run, x, (first, count), out) }
}

#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl")]
fn all_dots<R: Rows>(run: &Run<'_>, x: &Left<'_>, (first, count): (usize, usize), out: &mut [f32]) {
    let mut scratch = Vec::new();
    for (step, bytes) in run.bytes.chunks(SIDE * run.row_bytes).enumerate() {
        let taken = bytes.len() / run.row_bytes;
        // A row that is missing is read as the first one, and its products not used.
        let rows: [&[u8]; SIDE] = std::array::from_fn(|j| {
            let from = if j < taken { j * run.row_bytes } else { 0 };
            &bytes[from..from + run.row_bytes]
        });
        let at = first + step * SIDE;
        let mut out = Products {
            out,
            count,
            at,
            taken,
        };
        // SAFETY: the rows are as long as those of x, as the caller asserted.
        unsafe { R::dots(rows, x, &mut scratch, &mut out) };
    }
}

/// Dot products with many rows of x: the blocks are unpacked once for all of them.
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl")]
fn many_dots<B: Unpack>(
    rows: [&[u8]; SIDE],
    x: &Left<'_>,
    scratch: &mut Vec<f32>,
    out: &mut Products<'_>,
) {
    scratch.resize(SIDE * x.depth, 0.0);
    for (row, out) in rows.iter().zip(scratch.chunks_exact_mut(x.depth)) {
        block_numbers::<B>(row, out);
    }
    let lines = std::array::from_fn(|j| scratch[j * x.depth..].as_ptr().cast());
    plain::dots::<F32>(lines, x, out);
}

/// Hands the dot products of each line with N rows of x to `out`.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl")]
fn each_line<const N: usize>(
    lines: &[&[u8]],
    out: &mut Products<'_>,
    dots: impl Fn(&[u8]) -> [f32; N],
) {
    let mut all = [[0.0; SIDE]; N];
    for (j, line) in lines.iter().enumerate() {
        for (all, sum) in all.iter_mut().zip(dots(line)) {
            all[j] = sum;
        }
    }
    for (i, sums) in all.into_iter().enumerate() {
        out.put(i, sums);
    }
}

/// A way to multiply one row of blocks.
trait Line {
    type Block: Unpack;
    /// In which order it reads x, if not as x lies.
    const ORDER: Option<Order>;

    /// The dot products of a row with the first N rows of x.
    ///
    /// # Safety
    ///
    /// AVX-512 must be available, and the row as long as those of x.
    unsafe fn dots<const N: usize>(line: &[u8], x: &Left<'_>) -> [f32; N];
}

struct InMemory<B>(PhantomData<B>);
struct InRegisters<B>(PhantomData<B>);

impl<B: Unpack> Line for InMemory<B> {
    type Block = B;
    const ORDER: Option<Order> = None;

    #[inline]
    #[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl")]
    unsafe fn dots<const N: usize>(line: &[u8], x: &Left<'_>) -> [f32; N] {
        block_dots::<B, N>(line, x, 0)
    }
}

/// The last blocks of a row are taken to memory if they are no whole step.
impl<B: QuantDot> Line for InRegisters<B> {
    type Block = B;
    const ORDER: Option<Order> = Some(B::ORDER);

    #[inline]
    #[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl")]
    unsafe fn dots<const N: usize>(line: &[u8], x: &Left<'_>) -> [f32; N] {
        let done = line.len() / B::BLOCK_BYTES / B::STEP_BLOCKS * B::STEP_BLOCKS;
        let arranged = x.arranged(B::ORDER).len() * LANES;
        assert!(
            arranged >= N * done * B::BLOCK_LEN
                && (!B::MINIMA || x.group_sums.len() >= N * x.depth / GROUP),
            "arranged x"
        );
        // SAFETY: the line is as long as a row of x, of which N are arranged.
        let mut sums = unsafe { quant_dot::dots::<B, N>(line, x) };
        if done * B::BLOCK_BYTES < line.len() {
            let rest = block_dots::<B, N>(line, x, done);
            sums.iter_mut()
                .zip(rest)
                .for_each(|(sum, rest)| *sum += rest);
        }
        sums
    }
}

/// Dot products of the blocks of a line from `first` on with N rows of x.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl")]
fn block_dots<B: Unpack, const N: usize>(line: &[u8], x: &Left<'_>, first: usize) -> [f32; N] {
    let groups = x.depth / GROUP;
    let blocks = line.len() / B::BLOCK_BYTES;
    assert!(
        x.rows >= N
            && blocks * B::BLOCK_LEN == x.depth
            && (!B::MINIMA || x.group_sums.len() >= N * groups),
        "rows of x as long as the line"
    );
    let mut unpacked = Unpacked::new();
    // Two sums a row, so that one addition need not wait for the last.
    let mut sums = [[_mm512_setzero_ps(); 2]; N];
    let mut minima = [0.0f32; N];
    for (number, block) in line.chunks_exact(B::BLOCK_BYTES).enumerate().skip(first) {
        _mm_prefetch::<_MM_HINT_T0>(block.as_ptr().wrapping_add(AHEAD).cast());
        // SAFETY: the block is whole; its numbers are as many as those of x that are read.
        unsafe {
            let quants = B::unpack(block, &mut unpacked);
            let at = number * B::BLOCK_LEN;
            for group in 0..B::BLOCK_LEN / GROUP {
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
                    let minimum = unpacked.steps[B::BLOCK_LEN / GROUP + group];
                    let at = number * (B::BLOCK_LEN / GROUP) + group;
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
fn block_numbers<B: Unpack>(bytes: &[u8], out: &mut [f32]) {
    let mut unpacked = Unpacked::new();
    let group = if B::HALF_GROUPS { LANES } else { GROUP };
    let blocks = bytes.chunks_exact(B::BLOCK_BYTES);
    for (block, out) in blocks.zip(out.chunks_exact_mut(B::BLOCK_LEN)) {
        // SAFETY: the block is whole.
        let quants = unsafe { B::unpack(block, &mut unpacked) };
        for (i, out) in out.chunks_exact_mut(LANES).enumerate() {
            let scale = i * LANES / group;
            // SAFETY: a block has as many quants as numbers; a chunk of `out` has 16.
            unsafe {
                let v = load_quants(quants.add(i * LANES));
                let mut v = _mm512_mul_ps(v, _mm512_set1_ps(unpacked.steps[scale]));
                if B::MINIMA {
                    let minimum = unpacked.steps[B::BLOCK_LEN / GROUP + scale];
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
