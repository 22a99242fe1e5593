//! Numbers turned into blocks of ggml, as the reference quantisers of ggml-quants.c do it.

use super::GgmlType;
use super::dequantize::scale_and_min;
use half::{bf16, f16};
use rayon::prelude::*;

/// Why numbers could not be turned into blocks.
#[derive(Debug, PartialEq, thiserror::Error)]
pub enum QuantizeError {
    /// Blocks of this type are not made here.
    #[error("blocks of type {0} are not made; Q8_0, Q4_K and BF16 are")]
    Unsupported(GgmlType),
    /// The numbers do not fill whole blocks.
    #[error("{count} numbers do not fill blocks of {block}")]
    Partial {
        /// How many numbers.
        count: usize,
        /// Numbers of a block.
        block: usize,
    },
    /// The scale of a half-precision block cannot hold such a number.
    #[error("number {index} is {value}, which no block can hold")]
    Value {
        /// Its place.
        index: usize,
        /// The number.
        value: f32,
    },
}

/// Largest number whose scale every block can hold: 15 x 63 steps of the largest f16 are more.
const MAX_VALUE: f32 = 1e6;

/// Blocks of `dtype` that stand for `values`, which are rows of whole blocks; of BF16 every number is
/// one.
///
/// Errors if the type is neither Q8_0, Q4_K nor BF16, the numbers do not fill blocks, or one of them is
/// not finite or above 10^6.
pub fn quantize(dtype: GgmlType, values: &[f32]) -> Result<Vec<u8>, QuantizeError> {
    let block = dtype.block_len();
    if !values.len().is_multiple_of(block) {
        let count = values.len();
        return Err(QuantizeError::Partial { count, block });
    }
    let held = |value: &f32| value.abs() <= MAX_VALUE;
    if let Some(index) = values.iter().position(|value| !held(value)) {
        let value = values[index];
        return Err(QuantizeError::Value { index, value });
    }
    match dtype {
        GgmlType::Q8_0 => Ok(blocks(values, q8_0)),
        GgmlType::Q4K => Ok(blocks(values, q4_k)),
        GgmlType::Bf16 => Ok(blocks(values, |[value]| {
            bf16::from_f32(*value).to_le_bytes()
        })),
        other => Err(QuantizeError::Unsupported(other)),
    }
}

fn blocks<const N: usize, const B: usize>(
    values: &[f32],
    block: impl Fn(&[f32; N]) -> [u8; B] + Sync + Send,
) -> Vec<u8> {
    let (chunks, _) = values.as_chunks::<N>();
    let blocks: Vec<[u8; B]> = chunks.par_iter().map(block).collect();
    blocks.into_flattened()
}

/// `quantize_row_q8_0_ref`.
fn q8_0(values: &[f32; 32]) -> [u8; 34] {
    let largest = values.iter().fold(0.0f32, |most, x| most.max(x.abs()));
    let d = largest / 127.0;
    let inverse = if d == 0.0 { 0.0 } else { 1.0 / d };
    let mut block = [0; 34];
    block[..2].copy_from_slice(&f16::from_f32(d).to_le_bytes());
    for (q, x) in block[2..].iter_mut().zip(values) {
        *q = (x * inverse).round() as i8 as u8;
    }
    block
}

