//! Self-attention of every tower.

use std::ops::Range;

use avocet_kernels::{
    KeyRanges, KvPages, PagedText, Precision, RopeAngles, StepRows, attention, attention_alibi,
    paged_attention, rope,
};
use candle_core::{Result, Tensor};

use crate::builder::Builder;
use crate::norm::Norm;
use crate::projection::Projection;
use avocet_config::{NormKind, QkNorm};

/// Shape of a self-attention layer.
#[derive(Debug, Clone)]
pub(crate) struct AttentionShape {
    pub dim: usize,
    pub num_heads: usize,
    pub num_kv_heads: usize,
    pub head_dim: usize,
    /// Blocks of the tower that write into its residual stream.
    pub num_residual_layers: usize,
    /// Whether queries, keys and values have biases.
    pub bias: bool,
    pub output_bias: bool,
    pub qk_norm: Option<QkNorm>,
    pub norm: NormKind,
    pub eps: f64,
    /// Queries, keys and values are cut to within this of 0.
    pub clip_qkv: Option<f64>,
    /// What scores are multiplied by, if not `1 / sqrt(head_dim)`.
    pub scale: Option<f64>,
}

impl AttentionShape {
    /// Every head with keys and values of its own, and no biases.
    pub fn plain(dim: usize, num_heads: usize, num_residual_layers: usize) -> Self {
        Self {
            dim,
            num_heads,
            num_kv_heads: num_heads,
            head_dim: dim / num_heads,
            num_residual_layers,
            bias: false,
            output_bias: false,
            qk_norm: None,
            norm: NormKind::Rms,
            eps: 0.0,
            clip_qkv: None,
            scale: None,
        }
    }
}

