//! What a product needs of a format: the sizes of a block, and how rows of them are read.

use super::left::{Left, Needs};
use crate::simd::dot_of;

/// A way to store numbers, in blocks; a file below [`formats`](super::formats) each.
pub(crate) trait Format: Sized {
    /// Numbers of a block.
    const BLOCK_LEN: usize;
    /// Bytes of a block.
    const BLOCK_BYTES: usize;
    /// How rows are read from AVX-512 on.
    #[cfg(target_arch = "x86_64")]
    const AVX512: RowKernels = RowKernels::portable::<Self>();

    /// Writes the numbers that whole blocks stand for, as ggml-quants.c does, in the same order of
    /// operations.
    fn widen(blocks: &[u8], out: &mut [f32]);

    /// Turns random bytes into a block whose numbers are of the order of 1, by random numbers
    /// between -1 and 1.
    fn tame(block: &mut [u8], random: impl FnMut() -> f32);

    /// Number `i` of a block, as ggml-quants.c defines it.
    #[cfg(test)]
    fn number(block: &[u8], i: usize) -> f32;
}

/// A [`Format`] as values.
pub(crate) struct FormatKernels {
    pub(crate) block_len: usize,
    pub(crate) block_bytes: usize,
    pub(crate) portable: RowKernels,
    #[cfg(target_arch = "x86_64")]
    pub(crate) avx512: RowKernels,
    pub(crate) tame: fn(&mut [u8], &mut dyn FnMut() -> f32),
    #[cfg(test)]
    pub(crate) number: fn(&[u8], usize) -> f32,
}

impl FormatKernels {
    pub(crate) const fn of<F: Format>() -> Self {
        Self {
            block_len: F::BLOCK_LEN,
            block_bytes: F::BLOCK_BYTES,
            portable: RowKernels::portable::<F>(),
            #[cfg(target_arch = "x86_64")]
            avx512: F::AVX512,
            tame: |block, random| F::tame(block, random),
            #[cfg(test)]
            number: F::number,
        }
    }
}

/// How a level reads the rows of a format.
#[derive(Clone, Copy)]
pub(crate) struct RowKernels {
    /// What the products read of x beside its numbers.
    pub(crate) needs: Needs,
    /// Writes the numbers of a row.
    pub(crate) widen: fn(row: &[u8], out: &mut [f32]),
    /// Writes the dot product of row i of x and row j of the run to `out[i * count + first + j]`,
    /// given `(first, count)`.
    pub(crate) dots: fn(&Run<'_>, x: &Left<'_>, (usize, usize), out: &mut [f32]),
}

impl RowKernels {
    /// Row by row: widened, then multiplied.
    pub(crate) const fn portable<F: Format>() -> Self {
        Self {
            needs: Needs::NOTHING,
            widen: F::widen,
            dots: widened_dots::<F>,
        }
    }
}

/// Rows of one format as they are stored, one after another.
#[derive(Clone, Copy)]
pub(crate) struct Run<'a> {
    pub(crate) format: &'static FormatKernels,
    pub(crate) bytes: &'a [u8],
    pub(crate) row_bytes: usize,
    pub(crate) rows: usize,
}

fn widened_dots<F: Format>(
    run: &Run<'_>,
    x: &Left<'_>,
    (first, count): (usize, usize),
    out: &mut [f32],
) {
    let mut numbers = vec![0.0; x.depth];
    for (j, row) in run.bytes.chunks_exact(run.row_bytes).enumerate() {
        F::widen(row, &mut numbers);
        let rows = x.numbers.chunks_exact(x.depth);
        for (x, out) in rows.zip(out.chunks_exact_mut(count)) {
            out[first + j] = dot_of(x, &numbers);
        }
    }
}

/// Calls `block` with each block and its numbers.
#[inline(always)]
pub(crate) fn each_block<const BYTES: usize, const LEN: usize>(
    blocks: &[u8],
    out: &mut [f32],
    block: impl Fn(&[u8; BYTES], &mut [f32; LEN]),
) {
    let ((blocks, _), (out, _)) = (blocks.as_chunks::<BYTES>(), out.as_chunks_mut::<LEN>());
    for (bytes, numbers) in blocks.iter().zip(out) {
        block(bytes, numbers);
    }
}

/// The half-precision number at `place` of a block.
#[inline(always)]
pub(crate) fn half_at(block: &[u8], place: usize) -> f32 {
    half::f16::from_le_bytes([block[place], block[place + 1]]).to_f32()
}

/// Writes `value` in half precision to `place` of a block.
pub(crate) fn put_half(block: &mut [u8], place: usize, value: f32) {
    block[place..place + 2].copy_from_slice(&half::f16::from_f32(value).to_le_bytes());
}
