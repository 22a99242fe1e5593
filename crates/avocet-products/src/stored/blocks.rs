//! Stored rows turned into numbers without special instructions, as ggml-quants.c does it, in the
//! same order of operations.

use half::f16;
use half::slice::HalfFloatSliceExt;

use super::format::StoredFormat;
use crate::simd::vectorised;

/// Numbers of a block of the K formats.
const QK_K: usize = 256;
/// Half-precision numbers that are converted at a time.
const HALVES: usize = 64;

/// Writes the numbers that `bytes`, whole blocks, stand for.
///
/// Panics unless there are as many of them as `out` holds.
pub(super) fn dequantise(format: StoredFormat, bytes: &[u8], out: &mut [f32]) {
    let blocks = bytes.len() / format.block_bytes();
    assert!(
        bytes.len() == blocks * format.block_bytes() && out.len() == blocks * format.block_len(),
        "{} bytes of {format:?} for {} numbers",
        bytes.len(),
        out.len()
    );
    match format {
        StoredFormat::F32 => f32_row(bytes, out),
        StoredFormat::F16 => f16_row(bytes, out),
        StoredFormat::Bf16 => bf16_row(bytes, out),
        StoredFormat::Q8_0 => q8_0_row(bytes, out),
        StoredFormat::Q4_0 => q4_0_row(bytes, out),
        StoredFormat::Q4_1 => q4_1_row(bytes, out),
        StoredFormat::Q4K => q4_k_row(bytes, out),
        StoredFormat::Q5K => q5_k_row(bytes, out),
        StoredFormat::Q6K => q6_k_row(bytes, out),
    }
}

/// Calls `block` with each block and its numbers.
#[inline(always)]
fn each<const B: usize, const N: usize>(
    bytes: &[u8],
    out: &mut [f32],
    block: impl Fn(&[u8; B], &mut [f32; N]),
) {
    let ((blocks, _), (values, _)) = (bytes.as_chunks::<B>(), out.as_chunks_mut::<N>());
    for (bytes, values) in blocks.iter().zip(values) {
        block(bytes, values);
    }
}

fn f16_row(bytes: &[u8], out: &mut [f32]) {
    for (bytes, out) in bytes.chunks(2 * HALVES).zip(out.chunks_mut(HALVES)) {
        let mut halves = [f16::ZERO; HALVES];
        let (pairs, _) = bytes.as_chunks::<2>();
        for (half, pair) in halves.iter_mut().zip(pairs) {
            *half = f16::from_le_bytes(*pair);
        }
        halves[..out.len()].convert_to_f32_slice(out);
    }
}

vectorised! {
    fn f32_row(bytes: &[u8], out: &mut [f32]) {
        each::<4, 1>(bytes, out, |b, y| y[0] = f32::from_le_bytes(*b));
    }
}

vectorised! {
    fn bf16_row(bytes: &[u8], out: &mut [f32]) {
        each::<2, 1>(bytes, out, |b, y| {
            y[0] = f32::from_bits(u32::from(u16::from_le_bytes(*b)) << 16);
        });
    }
}

vectorised! {
    /// `block_q8_0`: d (f16), 32 x i8.
    fn q8_0_row(bytes: &[u8], out: &mut [f32]) {
        each(bytes, out, |block: &[u8; 34], values: &mut [f32; 32]| {
            let d = half_at(block, 0);
            for (y, q) in values.iter_mut().zip(&block[2..]) {
                *y = f32::from(*q as i8) * d;
            }
        });
    }
}

vectorised! {
    /// `block_q4_0`: d (f16), 16 bytes whose low halves are the first 16 numbers, the high halves
    /// the last.
    fn q4_0_row(bytes: &[u8], out: &mut [f32]) {
        each(bytes, out, |block: &[u8; 18], values: &mut [f32; 32]| {
            let d = half_at(block, 0);
            let (low, high) = values.split_at_mut(16);
            for ((low, high), q) in low.iter_mut().zip(high).zip(&block[2..]) {
                *low = (f32::from(q & 15) - 8.0) * d;
                *high = (f32::from(q >> 4) - 8.0) * d;
            }
        });
    }
}

vectorised! {
    /// `block_q4_1`: d, m (f16), 16 bytes as in `block_q4_0`, counted from m.
    fn q4_1_row(bytes: &[u8], out: &mut [f32]) {
        each(bytes, out, |block: &[u8; 20], values: &mut [f32; 32]| {
            let (d, m) = (half_at(block, 0), half_at(block, 2));
            let (low, high) = values.split_at_mut(16);
            for ((low, high), q) in low.iter_mut().zip(high).zip(&block[4..]) {
                *low = f32::from(q & 15) * d + m;
                *high = f32::from(q >> 4) * d + m;
            }
        });
    }
}

