//! The text tower: embedding, layers, final norm and head.

use avocet_kernels::{KeyRanges, RopeAngles, embedding, linear, rms_norm};
use candle_core::{Result, Tensor};
use candle_nn::VarBuilder;

use crate::cache::LayerCache;
use crate::config::DecoderConfig;
use crate::init;
use crate::moe::{MixtureOfExperts, RouterStats};
use crate::self_attention::SelfAttention;
use crate::swiglu::SwiGlu;

/// The second part of a decoder layer.
#[derive(Debug, Clone)]
enum FeedForward {
    Dense(SwiGlu),
    Experts(MixtureOfExperts),
}

/// A pre-norm decoder layer: rotary self-attention, then a feed-forward part.
#[derive(Debug, Clone)]
pub struct DecoderLayer {
    attention_norm: Tensor,
    attention: SelfAttention,
    ff_norm: Tensor,
    ff: FeedForward,
    eps: f64,
}

impl DecoderLayer {
    /// Makes one layer of the tower.
    pub fn new(config: &DecoderConfig, vb: VarBuilder) -> Result<Self> {
        let num_writers = 2 * config.num_layers;
        let heads = (config.num_heads, config.num_kv_heads, config.head_dim);
        let attention_norm = init::norm(&vb, config.dim, "attention_norm")?;
        let attention = SelfAttention::new(config.dim, heads, num_writers, vb.pp("attention"))?;
        let (ff_norm, ff) = match &config.moe {
            Some(moe) => {
                let norm = init::norm(&vb, config.dim, "moe_norm")?;
                let experts = MixtureOfExperts::new(config.dim, moe, num_writers, vb.pp("moe"))?;
                (norm, FeedForward::Experts(experts))
            }
            None => {
                let norm = init::norm(&vb, config.dim, "ff_norm")?;
                let width = config.ff_dim.unwrap_or(0);
                let dense = SwiGlu::new(config.dim, width, num_writers, vb.pp("ff"))?;
                (norm, FeedForward::Dense(dense))
            }
        };
        Ok(Self {
            attention_norm,
            attention,
            ff_norm,
            ff,
            eps: config.norm_eps,
        })
    }

    /// Maps packed `x` (T, D) to (T, D), and says what the router did, if there is one.
    pub fn forward(
        &self,
        x: &Tensor,
        angles: &RopeAngles,
        ranges: &KeyRanges,
    ) -> Result<(Tensor, Option<RouterStats>)> {
        let normed = rms_norm(x, &self.attention_norm, self.eps)?;
        let x = (x + self.attention.forward(&normed, angles, ranges)?)?; // (T, D)
        let normed = rms_norm(&x, &self.ff_norm, self.eps)?;
        let (fed, stats) = match &self.ff {
            FeedForward::Dense(dense) => (dense.forward(&normed)?, None),
            FeedForward::Experts(experts) => {
                let (fed, stats) = experts.forward(&normed)?;
                (fed, Some(stats))
            }
        };
        Ok(((x + fed)?, stats))
    }

    /// Maps the rows `x` (n, D) that follow `past` cached ones to (n, D).
    pub(crate) fn forward_cached(
        &self,
        x: &Tensor,
        angles: &RopeAngles,
        ranges: &KeyRanges,
        cache: &mut LayerCache,
        past: usize,
    ) -> Result<Tensor> {
        let normed = rms_norm(x, &self.attention_norm, self.eps)?;
        let attended = self
            .attention
            .forward_cached(&normed, angles, ranges, cache, past)?;
        let x = (x + attended)?; // (n, D)
        let normed = rms_norm(&x, &self.ff_norm, self.eps)?;
        match &self.ff {
            FeedForward::Dense(dense) => x + dense.forward(&normed)?,
            FeedForward::Experts(experts) => {
                let (fed, load) = experts.infer(&normed)?;
                cache.count(&load);
                x + fed
            }
        }
    }
}

/// The decoder, but for the loop over its layers, which belongs to the model because
/// cross-attention layers sit between them.
#[derive(Debug, Clone)]
pub struct Decoder {
    embedding: Tensor,
    pub(crate) layers: Vec<DecoderLayer>,
    norm: Tensor,
    head: Option<Tensor>,
    eps: f64,
}

impl Decoder {
    /// Makes the tower.
    pub fn new(config: &DecoderConfig, vb: VarBuilder) -> Result<Self> {
        let layers = vb.pp("layers");
        let layer = |index| DecoderLayer::new(config, layers.pp(index));
        let head = || init::matrix(&vb, (config.vocab_size, config.dim), "head");
        Ok(Self {
            embedding: init::table(&vb, config.vocab_size, config.dim, "embedding")?,
            layers: (0..config.num_layers).map(layer).collect::<Result<_>>()?,
            norm: init::norm(&vb, config.dim, "norm")?,
            head: (!config.tied_embeddings).then(head).transpose()?,
            eps: config.norm_eps,
        })
    }

    /// Embeddings (T, D) of `ids`.
    ///
    /// Errors if an id is not below the vocabulary's size.
    pub fn embed(&self, ids: &[u32]) -> Result<Tensor> {
        embedding(&self.embedding, ids)
    }

    /// The final norm of `x` (T, D).
    pub fn finish(&self, x: &Tensor) -> Result<Tensor> {
        rms_norm(x, &self.norm, self.eps)
    }

    /// The output head (V, D): the embedding table when they are tied.
    pub fn head(&self) -> &Tensor {
        self.head.as_ref().unwrap_or(&self.embedding)
    }

    /// Logits (T, V) of `hidden` (T, D).
    pub fn logits(&self, hidden: &Tensor) -> Result<Tensor> {
        linear(hidden, self.head())
    }
}
