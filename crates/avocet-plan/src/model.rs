//! What a planner must know of a model: widths and counts, no tensor.

use serde::{Deserialize, Serialize};

use crate::error::{Result, refuse};

/// Shape of a model.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ModelShape {
    /// What the model is called.
    pub name: String,
    /// Width of the residual stream.
    pub dim: u64,
    /// Decoder layers.
    pub num_layers: u64,
    /// Token ids.
    pub vocab_size: u64,
    /// Rows of the output head.
    pub num_outputs: u64,
    /// Whether the output head is the embedding table.
    pub tied_embeddings: bool,
    /// Longest text, in tokens.
    pub max_context: u64,
    /// Self-attention of every layer.
    pub attention: Attention,
    /// The dense feed-forward, of every layer or of `num_dense_layers` beside a mixture.
    pub feed_forward: Option<FeedForward>,
    /// The mixture of experts.
    pub mixture: Option<Mixture>,
    /// Layers with the dense feed-forward although the others have a mixture.
    pub num_dense_layers: u64,
    /// Numbers of one norm, as a multiple of the width: 1 for a scale, 2 with a bias.
    pub norm_vectors: u64,
    /// Norms of a layer.
    pub norms_per_layer: u64,
    /// Everything small that a layer's attention has beside its matrices: biases, norms of heads.
    pub attention_vectors: u64,
    /// Biases of a layer's dense feed-forward.
    pub feed_forward_vectors: u64,
    /// Parameters of the embedding and the head beside their two tables: learned positions, a bias.
    pub embedding_extra: u64,
    /// The layers through which the decoder sees images.
    pub cross: Option<CrossAttention>,
    /// The image tower.
    pub vision: Option<Vision>,
}

/// Self-attention.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Attention {
    /// Query heads that share key/value heads: multi-head, grouped-query and multi-query.
    Heads {
        /// Query heads.
        num_heads: u64,
        /// Key/value heads.
        num_kv_heads: u64,
        /// Width of a head.
        head_dim: u64,
    },
    /// Multi-head latent attention (DeepSeek-V2, arXiv:2405.04434): keys and values are expanded
    /// from one short vector a token.
    Latent {
        /// Query heads.
        num_heads: u64,
        /// Width queries are compressed to.
        query_rank: u64,
        /// Width keys and values are compressed to.
        kv_rank: u64,
        /// Components of a head's query and key that turn with position.
        rope_dim: u64,
        /// Components that do not.
        nope_dim: u64,
        /// Width of a head's value.
        value_dim: u64,
    },
}

/// A feed-forward block.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FeedForward {
    /// Hidden width.
    pub width: u64,
    /// Matrices, each width times model width: 3 for SwiGLU, 2 otherwise.
    pub matrices: u64,
}

/// A mixture of experts.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Mixture {
    /// Experts of a layer.
    pub num_experts: u64,
    /// Experts that a token visits.
    pub top_k: u64,
    /// One expert.
    pub expert: FeedForward,
    /// Hidden width of the experts that every token visits, 0 without any.
    pub shared_width: u64,
    /// Parameters of the gate of the shared expert.
    pub shared_gate: u64,
    /// Routing limited to nodes: groups of experts, and how many of them a token visits
    /// (DeepSeek-V3, arXiv:2412.19437, section 2.1.2).
    pub groups: Option<(u64, u64)>,
}

/// Gated cross-attention layers.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CrossAttention {
    /// How many there are.
    pub num_layers: u64,
    /// Query heads.
    pub num_heads: u64,
    /// Key/value heads.
    pub num_kv_heads: u64,
    /// Width of a head.
    pub head_dim: u64,
    /// Their feed-forward.
    pub feed_forward: FeedForward,
    /// Norms, gates and biases of one layer.
    pub vectors: u64,
}

/// An image tower.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Vision {
    /// Transformer blocks.
    pub num_layers: u64,
    /// Width.
    pub dim: u64,
    /// Feed-forward of a block.
    pub feed_forward: FeedForward,
    /// Norms, biases and small convolutions of a block.
    pub block_vectors: u64,
    /// Everything outside the blocks: stem, positions, last norms and projections.
    pub stem: u64,
    /// Numbers that the stem makes of one patch, all its layers together.
    pub stem_outputs: u64,
    /// Most patches of an image.
    pub max_patches: u64,
    /// Width of what is handed to the decoder.
    pub output_dim: u64,
    /// Reduces an image to a fixed number of rows.
    pub resampler: Option<Resampler>,
}