/// What tells a layer where its rows stand.
#[derive(Debug, Clone, Copy)]
pub enum Positions<'a> {
    /// Queries and keys turn by these angles.
    Rotary(&'a RopeAngles),
    /// Scores fall with the distance, by a slope a head.
    Slopes(&'a [f32]),
    /// The rows hold their positions themselves.
    Learned,
}

/// Self-attention with grouped key/value heads: one is multi-query (arXiv:1911.02150), as
/// many as query heads is multi-head, and between them is grouped-query (arXiv:2305.13245).
#[derive(Debug, Clone)]
pub struct SelfAttention {
    query: Projection,
    key: Projection,
    value: Projection,
    output: Projection,
    qk_norm: Option<(QkNorm, Norm, Norm)>,
    num_heads: usize,
    num_kv_heads: usize,
    head_dim: usize,
    clip_qkv: Option<f64>,
    scale: f32,
    precision: Precision,
}

impl SelfAttention {
    pub(crate) fn new(shape: &AttentionShape, builder: Builder) -> Result<Self> {
        let &AttentionShape {
            dim,
            num_heads,
            num_kv_heads,
            head_dim,
            bias,
            ..
        } = shape;
        let (q_dim, kv_dim) = (num_heads * head_dim, num_kv_heads * head_dim);
        let norms = |over: QkNorm| {
            let (query, key) = match over {
                QkNorm::Head => (head_dim, head_dim),
                QkNorm::Full => (q_dim, kv_dim),
            };
            let norm = |dim, name| Norm::new(shape.norm, dim, shape.eps, &builder, name);
            Ok::<_, candle_core::Error>((over, norm(query, "query_norm")?, norm(key, "key_norm")?))
        };
        let scale = shape
            .scale
            .map_or_else(|| (head_dim as f32).sqrt().recip(), |scale| scale as f32);
        Ok(Self {
            query: Projection::new((q_dim, dim), bias, &builder, "query")?,
            key: Projection::new((kv_dim, dim), bias, &builder, "key")?,
            value: Projection::new((kv_dim, dim), bias, &builder, "value")?,
            output: Projection::residual(
                (dim, q_dim),
                shape.output_bias,
                shape.num_residual_layers,
                &builder,
                "output",
            )?,
            qk_norm: shape.qk_norm.map(norms).transpose()?,
            num_heads,
            num_kv_heads,
            head_dim,
            clip_qkv: shape.clip_qkv,
            scale,
            precision: builder.precision(),
        })
    }

    /// Maps packed `x` (S, D) to (S, D); row i attends to the rows of `ranges`.
    pub fn forward(
        &self,
        x: &Tensor,
        positions: Positions<'_>,
        ranges: &KeyRanges,
    ) -> Result<Tensor> {
        let projected = [&self.query, &self.key, &self.value].map(|map| map.forward(x));
        let [query, key, value] = projected;
        let (query, key, value) = self.place([query?, key?, value?], positions)?;
        let (scale, precision) = (self.scale, self.precision);
        let mixed = match positions {
            Positions::Slopes(slopes) => {
                attention_alibi(&query, &key, &value, ranges, scale, slopes, precision)?
            }
            Positions::Rotary(_) | Positions::Learned => {
                attention(&query, &key, &value, ranges, scale, precision)?
            }
        }; // (S, H, K)
        self.output.forward(&mixed.flatten_from(1)?) // (S, D)
    }

    /// Maps the rows `x` (n, D) of several texts, those of the spans beside their pages, to
    /// (n, D), and adds their keys and values to the pages. `ranges` count the rows of a text.
    pub(crate) fn step(
        &self,
        x: &Tensor,
        positions: Positions<'_>,
        ranges: &[(u32, u32)],
        pages: &mut [(&mut KvPages, &Range<usize>)],
        rows: StepRows,
    ) -> Result<Tensor> {
        let maps = [&self.query, &self.key, &self.value];
        let projected = Projection::infer_each(x, maps, rows)?;
        let (query, key, value) = self.place(projected, positions)?;
        for (pages, span) in &mut *pages {
            pages.append(&key, &value, span.clone())?;
        }
        let texts = pages.iter().map(|(pages, span)| PagedText {
            pages: vec![&**pages],
            ranges: &ranges[(*span).clone()],
        });
        let texts: Vec<PagedText<'_>> = texts.collect();
        let slopes = match positions {
            Positions::Slopes(slopes) => Some(slopes),
            Positions::Rotary(_) | Positions::Learned => None,
        };
        let mixed = paged_attention(&query, &texts, self.scale, slopes)?; // (n, H, K)
        self.output.infer(&mixed.flatten_from(1)?, rows) // (n, D)
    }

    /// Queries (S, H, K), keys and values (S, KV, K) of projected rows, turned to their positions.
    fn place(
        &self,
        [mut query, mut key, mut value]: [Tensor; 3], // (S, H * K), (S, KV * K) twice
        positions: Positions<'_>,
    ) -> Result<(Tensor, Tensor, Tensor)> {
        let (rows, _) = query.dims2()?;
        if let Some((QkNorm::Full, query_norm, key_norm)) = &self.qk_norm {
            (query, key) = (query_norm.forward(&query)?, key_norm.forward(&key)?);
        }
        let kv_shape = (rows, self.num_kv_heads, self.head_dim);
        query = query.reshape((rows, self.num_heads, self.head_dim))?; // (S, H, K)
        key = key.reshape(kv_shape)?; // (S, KV, K)
        value = value.reshape(kv_shape)?;
        if let Some((QkNorm::Head, query_norm, key_norm)) = &self.qk_norm {
            (query, key) = (query_norm.forward(&query)?, key_norm.forward(&key)?);
        }
        if let Some(most) = self.clip_qkv {
            query = query.clamp(-most, most)?;
            key = key.clamp(-most, most)?;
            value = value.clamp(-most, most)?;
        }
        match positions {
            Positions::Rotary(angles) => Ok((rope(&query, angles)?, rope(&key, angles)?, value)),
            Positions::Slopes(_) | Positions::Learned => Ok((query, key, value)),
        }
    }
}
