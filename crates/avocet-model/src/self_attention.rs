//! Self-attention of both towers.

use avocet_kernels::{KeyRanges, RopeAngles, attention, linear, rope};
use candle_core::{Result, Tensor};
use candle_nn::VarBuilder;

use crate::cache::LayerCache;
use crate::init;

/// Rotary self-attention with grouped key/value heads: one is multi-query (arXiv:1911.02150), as
/// many as query heads is multi-head, and between them is grouped-query (arXiv:2305.13245).
#[derive(Debug, Clone)]
pub struct SelfAttention {
    query: Tensor,
    key: Tensor,
    value: Tensor,
    output: Tensor,
    num_heads: usize,
    num_kv_heads: usize,
    head_dim: usize,
}

impl SelfAttention {
    /// Makes a layer of width `dim`; `num_writers` blocks of the tower write into its residual
    /// stream.
    pub fn new(
        dim: usize,
        (num_heads, num_kv_heads, head_dim): (usize, usize, usize),
        num_writers: usize,
        vb: VarBuilder,
    ) -> Result<Self> {
        let (q_dim, kv_dim) = (num_heads * head_dim, num_kv_heads * head_dim);
        Ok(Self {
            query: init::matrix(&vb, (q_dim, dim), "query")?,
            key: init::matrix(&vb, (kv_dim, dim), "key")?,
            value: init::matrix(&vb, (kv_dim, dim), "value")?,
            output: init::residual(&vb, (dim, q_dim), "output", num_writers)?,
            num_heads,
            num_kv_heads,
            head_dim,
        })
    }

    /// Maps packed `x` (S, D) to (S, D); row i attends to the rows of `ranges`.
    pub fn forward(&self, x: &Tensor, angles: &RopeAngles, ranges: &KeyRanges) -> Result<Tensor> {
        let (query, key, value) = self.project(x, angles)?;
        self.attend(&query, &key, &value, ranges)
    }

    /// Maps the rows `x` (n, D) that follow the cached ones to (n, D), and adds their keys and
    /// values to the cache. `ranges` counts cached rows first.
    pub(crate) fn forward_cached(
        &self,
        x: &Tensor,
        angles: &RopeAngles,
        ranges: &KeyRanges,
        cache: &mut LayerCache,
        past: usize,
    ) -> Result<Tensor> {
        let (query, key, value) = self.project(x, angles)?;
        let (key, value) = cache.append(&key, &value, past)?; // (past + n, KV, K)
        self.attend(&query, &key, &value, ranges)
    }

    fn project(&self, x: &Tensor, angles: &RopeAngles) -> Result<(Tensor, Tensor, Tensor)> {
        let (rows, _) = x.dims2()?;
        let kv_shape = (rows, self.num_kv_heads, self.head_dim);
        let query = linear(x, &self.query)?.reshape((rows, self.num_heads, self.head_dim))?; // (S, H, K)
        let key = linear(x, &self.key)?.reshape(kv_shape)?; // (S, KV, K)
        let value = linear(x, &self.value)?.reshape(kv_shape)?; // (S, KV, K)
        Ok((rope(&query, angles)?, rope(&key, angles)?, value))
    }

    fn attend(
        &self,
        query: &Tensor,
        key: &Tensor,
        value: &Tensor,
        ranges: &KeyRanges,
    ) -> Result<Tensor> {
        let scale = (self.head_dim as f32).sqrt().recip();
        let mixed = attention(query, key, value, ranges, scale)?; // (S, H, K)
        linear(&mixed.flatten_from(1)?, &self.output) // (S, D)
    }
}
