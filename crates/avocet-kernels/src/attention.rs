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

#[cfg(test)]
mod tests;

use std::sync::{Arc, OnceLock};

use candle_core::{CpuStorage, CustomOp3, DType, Layout, Result, Shape, Tensor, bail};

use crate::ranges::KeyRanges;
use crate::slices::{f32_slice, with_f32};
pub use alibi::alibi_slopes;
use blocks::{Block, blocks};
pub use paged::{PagedText, paged_attention};
pub use pages::KvPages;

/// `softmax(scale * q k^T) v` where query i sees only the keys of `ranges[i]`.
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
) -> Result<Tensor> {
    attend(q, k, v, ranges, scale, None)
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
) -> Result<Tensor> {
    let (_, num_heads, _) = q.dims3()?;
    if slopes.len() != num_heads {
        bail!(
            "attention_alibi: {num_heads} heads but {} slopes",
            slopes.len()
        );
    }
    attend(q, k, v, ranges, scale, Some(slopes))
}

fn attend(
    q: &Tensor,
    k: &Tensor,
    v: &Tensor,
    ranges: &KeyRanges,
    scale: f32,
    slopes: Option<&[f32]>,
) -> Result<Tensor> {
    let shape = AttentionShape::checked(q, k, v, ranges)?;
    if q.device().is_cpu() && q.dtype() == DType::F32 {
        let op = Attention {
            blocks: blocks(ranges, shape.group()),
            ranges: ranges.clone(),
            shape,
            scale,
            slopes: slopes.map(Arc::from),
            saves: q.track_op() || k.track_op() || v.track_op(),
            logsumexp: OnceLock::new(),
        };
        return q
            .contiguous()?
            .apply_op3(&k.contiguous()?, &v.contiguous()?, op);
    }
    composed::attention(q, k, v, ranges, scale, slopes)
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
    /// Whether a backward may follow.
    saves: bool,
    /// Log of the sum of exponentials of every query and head, (Sq, H).
    logsumexp: OnceLock<Vec<f32>>,
}

impl CustomOp3 for Attention {
    fn name(&self) -> &'static str {
        "attention"
    }

    fn cpu_fwd(
        &self,
        q: &CpuStorage,
        q_layout: &Layout,
        k: &CpuStorage,
        k_layout: &Layout,
        v: &CpuStorage,
        v_layout: &Layout,
    ) -> Result<(CpuStorage, Shape)> {
        let q = f32_slice(q, q_layout, "attention")?;
        let k = f32_slice(k, k_layout, "attention")?;
        let v = f32_slice(v, v_layout, "attention")?;
        let (out, logsumexp) = self.forward(q, k, v);
        if self.saves {
            // A second run of the same op would save the same values.
            let _ = self.logsumexp.set(logsumexp);
        }
        Ok((CpuStorage::F32(out), q_layout.shape().clone()))
    }

    fn bwd(
        &self,
        q: &Tensor,
        k: &Tensor,
        v: &Tensor,
        out: &Tensor,
        grad: &Tensor,
    ) -> Result<(Option<Tensor>, Option<Tensor>, Option<Tensor>)> {
        let Some(logsumexp) = self.logsumexp.get() else {
            bail!("attention: backward before forward");
        };
        let (dq, dk, dv) = with_f32(q, "attention", |q| {
            with_f32(k, "attention", |k| {
                with_f32(v, "attention", |v| {
                    with_f32(out, "attention", |out| {
                        with_f32(grad, "attention", |grad| {
                            Ok(self.backward(q, k, v, out, grad, logsumexp))
                        })
                    })
                })
            })
        })?;
        Ok((
            Some(Tensor::from_vec(dq, q.shape(), q.device())?),
            Some(Tensor::from_vec(dk, k.shape(), k.device())?),
            Some(Tensor::from_vec(dv, v.shape(), v.device())?),
        ))
    }
}