/// A resampler between image tower and decoder.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Resampler {
    /// Rows an image is reduced to.
    pub num_latents: u64,
    /// Layers.
    pub num_layers: u64,
    /// Width of all heads together.
    pub inner_dim: u64,
    /// Feed-forward of a layer.
    pub feed_forward: FeedForward,
    /// Norms and biases of a layer.
    pub layer_vectors: u64,
    /// Everything outside the layers: the latents and last norms.
    pub extra: u64,
}

impl Attention {
    /// Query heads.
    pub fn num_heads(&self) -> u64 {
        match self {
            Self::Heads { num_heads, .. } | Self::Latent { num_heads, .. } => *num_heads,
        }
    }

    /// Key/value heads that a tensor group can share out; a latent vector is whole.
    pub fn num_kv_heads(&self) -> u64 {
        match self {
            Self::Heads { num_kv_heads, .. } => *num_kv_heads,
            Self::Latent { .. } => 1,
        }
    }

    /// Numbers of a layer's attention matrices.
    pub(crate) fn matrix_parameters(&self, dim: u64) -> u64 {
        match *self {
            Self::Heads {
                num_heads,
                num_kv_heads,
                head_dim,
            } => 2 * dim * (num_heads + num_kv_heads) * head_dim,
            Self::Latent {
                num_heads,
                query_rank,
                kv_rank,
                rope_dim,
                nope_dim,
                value_dim,
            } => {
                dim * (query_rank + kv_rank + rope_dim)
                    + query_rank * num_heads * (nope_dim + rope_dim)
                    + kv_rank * num_heads * (nope_dim + value_dim)
                    + num_heads * value_dim * dim
            }
        }
    }

    /// Width of all queries together.
    pub fn query_width(&self) -> u64 {
        match *self {
            Self::Heads {
                num_heads,
                head_dim,
                ..
            } => num_heads * head_dim,
            Self::Latent {
                num_heads,
                rope_dim,
                nope_dim,
                ..
            } => num_heads * (rope_dim + nope_dim),
        }
    }

    /// Multiply-adds of one query, over all heads, with one key and its value.
    pub(crate) fn score_work(&self) -> u64 {
        match *self {
            Self::Heads {
                num_heads,
                head_dim,
                ..
            } => 2 * num_heads * head_dim,
            Self::Latent {
                num_heads,
                rope_dim,
                nope_dim,
                value_dim,
                ..
            } => num_heads * (rope_dim + nope_dim + value_dim),
        }
    }

    /// Numbers remembered for a token in one layer.
    pub(crate) fn cached_numbers(&self) -> u64 {
        match *self {
            Self::Heads {
                num_kv_heads,
                head_dim,
                ..
            } => 2 * num_kv_heads * head_dim,
            Self::Latent {
                kv_rank, rope_dim, ..
            } => kv_rank + rope_dim,
        }
    }
}

impl FeedForward {
    /// Numbers of its matrices.
    pub fn parameters(&self, dim: u64) -> u64 {
        self.matrices * dim * self.width
    }
}

impl ModelShape {
    /// Layers that have a mixture.
    pub(crate) fn num_mixture_layers(&self) -> u64 {
        match self.mixture {
            Some(_) => self.num_layers - self.num_dense_layers,
            None => 0,
        }
    }

    /// Bytes of keys and values of one token over all layers, `bytes` a number.
    pub fn kv_bytes(&self, bytes: f64) -> f64 {
        (self.num_layers * self.attention.cached_numbers()) as f64 * bytes
    }

    /// Errors if a size is 0 or two of them cannot be.
    pub fn validate(&self) -> Result<()> {
        for (what, value) in [
            ("model: dim", self.dim),
            ("model: num_layers", self.num_layers),
            ("model: vocab_size", self.vocab_size),
            ("model: num_outputs", self.num_outputs),
            ("model: max_context", self.max_context),
            ("model: num_heads", self.attention.num_heads()),
        ] {
            if value == 0 || value > 1 << 32 {
                return refuse(what, format!("is {value}, must be 1 to {}", 1u64 << 32));
            }
        }
        if self.num_dense_layers > self.num_layers {
            return refuse(
                "model: num_dense_layers",
                format!(
                    "is {}, of {} layers",
                    self.num_dense_layers, self.num_layers
                ),
            );
        }
        if let Some(mixture) = &self.mixture
            && (mixture.top_k == 0 || mixture.top_k > mixture.num_experts)
        {
            let reason = format!("is {}, of {} experts", mixture.top_k, mixture.num_experts);
            return refuse("model: top_k", reason);
        }
        if self.feed_forward.is_none() && self.mixture.is_none() {
            return refuse("model", "has neither a feed-forward nor experts");
        }
        Ok(())
    }
}
