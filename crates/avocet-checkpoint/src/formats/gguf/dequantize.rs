//! Blocks of ggml turned into numbers, as ggml-quants.c does it, in the same order of operations.

use super::GgmlType;
use half::f16;
use rayon::prelude::*;

/// Numbers of a block of the K types.
const QK_K: usize = 256;
/// Blocks that a thread takes at a time.
const BLOCKS: usize = 256;

/// The numbers that `bytes`, whole blocks of `dtype`, stand for; `None` if the type is not one of
/// those that are read.
pub(crate) fn numbers(dtype: GgmlType, bytes: &[u8]) -> Option<Vec<f32>> {
    Some(match dtype {
        GgmlType::F32 => blocks::<4, 1>(bytes, |b, y| y[0] = f32::from_le_bytes(*b)),
        GgmlType::F16 => blocks::<2, 1>(bytes, |b, y| y[0] = f16::from_le_bytes(*b).to_f32()),
        GgmlType::Q8_0 => blocks(bytes, q8_0),
        GgmlType::Q4_0 => blocks(bytes, q4_0),
        GgmlType::Q4_1 => blocks(bytes, q4_1),
        GgmlType::Q4K => blocks(bytes, q4_k),
        GgmlType::Q5K => blocks(bytes, q5_k),
        GgmlType::Q6K => blocks(bytes, q6_k),
        _ => return None,
    })
}

fn blocks<const B: usize, const N: usize>(
    bytes: &[u8],
    block: impl Fn(&[u8; B], &mut [f32; N]) + Sync,
) -> Vec<f32> {
    let (blocks, _) = bytes.as_chunks::<B>();
    let mut values = vec![0.0; blocks.len() * N];
    let (chunks, _) = values.as_chunks_mut::<N>();
    let parts = chunks.par_chunks_mut(BLOCKS * QK_K / N);
    parts
        .zip(blocks.par_chunks(BLOCKS * QK_K / N))
        .for_each(|(values, blocks)| {
            for (bytes, values) in blocks.iter().zip(values) {
                block(bytes, values);
            }
        });
    values
}

fn half_at(block: &[u8], place: usize) -> f32 {
    f16::from_le_bytes([block[place], block[place + 1]]).to_f32()
}

/// `block_q8_0`: d (f16), 32 x i8; `dequantize_row_q8_0`.
fn q8_0(block: &[u8; 34], values: &mut [f32; 32]) {
    let d = half_at(block, 0);
    for (y, q) in values.iter_mut().zip(&block[2..]) {
        *y = f32::from(*q as i8) * d;
    }
}

/// `block_q4_0`: d (f16), 16 bytes whose low halves are the first 16 numbers, the high halves the
/// last; 8 stands for zero; `dequantize_row_q4_0`.
fn q4_0(block: &[u8; 18], values: &mut [f32; 32]) {
    let d = half_at(block, 0);
    for (j, q) in block[2..].iter().enumerate() {
        values[j] = (f32::from(q & 15) - 8.0) * d;
        values[j + 16] = (f32::from(q >> 4) - 8.0) * d;
    }
}

/// `block_q4_1`: d, m (f16), 16 bytes as in `block_q4_0`, counted from m; `dequantize_row_q4_1`.
fn q4_1(block: &[u8; 20], values: &mut [f32; 32]) {
    let (d, m) = (half_at(block, 0), half_at(block, 2));
    for (j, q) in block[4..].iter().enumerate() {
        values[j] = f32::from(q & 15) * d + m;
        values[j + 16] = f32::from(q >> 4) * d + m;
    }
}

/// Scale and minimum of the `j`-th eighth of a block: 6 bits each, packed in 12 bytes;
/// `get_scale_min_k4`.
pub(super) fn scale_and_min(j: usize, packed: &[u8]) -> (u8, u8) {
    if j < 4 {
        (packed[j] & 63, packed[j + 4] & 63)
    } else {
        let low = packed[j + 4];
        (
            (low & 15) | ((packed[j - 4] >> 6) << 4),
            (low >> 4) | ((packed[j] >> 6) << 4),
        )
    }
}

/// Step and minimum of the `j`-th eighth of a block that begins d, dmin (f16), 12 bytes of scales.
fn step_and_min(block: &[u8], j: usize) -> (f32, f32) {
    let (scale, min) = scale_and_min(j, &block[4..16]);
    let d = half_at(block, 0) * f32::from(scale);
    (d, half_at(block, 2) * f32::from(min))
}

/// `block_q4_K`: d, dmin (f16), 12 bytes of scales, 128 bytes: the low halves of 32 are one eighth
/// of the numbers, the high halves the next; `dequantize_row_q4_K`.
fn q4_k(block: &[u8; 144], values: &mut [f32; QK_K]) {
    for quarter in 0..4 {
        let quants = &block[16 + 32 * quarter..][..32];
        let (low, high) = values[64 * quarter..][..64].split_at_mut(32);
        let (d1, m1) = step_and_min(block, 2 * quarter);
        let (d2, m2) = step_and_min(block, 2 * quarter + 1);
        for (l, q) in quants.iter().enumerate() {
            low[l] = d1 * f32::from(q & 15) - m1;
            high[l] = d2 * f32::from(q >> 4) - m2;
        }
    }
}

/// `block_q5_K`: as `block_q4_K`, with 32 bytes of fifth bits before the 128: bit j of byte l
/// belongs to number l of the j-th eighth; `dequantize_row_q5_K`.
fn q5_k(block: &[u8; 176], values: &mut [f32; QK_K]) {
    let fifth = &block[16..48];
    for quarter in 0..4 {
        let quants = &block[48 + 32 * quarter..][..32];
        let (low, high) = values[64 * quarter..][..64].split_at_mut(32);
        let (d1, m1) = step_and_min(block, 2 * quarter);
        let (d2, m2) = step_and_min(block, 2 * quarter + 1);
        for (l, (q, bits)) in quants.iter().zip(fifth).enumerate() {
            let bits = bits >> (2 * quarter);
            low[l] = d1 * f32::from((q & 15) | ((bits & 1) << 4)) - m1;
            high[l] = d2 * f32::from((q >> 4) | ((bits & 2) << 3)) - m2;
        }
    }
}

/// `block_q6_K`: 128 bytes of low halves, 64 bytes of upper pairs of bits, 16 scales (i8), d (f16);
/// 32 stands for zero; `dequantize_row_q6_K`.
fn q6_k(block: &[u8; 210], values: &mut [f32; QK_K]) {
    let d = half_at(block, 208);
    for part in 0..2 {
        let low = &block[64 * part..][..64];
        let upper = &block[128 + 32 * part..][..32];
        let scales = &block[192 + 8 * part..][..8];
        for (quarter, values) in values[128 * part..][..128].chunks_exact_mut(32).enumerate() {
            let low = &low[32 * (quarter % 2)..][..32];
            let shift = 4 * (quarter / 2);
            for (half, values) in values.chunks_exact_mut(16).enumerate() {
                let step = d * f32::from(scales[2 * quarter + half] as i8);
                let quants = low[16 * half..].iter().zip(&upper[16 * half..]);
                for (y, (q, bits)) in values.iter_mut().zip(quants) {
                    let number = ((q >> shift) & 15) | (((bits >> (2 * quarter)) & 3) << 4);
                    *y = step * (f32::from(number) - 32.0);
                }
            }
        }
    }
}
