//! Numbers without blocks: f32, f16 and bf16.

use half::f16;
use half::slice::HalfFloatSliceExt;

#[cfg(target_arch = "x86_64")]
use crate::avx512::{plain, rows};
#[cfg(target_arch = "x86_64")]
use crate::stored::format::RowKernels;
use crate::stored::format::{Format, each_block, put_half};
use crate::vectorised;

/// Half-precision numbers that are converted at a time.
const HALVES: usize = 64;

/// IEEE 754 numbers of 32 bits.
pub(crate) struct F32;
/// IEEE 754 numbers of 16 bits.
pub(crate) struct F16;
/// The upper halves of f32 numbers.
pub(crate) struct Bf16;

impl Format for F32 {
    const BLOCK_LEN: usize = 1;
    const BLOCK_BYTES: usize = 4;
    #[cfg(target_arch = "x86_64")]
    const AVX512: RowKernels = rows::plain::<plain::F32>();

    vectorised! {
        fn widen(blocks: &[u8], out: &mut [f32]) {
            each_block::<4, 1>(blocks, out, |b, y| y[0] = f32::from_le_bytes(*b));
        }
    }

    fn tame(block: &mut [u8], mut random: impl FnMut() -> f32) {
        block.copy_from_slice(&random().to_le_bytes());
    }

    #[cfg(test)]
    fn number(block: &[u8], _: usize) -> f32 {
        f32::from_le_bytes([block[0], block[1], block[2], block[3]])
    }
}

impl Format for F16 {
    const BLOCK_LEN: usize = 1;
    const BLOCK_BYTES: usize = 2;
    #[cfg(target_arch = "x86_64")]
    const AVX512: RowKernels = rows::plain::<plain::F16>();

    fn widen(blocks: &[u8], out: &mut [f32]) {
        for (bytes, out) in blocks.chunks(2 * HALVES).zip(out.chunks_mut(HALVES)) {
            let mut halves = [f16::ZERO; HALVES];
            let (pairs, _) = bytes.as_chunks::<2>();
            for (half, pair) in halves.iter_mut().zip(pairs) {
                *half = f16::from_le_bytes(*pair);
            }
            halves[..out.len()].convert_to_f32_slice(out);
        }
    }

    fn tame(block: &mut [u8], mut random: impl FnMut() -> f32) {
        put_half(block, 0, random());
    }

    #[cfg(test)]
    fn number(block: &[u8], _: usize) -> f32 {
        f16::from_le_bytes([block[0], block[1]]).to_f32()
    }
}

impl Format for Bf16 {
    const BLOCK_LEN: usize = 1;
    const BLOCK_BYTES: usize = 2;
    #[cfg(target_arch = "x86_64")]
    const AVX512: RowKernels = rows::plain::<plain::Bf16>();

    vectorised! {
        fn widen(blocks: &[u8], out: &mut [f32]) {
            each_block::<2, 1>(blocks, out, |b, y| {
                y[0] = f32::from_bits(u32::from(u16::from_le_bytes(*b)) << 16);
            });
        }
    }

    fn tame(block: &mut [u8], mut random: impl FnMut() -> f32) {
        block.copy_from_slice(&random().to_le_bytes()[2..]);
    }

    #[cfg(test)]
    fn number(block: &[u8], _: usize) -> f32 {
        f32::from_le_bytes([0, 0, block[0], block[1]])
    }
}