/// `quantize_row_q4_K_ref`.
fn q4_k(values: &[f32; 256]) -> [u8; 144] {
    let (eighths, _) = values.as_chunks::<32>();
    let (mut scales, mut mins) = ([0.0f32; 8], [0.0f32; 8]);
    let mut quants = [[0u8; 32]; 8];
    for (j, eighth) in eighths.iter().enumerate() {
        let squares: f32 = eighth.iter().fold(0.0, |sum, x| sum + x * x);
        let average = (squares / 32.0).sqrt();
        let weights = eighth.map(|x| average + x.abs());
        (scales[j], mins[j], quants[j]) = scale_min_quants(eighth, &weights);
    }
    let max_scale = scales.iter().fold(0.0f32, |most, x| most.max(*x));
    let max_min = mins.iter().fold(0.0f32, |most, x| most.max(*x));
    let inverse = |most: f32| if most > 0.0 { 63.0 / most } else { 0.0 };
    let six_bits = |x: f32| (x.round_ties_even() as u8).min(63);
    let mut block = [0; 144];
    let (d, dmin) = (
        f16::from_f32(max_scale / 63.0),
        f16::from_f32(max_min / 63.0),
    );
    block[..2].copy_from_slice(&d.to_le_bytes());
    block[2..4].copy_from_slice(&dmin.to_le_bytes());
    let (head, packed) = block[4..].split_at_mut(12);
    for j in 0..8 {
        let scale = six_bits(inverse(max_scale) * scales[j]);
        let min = six_bits(inverse(max_min) * mins[j]);
        if j < 4 {
            head[j] = scale;
            head[j + 4] = min;
        } else {
            head[j + 4] = (scale & 15) | ((min & 15) << 4);
            head[j - 4] |= (scale >> 4) << 6;
            head[j] |= (min >> 4) << 6;
        }
    }
    for (j, eighth) in eighths.iter().enumerate() {
        let (scale, min) = scale_and_min(j, head);
        let step = d.to_f32() * f32::from(scale);
        if step == 0.0 {
            continue;
        }
        let min = dmin.to_f32() * f32::from(min);
        quants[j] = eighth.map(|x| level((x + min) / step));
    }
    for (pair, bytes) in quants.chunks_exact(2).zip(packed.chunks_exact_mut(32)) {
        for (l, byte) in bytes.iter_mut().enumerate() {
            *byte = pair[0][l] | (pair[1][l] << 4);
        }
    }
    block
}

fn level(x: f32) -> u8 {
    x.round_ties_even().clamp(0.0, 15.0) as u8
}

/// Scale, negated minimum and levels that bring the weighted squared error down;
/// `make_qkx2_quants(32, 15, .., -1, 0.1, 20, false)`.
fn scale_min_quants(values: &[f32; 32], weights: &[f32; 32]) -> (f32, f32, [u8; 32]) {
    let (mut min, mut max) = (values[0], values[0]);
    let (mut sum_w, mut sum_x) = (0.0, 0.0);
    for (&x, &w) in values.iter().zip(weights) {
        min = min.min(x);
        max = max.max(x);
        sum_w += w;
        sum_x += w * x;
    }
    min = min.min(0.0);
    if max == min {
        return (0.0, -min, [0; 32]);
    }
    let error = |levels: &[u8; 32], scale: f32, min: f32| {
        let places = values.iter().zip(weights).zip(levels);
        places.fold(0.0f32, |sum, ((x, w), l)| {
            let difference = scale * f32::from(*l) + min - x;
            sum + w * (difference * difference)
        })
    };
    let inverse = 15.0 / (max - min);
    let mut scale = 1.0 / inverse;
    let mut levels = values.map(|x| level(inverse * (x - min)));
    let mut best = error(&levels, scale, min);
    for trial in 0..=20 {
        let inverse = (-1.0 + 0.1 * trial as f32 + 15.0) / (max - min);
        let tried = values.map(|x| level(inverse * (x - min)));
        let (mut sum_l, mut sum_l2, mut sum_xl) = (0.0f32, 0.0f32, 0.0f32);
        for ((x, w), l) in values.iter().zip(weights).zip(&tried) {
            let l = f32::from(*l);
            sum_l += w * l;
            sum_l2 += w * l * l;
            sum_xl += w * l * x;
        }
        let determinant = sum_w * sum_l2 - sum_l * sum_l;
        if determinant > 0.0 {
            let mut this_scale = (sum_w * sum_xl - sum_x * sum_l) / determinant;
            let mut this_min = (sum_l2 * sum_x - sum_l * sum_xl) / determinant;
            if this_min > 0.0 {
                this_min = 0.0;
                this_scale = sum_xl / sum_l2;
            }
            let this_error = error(&tried, this_scale, this_min);
            if this_error < best {
                (levels, best, scale, min) = (tried, this_error, this_scale, this_min);
            }
        }
    }
    (scale, -min, levels)
}
