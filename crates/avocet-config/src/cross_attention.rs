//! Shape of the layers through which text sees images, and of the resampler before them.

use serde::{Deserialize, Serialize};

use crate::check::{
    LARGEST_SIZE, below, divides, is_default, layers, positive, product, refuse, size,
};
use crate::error::ConfigError;
use crate::kinds::{FeedForwardKind, NormKind, WithoutImage};

/// Shape of the gated cross-attention layers.
///
/// Fields from `norm` on have defaults, which are those of our own models; the public families
/// differ in them.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct CrossAttentionConfig {
    /// One cross-attention layer for so many decoder layers, before the last of them. Must divide
    /// `decoder.num_layers`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub every: Option<usize>,
    /// The decoder layers that a cross-attention layer stands before, if not by `every`; the
    /// number of layers stands for the end.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub before: Option<Vec<usize>>,
    /// Query heads.
    pub num_heads: usize,
    /// Key/value heads. Must divide `num_heads`.
    pub num_kv_heads: usize,
    /// Width of a head.
    pub head_dim: usize,
    /// Hidden width of the layer's own feed-forward.
    pub ff_dim: usize,
    /// What both gates start at, before tanh; 0 is closed.
    pub initial_gate: f64,
    /// The kind of all norms.
    #[serde(default, skip_serializing_if = "is_default")]
    pub norm: NormKind,
    /// Added to the mean square inside the norms, if not what the decoder adds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub norm_eps: Option<f64>,
    /// Whether each layer normalises the latents.
    #[serde(default = "yes", skip_serializing_if = "is_true")]
    pub latent_norm: bool,
    /// Whether the queries and keys of each head are normalised.
    #[serde(default, skip_serializing_if = "is_default")]
    pub qk_norm: bool,
    /// The kind of the feed-forward.
    #[serde(default, skip_serializing_if = "is_default")]
    pub ff: FeedForwardKind,
    /// Whether gates have one opening a channel.
    #[serde(default, skip_serializing_if = "is_default")]
    pub vector_gates: bool,
    /// What happens to a token that sees no image.
    #[serde(default, skip_serializing_if = "is_default")]
    pub without_image: WithoutImage,
}

/// Shape of the resampler.
///
/// Fields from `norm` on have defaults, which are those of our own models.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ResamplerConfig {
    /// Latents an image is reduced to.
    pub num_latents: usize,
    /// Number of layers.
    pub num_layers: usize,
    /// Attention heads.
    pub num_heads: usize,
    /// Hidden width of a layer's feed-forward.
    pub ff_dim: usize,
    /// Width of a head, if not the tower's width over `num_heads`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub head_dim: Option<usize>,
    /// The kind of all norms.
    #[serde(default, skip_serializing_if = "is_default")]
    pub norm: NormKind,
    /// Added to the mean square inside the norms, if not what the vision tower adds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub norm_eps: Option<f64>,
    /// Whether the queries and keys of each head are normalised.
    #[serde(default, skip_serializing_if = "is_default")]
    pub qk_norm: bool,
    /// The kind of the feed-forward.
    #[serde(default, skip_serializing_if = "is_default")]
    pub ff: FeedForwardKind,
}

fn yes() -> bool {
    true
}

fn is_true(value: &bool) -> bool {
    *value
}

impl CrossAttentionConfig {
    /// The decoder layers that a cross-attention layer stands before, rising.
    pub fn places(&self, num_layers: usize) -> Vec<usize> {
        match (&self.before, self.every) {
            (Some(before), _) => before.clone(),
            (None, Some(every)) => (1..=num_layers / every).map(|i| i * every - 1).collect(),
            (None, None) => Vec::new(),
        }
    }

    pub(crate) fn validate(&self, num_layers: usize) -> Result<(), ConfigError> {
        match (self.every, &self.before) {
            (Some(every), None) => divides(
                "cross_attention.every",
                every,
                "decoder.num_layers",
                num_layers,
            )?,
            (None, Some(before)) => below("cross_attention.before", before, num_layers + 1)?,
            (Some(_), Some(_)) => {
                return refuse("cross_attention.every", "stands beside before".into());
            }
            (None, None) => {
                return refuse("cross_attention", "has neither every nor before".into());
            }
        }
        size("cross_attention.num_heads", self.num_heads)?;
        divides(
            "cross_attention.num_kv_heads",
            self.num_kv_heads,
            "num_heads",
            self.num_heads,
        )?;
        size("cross_attention.head_dim", self.head_dim)?;
        product(
            "cross_attention.num_heads * head_dim",
            &[self.num_heads, self.head_dim],
            LARGEST_SIZE,
        )?;
        size("cross_attention.ff_dim", self.ff_dim)?;
        if let Some(eps) = self.norm_eps {
            positive("cross_attention.norm_eps", eps)?;
        }
        if !self.initial_gate.is_finite() {
            return refuse(
                "cross_attention.initial_gate",
                "is not a finite number".into(),
            );
        }
        Ok(())
    }
}

impl ResamplerConfig {
    pub(crate) fn validate(&self, dim: usize) -> Result<(), ConfigError> {
        size("resampler.num_latents", self.num_latents)?;
        layers("resampler.num_layers", self.num_layers)?;
        match self.head_dim {
            Some(width) => {
                size("resampler.num_heads", self.num_heads)?;
                size("resampler.head_dim", width)?;
                product(
                    "resampler.num_heads * head_dim",
                    &[self.num_heads, width],
                    LARGEST_SIZE,
                )?;
            }
            None => divides("resampler.num_heads", self.num_heads, "vision.dim", dim)?,
        }
        if let Some(eps) = self.norm_eps {
            positive("resampler.norm_eps", eps)?;
        }
        size("resampler.ff_dim", self.ff_dim)
    }
}
