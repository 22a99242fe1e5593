//! The text tower: embedding, layers, final norm and head.

use std::ops::Range;

use avocet_kernels::{KeyRanges, KvPages, StepRows, Weight};
use candle_core::{Result, Tensor};

use crate::builder::Builder;
use crate::feed_forward::FeedForward;
use crate::init;
use crate::moe::{MixtureOfExperts, RouterStats};
use crate::norm::Norm;
use crate::self_attention::{AttentionShape, Positions, SelfAttention};
use avocet_config::DecoderConfig;

/// The feed-forward part of a decoder layer: one network, or a mixture of experts.
#[derive(Debug, Clone)]
enum LayerFeedForward {
    Dense(FeedForward),
    Experts(MixtureOfExperts),
}

/// A pre-norm decoder layer: self-attention, then a feed-forward part; or both side by side.
#[derive(Debug, Clone)]
pub struct DecoderLayer {
    attention_norm: Norm,
    attention: SelfAttention,
    ff_norm: Norm,
    ff: LayerFeedForward,
    parallel: bool,
    residual: f64,
}

impl DecoderLayer {
    /// Makes layer `index` of the tower.
    pub fn new(config: &DecoderConfig, index: usize, builder: Builder) -> Result<Self> {
        let num_residual_layers = 2 * config.num_layers;
        let shape = AttentionShape {
            dim: config.dim,
            num_heads: config.num_heads,
            num_kv_heads: config.num_kv_heads,
            head_dim: config.head_dim,
            num_residual_layers,
            bias: config.attention.bias,
            output_bias: config.attention.output_bias,
            qk_norm: config.attention.qk_norm,
            norm: config.norm,
            eps: config.norm_eps,
            clip_qkv: config.attention.clip_qkv,
            scale: config.attention.scale,
        };
        let norm = |name| Norm::new(config.norm, config.dim, config.norm_eps, &builder, name);
        let attention_norm = norm("attention_norm")?;
        let attention = SelfAttention::new(&shape, builder.pp("attention"))?;
        let (ff_norm, ff) = match config.moe_of(index) {
            Some(moe) => {
                let builder = builder.pp("moe");
                let experts = MixtureOfExperts::new(config.dim, moe, num_residual_layers, builder)?;
                (norm("moe_norm")?, LayerFeedForward::Experts(experts))
            }
            None => {
                let widths = (config.dim, config.ff_dim.unwrap_or(0));
                let (kind, bias) = (config.ff, config.ff_bias);
                let dense =
                    FeedForward::new(kind, widths, bias, num_residual_layers, builder.pp("ff"))?;
                (norm("ff_norm")?, LayerFeedForward::Dense(dense))
            }
        };
        Ok(Self {
            attention_norm,
            attention,
            ff_norm,
            ff,
            parallel: config.parallel_residual,
            residual: config.multipliers.residual,
        })
    }

    /// Maps packed `x` (T, D) to (T, D), and says what the router did, if there is one.
    pub fn forward(
        &self,
        x: &Tensor,
        positions: Positions<'_>,
        ranges: &KeyRanges,
    ) -> Result<(Tensor, Option<RouterStats>)> {
        let normed = self.attention_norm.forward(x)?;
        let attended = self.attention.forward(&normed, positions, ranges)?;
        self.finish(x, &attended, |normed| match &self.ff {
            LayerFeedForward::Dense(dense) => Ok((dense.forward(normed)?, None)),
            LayerFeedForward::Experts(experts) => {
                let (fed, stats) = experts.forward(normed)?;
                Ok((fed, Some(stats)))
            }
        })
    }

    /// Maps the rows `x` (n, D) of several texts to (n, D), as [`SelfAttention::step`] does.
    pub(crate) fn step(
        &self,
        x: &Tensor,
        positions: Positions<'_>,
        ranges: &[(u32, u32)],
        pages: &mut [(&mut KvPages, &Range<usize>)],
        rows: StepRows,
    ) -> Result<Tensor> {
        let normed = self.attention_norm.forward(x)?;
        let attended = (self.attention).step(&normed, positions, ranges, pages, rows)?;
        let (x, ()) = self.finish(x, &attended, |normed| match &self.ff {
            LayerFeedForward::Dense(dense) => Ok((dense.infer(normed, rows)?, ())),
            LayerFeedForward::Experts(experts) => Ok((experts.infer(normed, rows)?, ())),
        })?;
        Ok(x)
    }

