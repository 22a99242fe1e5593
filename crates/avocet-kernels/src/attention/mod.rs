//! Attention of packed queries to one contiguous range of keys each.
//!
//! One form serves both towers: bidirectional within an image, causal within a text, cached
//! decoding, and cross-attention to the latest image. Scores exist only block by block, and the
//! backward computes them again from the saved log-sum-exp (FlashAttention-2, arXiv:2307.08691).

mod alibi;
mod backward;
mod blocks;
mod composed;
mod forward;
mod paged;
mod pages;
mod ranges;

#[cfg(test)]
mod tests;

use std::sync::Arc;

use avocet_products::Precision;
use candle_core::{Result, Tensor, bail};

use crate::fused::{FusedOp, Gradients, Inputs, Outcome, apply, f32s};
pub use alibi::alibi_slopes;
use blocks::{Block, blocks};
pub use paged::{PagedText, paged_attention};
pub use pages::KvPages;
pub use ranges::KeyRanges;

/// `softmax(scale * q k^T) v` where query i sees only the keys of `ranges[i]`, with products in
/// `precision`.
///
/// `q` is (Sq, H, K), `k` and `v` (Sk, KV, K) with H a multiple of KV: consecutive query heads
/// share a key head (grouped-query attention, arXiv:2305.13245; KV = 1 is multi-query). The result
/// is (Sq, H, K); a query with an empty range gets exactly zero and has no gradient.
///
/// Errors if the shapes disagree or a range ends beyond Sk.
pub fn attention(
    q: &Tensor,
    k: &Tensor,
    v: &Tensor,
    ranges: &KeyRanges,
    scale: f32,
    precision: Precision,
) -> Result<Tensor> {
    attend(q, k, v, ranges, scale, None, precision)
}

/// As [`attention`], with `slopes[h] * (j - last)` added to head h's scaled score of key j, where
/// `last` is the last key of the query's range.
///
/// This is ALiBi (arXiv:2108.12409) wherever a query's range ends at its own position; a constant
/// distance between the two changes nothing, since the softmax does not see it. The slopes, one
/// a query head, get no gradient.
///
/// Errors if the shapes disagree, a range ends beyond Sk, or there is not one slope a head.
pub fn attention_alibi(
    q: &Tensor,
    k: &Tensor,
    v: &Tensor,
    ranges: &KeyRanges,
    scale: f32,
    slopes: &[f32],
    precision: Precision,
) -> Result<Tensor> {
    let (_, num_heads, _) = q.dims3()?;
    if slopes.len() != num_heads {
        bail!(
            "attention_alibi: {num_heads} heads but {} slopes",
            slopes.len()
        );
    }
    attend(q, k, v, ranges, scale, Some(slopes), precision)
}

fn attend(
    q: &Tensor,
    k: &Tensor,
    v: &Tensor,
    ranges: &KeyRanges,
    scale: f32,
    slopes: Option<&[f32]>,
    precision: Precision,
) -> Result<Tensor> {
    let shape = AttentionShape::checked(q, k, v, ranges)?;
    let op = Attention {
        blocks: blocks(ranges, shape.group()),
        ranges: ranges.clone(),
        shape,
        scale,
        slopes: slopes.map(Arc::from),
        precision,
    };
    apply(op, [q, k, v])
}

/// The sizes of one attention.
#[derive(Debug, Clone, Copy)]
struct AttentionShape {
    num_queries: usize,
    num_heads: usize,
    num_keys: usize,
    num_kv_heads: usize,
    head_dim: usize,
}

impl AttentionShape {
    fn checked(q: &Tensor, k: &Tensor, v: &Tensor, ranges: &KeyRanges) -> Result<Self> {
        let (num_queries, num_heads, head_dim) = q.dims3()?;
        let (num_keys, num_kv_heads, key_dim) = k.dims3()?;
        if k.dims() != v.dims() {
            bail!(
                "attention: k has shape {:?} but v has {:?}",
                k.dims(),
                v.dims()
            );
        }
        if head_dim != key_dim {
            bail!("attention: queries have head width {head_dim} but keys have {key_dim}");
        }
        if head_dim == 0 {
            bail!("attention: heads of width 0");
        }
        if num_kv_heads == 0 || !num_heads.is_multiple_of(num_kv_heads) {
            bail!("attention: {num_heads} heads are not a multiple of {num_kv_heads} key heads");
        }
        if ranges.len() != num_queries {
            bail!(
                "attention: {num_queries} queries but {} key ranges",
                ranges.len()
            );
        }
        let beyond = |&(lo, hi): &(u32, u32)| lo < hi && hi as usize > num_keys;
        if let Some(i) = ranges.as_slice().iter().position(beyond) {
            let (lo, hi) = ranges.as_slice()[i];
            bail!("attention: query {i} sees keys {lo}..{hi}, but there are {num_keys}");
        }
        Ok(Self {
            num_queries,
            num_heads,
            num_keys,
            num_kv_heads,
            head_dim,
        })
    }

    /// Query heads that share a key head.
    fn group(&self) -> usize {
        self.num_heads / self.num_kv_heads
    }

    /// Elements of one query.
    fn query_width(&self) -> usize {
        self.num_heads * self.head_dim
    }

    /// Elements of one key.
    fn key_width(&self) -> usize {
        self.num_kv_heads * self.head_dim
    }
}

struct Attention {
    blocks: Vec<Block>,
    ranges: KeyRanges,
    shape: AttentionShape,
    scale: f32,
    /// Of every query head, where distance weighs.
    slopes: Option<Arc<[f32]>>,
    precision: Precision,
}

impl FusedOp<3> for Attention {
    const NAME: &'static str = "attention";
    /// Log of the sum of exponentials of every query and head, (Sq, H).
    type Saved = Vec<f32>;

    fn forward(&self, inputs: Inputs<'_, 3>) -> Result<(Vec<f32>, Self::Saved)> {
        let [q, k, v] = f32s(inputs)?;
        Ok(self.attend(q, k, v))
    }

    fn backward(&self, inputs: Inputs<'_, 3>, result: Outcome<'_, Self::Saved>) -> Gradients<3> {
        let [q, k, v] = f32s(inputs)?;
        let (dq, dk, dv) = self.gradients(q, k, v, result.out, result.grad, result.saved);
        Ok([dq.into(), dk.into(), dv.into()])
    }

    fn composed(&self, [q, k, v]: [&Tensor; 3]) -> Result<Tensor> {
        composed::attention(q, k, v, &self.ranges, self.scale, self.slopes.as_deref())
    }
}