vectorised! {
    /// `block_q4_K`: d, dmin (f16), 12 bytes of scales, 128 bytes: the low halves of 32 are one
    /// eighth of the numbers, the high halves the next.
    fn q4_k_row(bytes: &[u8], out: &mut [f32]) {
        each(bytes, out, |block: &[u8; 144], values: &mut [f32; QK_K]| {
            for quarter in 0..4 {
                let quants = &block[16 + 32 * quarter..][..32];
                let (low, high) = values[64 * quarter..][..64].split_at_mut(32);
                let (d1, m1) = step_and_min(block, 2 * quarter);
                let (d2, m2) = step_and_min(block, 2 * quarter + 1);
                for ((low, high), q) in low.iter_mut().zip(high).zip(quants) {
                    *low = d1 * f32::from(q & 15) - m1;
                    *high = d2 * f32::from(q >> 4) - m2;
                }
            }
        });
    }
}

vectorised! {
    /// `block_q5_K`: as `block_q4_K`, with 32 bytes of fifth bits before the 128: bit j of byte l
    /// belongs to number l of the j-th eighth.
    fn q5_k_row(bytes: &[u8], out: &mut [f32]) {
        each(bytes, out, |block: &[u8; 176], values: &mut [f32; QK_K]| {
            let fifth = &block[16..48];
            for quarter in 0..4 {
                let quants = block[48 + 32 * quarter..][..32].iter().zip(fifth);
                let (low, high) = values[64 * quarter..][..64].split_at_mut(32);
                let (d1, m1) = step_and_min(block, 2 * quarter);
                let (d2, m2) = step_and_min(block, 2 * quarter + 1);
                for ((low, high), (q, bits)) in low.iter_mut().zip(high).zip(quants) {
                    let bits = bits >> (2 * quarter);
                    *low = d1 * f32::from((q & 15) | ((bits & 1) << 4)) - m1;
                    *high = d2 * f32::from((q >> 4) | ((bits & 2) << 3)) - m2;
                }
            }
        });
    }
}

vectorised! {
    /// `block_q6_K`: 128 bytes of low halves, 64 bytes of upper pairs of bits, 16 scales (i8), d
    /// (f16); 32 stands for zero.
    fn q6_k_row(bytes: &[u8], out: &mut [f32]) {
        each(bytes, out, |block: &[u8; 210], values: &mut [f32; QK_K]| {
            let d = half_at(block, 208);
            for part in 0..2 {
                let low = &block[64 * part..][..64];
                let upper = &block[128 + 32 * part..][..32];
                let scales = &block[192 + 8 * part..][..8];
                let values = values[128 * part..][..128].chunks_exact_mut(32);
                for (quarter, values) in values.enumerate() {
                    let low = &low[32 * (quarter % 2)..][..32];
                    let shift = 4 * (quarter / 2);
                    for (half, values) in values.chunks_exact_mut(16).enumerate() {
                        let step = d * f32::from(scales[2 * quarter + half] as i8);
                        let quants = low[16 * half..].iter().zip(&upper[16 * half..]);
                        for (y, (q, bits)) in values.iter_mut().zip(quants) {
                            let number =
                                ((q >> shift) & 15) | (((bits >> (2 * quarter)) & 3) << 4);
                            *y = step * (f32::from(number) - 32.0);
                        }
                    }
                }
            }
        });
    }
}

#[inline(always)]
fn half_at(block: &[u8], place: usize) -> f32 {
    f16::from_le_bytes([block[place], block[place + 1]]).to_f32()
}

/// Step and minimum of the `j`-th eighth of a block that begins d, dmin (f16), 12 bytes of scales
/// and minima, 6 bits each; `get_scale_min_k4`.
#[inline(always)]
fn step_and_min(block: &[u8], j: usize) -> (f32, f32) {
    let packed = &block[4..16];
    let (scale, min) = if j < 4 {
        (packed[j] & 63, packed[j + 4] & 63)
    } else {
        let low = packed[j + 4];
        (
            (low & 15) | ((packed[j - 4] >> 6) << 4),
            (low >> 4) | ((packed[j] >> 6) << 4),
        )
    };
    let d = half_at(block, 0) * f32::from(scale);
    (d, half_at(block, 2) * f32::from(min))
}