    /// What follows attention: `ff` maps normed rows to what they add, and something beside.
    fn finish<T>(
        &self,
        x: &Tensor,
        attended: &Tensor,
        ff: impl FnOnce(&Tensor) -> Result<(Tensor, T)>,
    ) -> Result<(Tensor, T)> {
        if self.parallel {
            let (fed, beside) = ff(&self.ff_norm.forward(x)?)?;
            return Ok(((self.add(x, attended)? + self.scaled(&fed)?)?, beside));
        }
        let x = self.add(x, attended)?; // (T, D)
        let (fed, beside) = ff(&self.ff_norm.forward(&x)?)?;
        Ok((self.add(&x, &fed)?, beside))
    }

    fn add(&self, x: &Tensor, more: &Tensor) -> Result<Tensor> {
        x + self.scaled(more)?
    }

    fn scaled(&self, more: &Tensor) -> Result<Tensor> {
        if self.residual == 1.0 {
            Ok(more.clone())
        } else {
            more * self.residual
        }
    }
}

/// The decoder, but for the loop over its layers, which belongs to the model because
/// cross-attention layers sit between them.
#[derive(Debug, Clone)]
pub struct Decoder {
    embedding: Weight,
    pub(crate) layers: Vec<DecoderLayer>,
    norm: Norm,
    head: Option<Weight>,
    head_bias: Option<Tensor>,
    embedding_multiplier: f64,
    logits_divisor: f64,
}

impl Decoder {
    /// Makes the tower.
    pub fn new(config: &DecoderConfig, builder: Builder) -> Result<Self> {
        let layers = builder.pp("layers");
        let layer = |index| DecoderLayer::new(config, index, layers.pp(index));
        let num_outputs = config.num_outputs();
        let head = || init::head(&builder, (num_outputs, config.dim));
        let bias = || init::bias(&builder, num_outputs, "head_bias");
        Ok(Self {
            embedding: init::table(&builder, config.vocab_size, config.dim, "embedding")?,
            layers: (0..config.num_layers).map(layer).collect::<Result<_>>()?,
            norm: Norm::new(config.norm, config.dim, config.norm_eps, &builder, "norm")?,
            head: (!config.tied_embeddings).then(head).transpose()?,
            head_bias: config.head_bias.then(bias).transpose()?,
            embedding_multiplier: config.multipliers.embedding,
            logits_divisor: config.multipliers.logits_divisor,
        })
    }

    /// Embeddings (T, D) of `ids`.
    ///
    /// Errors if an id is not below the vocabulary's size.
    pub fn embed(&self, ids: &[u32]) -> Result<Tensor> {
        let rows = self.embedding.embedding(ids)?;
        if self.embedding_multiplier == 1.0 {
            Ok(rows)
        } else {
            rows * self.embedding_multiplier
        }
    }

    /// The final norm of `x` (T, D).
    pub fn finish(&self, x: &Tensor) -> Result<Tensor> {
        self.norm.forward(x)
    }

    /// The table of embeddings (V, D).
    pub fn table(&self) -> &Weight {
        &self.embedding
    }

    /// The output head (V, D): the embedding table when they are tied.
    pub fn head(&self) -> &Weight {
        self.head.as_ref().unwrap_or(&self.embedding)
    }

    /// Logits (T, V) of `hidden` (T, D).
    pub fn logits(&self, hidden: &Tensor) -> Result<Tensor> {
        self.divided(match &self.head_bias {
            Some(bias) => self.head().linear_bias(hidden, bias)?,
            None => self.head().linear(hidden)?,
        })
    }

    /// As [`Decoder::logits`], for inference.
    pub fn infer_logits(&self, hidden: &Tensor, rows: StepRows) -> Result<Tensor> {
        self.divided(match &self.head_bias {
            Some(bias) => self.head().infer_bias(hidden, bias, rows)?,
            None => self.head().infer(hidden, rows)?,
        })
    }

    fn divided(&self, logits: Tensor) -> Result<Tensor> {
        if self.logits_divisor == 1.0 {
            Ok(logits)
        } else {
            logits / self.logits_divisor
        }
    }
}
