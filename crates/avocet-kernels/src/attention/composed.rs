//! Attention from candle's differentiable operations: for other devices, and as the tests' oracle.

use candle_core::{D, Result, Tensor};

use super::ranges::KeyRanges;

/// As [`super::attention`] or [`super::attention_alibi`], with all scores at once.
///
/// A finite mask before the softmax and the 0/1 mask after it keep empty ranges at exactly zero
/// and free of NaN.
pub(super) fn attention(
    q: &Tensor,
    k: &Tensor,
    v: &Tensor,
    ranges: &KeyRanges,
    scale: f32,
    slopes: Option<&[f32]>,
) -> Result<Tensor> {
    let (num_queries, num_heads, head_dim) = q.dims3()?;
    let (num_keys, num_kv_heads, _) = k.dims3()?;
    if num_queries == 0 || num_keys == 0 || num_heads == 0 {
        return q.zeros_like();
    }
    let group = num_heads / num_kv_heads;
    let mask: Vec<f32> = ranges
        .as_slice()
        .iter()
        .flat_map(|&(lo, hi)| {
            (0..num_keys as u32).map(move |key| f32::from(u8::from(lo <= key && key < hi)))
        })
        .collect();
    let mask =
        Tensor::from_vec(mask, (num_queries, 1, num_keys), q.device())?.to_dtype(q.dtype())?;
    let by_kv_head = |x: &Tensor| x.transpose(0, 1)?.contiguous(); // (KV, Sk, K)
    let rows = q
        .reshape((num_queries, num_kv_heads, group * head_dim))?
        .transpose(0, 1)?
        .contiguous()?
        .reshape((num_kv_heads, num_queries * group, head_dim))?;
    let scores = (rows.matmul(&by_kv_head(k)?.transpose(1, 2)?)? * f64::from(scale))?.reshape((
        num_kv_heads,
        num_queries,
        group,
        num_keys,
    ))?;
    let scores = match slopes {
        Some(slopes) => {
            let slopes = Tensor::from_slice(slopes, (num_kv_heads, 1, group, 1), q.device())?;
            let distances = distances(ranges, num_keys);
            let distances = Tensor::from_vec(distances, (num_queries, 1, num_keys), q.device())?;
            let bias = distances.broadcast_mul(&slopes)?.to_dtype(q.dtype())?;
            scores.broadcast_add(&bias)?
        }
        None => scores,
    };
    let scores = scores.broadcast_add(&((&mask - 1.0)? * 1e9)?)?;
    let scores = scores
        .broadcast_sub(&scores.max_keepdim(D::Minus1)?.detach())?
        .exp()?;
    let p = scores
        .broadcast_div(&scores.sum_keepdim(D::Minus1)?)?
        .broadcast_mul(&mask)?;
    p.reshape((num_kv_heads, num_queries * group, num_keys))?
        .matmul(&by_kv_head(v)?)?
        .reshape((num_kv_heads, num_queries, group * head_dim))?
        .transpose(0, 1)?
        .contiguous()?
        .reshape((num_queries, num_heads, head_dim))
}

/// How far each key is after the last one a query sees, (Sq, 1, Sk); zero where it sees none.
fn distances(ranges: &KeyRanges, num_keys: usize) -> Vec<f32> {
    let rows = ranges.as_slice().iter();
    let row = |&(lo, hi): &(u32, u32)| {
        (0..num_keys as i64).map(move |key| match lo < hi {
            true => (key + 1 - i64::from(hi)) as f32,
            false => 0.0,
        })
    };
    rows.flat_map(row).collect()
}
