//! Shape of the text tower.

use serde::{Deserialize, Serialize};

use crate::check::{
    LARGEST_SIZE, below, divides, is_default, layers, multiple, positive, product, refuse, size,
};
use crate::error::ConfigError;
use crate::kinds::{FeedForwardKind, NormKind, QkNorm, RopeScaling, Routing};

/// Most experts of all layers together. Each is named one by one.
const MOST_EXPERTS: usize = 1 << 18;

/// Most numbers of the experts' matrices of one layer, so that those of all layers can be counted.
const LARGEST_STACK: usize = 1 << 44;

/// Shape of the decoder. Each layer is self-attention followed by a feed-forward part: either a
/// dense one, `ff_dim` wide, or a mixture of experts, `moe`.
///
/// Fields from `norm` on have defaults, which are those of Llama and of our own models; the
/// decoders of other families differ in some of them.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct DecoderConfig {
    /// Number of token ids.
    pub vocab_size: usize,
    /// Width of the residual stream.
    pub dim: usize,
    /// Number of layers.
    pub num_layers: usize,
    /// Query heads.
    pub num_heads: usize,
    /// Key/value heads; 1 is multi-query attention. Must divide `num_heads`.
    pub num_kv_heads: usize,
    /// Width of a head; `num_heads * head_dim` may differ from `dim`.
    pub head_dim: usize,
    /// Base of the rotary frequencies; without meaning beside `alibi_max_bias`.
    pub rope_theta: f64,
    /// Longest text, in tokens.
    pub max_context: usize,
    /// Added to the mean square inside every norm.
    pub norm_eps: f64,
    /// Whether the output head is the embedding table.
    pub tied_embeddings: bool,
    /// Hidden width of each layer's dense feed-forward, if it has no experts.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ff_dim: Option<usize>,
    /// The kind of all norms.
    #[serde(default, skip_serializing_if = "is_default")]
    pub norm: NormKind,
    /// The kind of the dense feed-forward.
    #[serde(default, skip_serializing_if = "is_default")]
    pub ff: FeedForwardKind,
    /// Whether the matrices of the dense feed-forward have biases.
    #[serde(default, skip_serializing_if = "is_default")]
    pub ff_bias: bool,
    /// Whether attention and feed-forward both read the layer's input, and are added together.
    #[serde(default, skip_serializing_if = "is_default")]
    pub parallel_residual: bool,
    /// Rows of the output head, if fewer than token ids: the last ones are never predicted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub head_size: Option<usize>,
    /// Whether the output head has a bias.
    #[serde(default, skip_serializing_if = "is_default")]
    pub head_bias: bool,
    /// Layers that have the dense feed-forward although the others have experts.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub dense_layers: Vec<usize>,
    /// Positions by a penalty on distance instead of rotation (ALiBi, arXiv:2108.12409): the
    /// largest exponent of a slope.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub alibi_max_bias: Option<f64>,
    /// How self-attention differs.
    #[serde(default, skip_serializing_if = "is_default")]
    pub attention: AttentionConfig,
    /// How rotary positions differ.
    #[serde(default, skip_serializing_if = "is_default")]
    pub rope: RopeConfig,
    /// Constants that scale the stream.
    #[serde(default, skip_serializing_if = "is_default")]
    pub multipliers: Multipliers,
    /// Each layer's mixture of experts, if it has no dense feed-forward.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub moe: Option<MoeConfig>,
}

/// How a decoder's self-attention differs from Llama's.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct AttentionConfig {
    /// Whether queries, keys and values have biases.
    pub bias: bool,
    /// Whether the output projection has one.
    pub output_bias: bool,
    /// What queries and keys are normalised over.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub qk_norm: Option<QkNorm>,
    /// Queries, keys and values are cut to within this of 0, after any norm.
    #[serde(rename = "limit", skip_serializing_if = "Option::is_none")]
    pub clip_qkv: Option<f64>,
    /// A token sees so many tokens, itself included; absent means all before it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub window: Option<usize>,
    /// What scores are multiplied by, if not `1 / sqrt(head_dim)`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub scale: Option<f64>,
}

/// How a decoder's rotary positions differ from Llama's first.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct RopeConfig {
    /// Components of a head that turn, if not all; an even number, from the first.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub dims: Option<usize>,
    /// Whether pairs are neighbours, as in GGUF files of Llama, instead of half a head apart.
    pub interleaved: bool,
    /// How frequencies are stretched.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub scaling: Option<RopeScaling>,
}

/// Constants that scale the stream, as in Granite.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Multipliers {
    /// Of the embeddings.
    pub embedding: f64,
    /// Of what each block adds to the stream.
    pub residual: f64,
    /// What logits are divided by.
    pub logits_divisor: f64,
}

impl Default for Multipliers {
    fn default() -> Self {
        Self {
            embedding: 1.0,
            residual: 1.0,
            logits_divisor: 1.0,
        }
    }
}

/// Shape of a mixture of SwiGLU experts.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct MoeConfig {
    /// Number of experts.
    pub num_experts: usize,
    /// Experts that each token visits.
    pub top_k: usize,
    /// Hidden width of one expert.
    pub expert_dim: usize,
    /// Most tokens an expert takes, as a multiple of an equal share; absent means dropless.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub capacity_factor: Option<f64>,
    /// Whether a bias that no gradient trains steers the choice of experts
    /// (arXiv:2408.15664).
    #[serde(default)]
    pub loss_free_bias: bool,
    /// How scores become weights.
    #[serde(default, skip_serializing_if = "is_default")]
    pub routing: Routing,
    /// Hidden width of an expert that every token visits, through a gate of its own, if there is
    /// one (arXiv:2401.06066; Qwen's gate is a sigmoid).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub shared_dim: Option<usize>,
}

impl DecoderConfig {
    /// Rows of the output head.
    pub fn num_outputs(&self) -> usize {
        self.head_size.unwrap_or(self.vocab_size)
    }

    /// The mixture of layer `index`, if that layer has one.
    pub fn moe_of(&self, index: usize) -> Option<&MoeConfig> {
        self.moe
            .as_ref()
            .filter(|_| !self.dense_layers.contains(&index))
    }

    /// Components of a head that turn.
    pub fn rope_dims(&self) -> usize {
        self.rope.dims.unwrap_or(self.head_dim)
    }

    pub(crate) fn validate(&self) -> Result<(), ConfigError> {
        size("decoder.vocab_size", self.vocab_size)?;
        size("decoder.dim", self.dim)?;
        layers("decoder.num_layers", self.num_layers)?;
        size("decoder.num_heads", self.num_heads)?;
        divides(
            "decoder.num_kv_heads",
            self.num_kv_heads,
            "num_heads",
            self.num_heads,
        )?;
        multiple("decoder.head_dim", self.head_dim, 2)?;
        product(
            "decoder.num_heads * head_dim",
            &[self.num_heads, self.head_dim],
            LARGEST_SIZE,
        )?;
        positive("decoder.rope_theta", self.rope_theta)?;
        size("decoder.max_context", self.max_context)?;
        positive("decoder.norm_eps", self.norm_eps)?;
        if let Some(rows) = self.head_size {
            size("decoder.head_size", rows)?;
            if rows > self.vocab_size || (self.tied_embeddings && rows != self.vocab_size) {
                let reason = format!("is {rows}, but there are {} token ids", self.vocab_size);
                return refuse("decoder.head_size", reason);
            }
        }
        self.attention.validate()?;
        self.rope.validate(self.head_dim)?;
        self.multipliers.validate()?;
        if let Some(bias) = self.alibi_max_bias {
            positive("decoder.alibi_max_bias", bias)?;
        }
        below("decoder.dense_layers", &self.dense_layers, self.num_layers)?;
        if let Some(moe) = &self.moe {
            product(
                "decoder.num_layers * moe.num_experts",
                &[self.num_layers, moe.num_experts],
                MOST_EXPERTS,
            )?;
            product(
                "decoder.moe.num_experts * expert_dim * decoder.dim",
                &[moe.num_experts, moe.expert_dim, self.dim],
                LARGEST_STACK,
            )?;
        }
        match (self.ff_dim, &self.moe) {
            (Some(width), None) => size("decoder.ff_dim", width),
            (None, Some(moe)) if self.dense_layers.is_empty() => moe.validate(),
            (Some(width), Some(moe)) if !self.dense_layers.is_empty() => {
                size("decoder.ff_dim", width)?;
                moe.validate()
            }
            (Some(_), Some(_)) => refuse(
                "decoder.ff_dim",
                "stands beside decoder.moe without dense_layers".into(),
            ),
            (None, Some(_)) => refuse("decoder.dense_layers", "need an ff_dim".into()),
            (None, None) => refuse("decoder", "has neither ff_dim nor [decoder.moe]".into()),
        }
    }
}

impl AttentionConfig {
    fn validate(&self) -> Result<(), ConfigError> {
        if let Some(most) = self.clip_qkv {
            positive("decoder.attention.limit", most)?;
        }
        if let Some(window) = self.window {
            size("decoder.attention.window", window)?;
        }
        self.scale
            .map_or(Ok(()), |scale| positive("decoder.attention.scale", scale))
    }
}

impl RopeConfig {
    fn validate(&self, head_dim: usize) -> Result<(), ConfigError> {
        const FIELD: &str = "decoder.rope.scaling";
        let dims = self.dims.unwrap_or(head_dim);
        multiple("decoder.rope.dims", dims, 2)?;
        if dims > head_dim {
            let reason = format!("is {dims}, but a head has {head_dim}");
            return refuse("decoder.rope.dims", reason);
        }
        match &self.scaling {
            None => Ok(()),
            Some(RopeScaling::Linear { factor }) => positive(FIELD, *factor),
            Some(RopeScaling::Dynamic {
                factor,
                original_max_position,
            }) => {
                if dims <= 2 {
                    let reason = format!("a base that grows needs more than {dims} components");
                    return refuse(FIELD, reason);
                }
                at_least_one(FIELD, *factor)?;
                size(FIELD, *original_max_position)
            }
            Some(RopeScaling::Yarn {
                factor,
                beta_fast,
                beta_slow,
                magnitude,
                original_max_position,
                truncate: _,
            }) => {
                at_least_one(FIELD, *factor)?;
                for value in [beta_fast, beta_slow, magnitude] {
                    positive(FIELD, *value)?;
                }
                if beta_slow > beta_fast {
                    let reason = format!("beta_slow {beta_slow} is above beta_fast {beta_fast}");
                    return refuse(FIELD, reason);
                }
                size(FIELD, *original_max_position)
            }
            Some(RopeScaling::Llama3 {
                factor,
                low_freq_factor,
                high_freq_factor,
                original_max_position,
            }) => {
                for value in [factor, low_freq_factor, high_freq_factor] {
                    positive(FIELD, *value)?;
                }
                if low_freq_factor >= high_freq_factor {
                    let reason = format!(
                        "low_freq_factor {low_freq_factor} is not below high_freq_factor {high_freq_factor}"
                    );
                    return refuse(FIELD, reason);
                }
                size(FIELD, *original_max_position)
            }
            Some(RopeScaling::Long {
                short_factors,
                long_factors,
                short_magnitude,
                long_magnitude,
                original_max_position,
            }) => {
                for factors in [short_factors, long_factors] {
                    if factors.len() != dims / 2 {
                        let reason =
                            format!("has {} factors for {} pairs", factors.len(), dims / 2);
                        return refuse(FIELD, reason);
                    }
                    factors.iter().try_for_each(|f| positive(FIELD, *f))?;
                }
                positive(FIELD, *short_magnitude)?;
                positive(FIELD, *long_magnitude)?;
                size(FIELD, *original_max_position)
            }
        }
    }
}

/// Errors unless `factor` is a finite number from 1 on.
fn at_least_one(field: &'static str, factor: f64) -> Result<(), ConfigError> {
    positive(field, factor)?;
    if factor < 1.0 {
        return refuse(field, format!("factor {factor} is below 1"));
    }
    Ok(())
}

impl Multipliers {
    fn validate(&self) -> Result<(), ConfigError> {
        positive("decoder.multipliers.embedding", self.embedding)?;
        positive("decoder.multipliers.residual", self.residual)?;
        positive("decoder.multipliers.logits_divisor", self.logits_divisor)
    }
}

impl MoeConfig {
    fn validate(&self) -> Result<(), ConfigError> {
        size("decoder.moe.num_experts", self.num_experts)?;
        size("decoder.moe.top_k", self.top_k)?;
        size("decoder.moe.expert_dim", self.expert_dim)?;
        if self.top_k > self.num_experts {
            let reason = format!(
                "{} experts a token, but there are {}",
                self.top_k, self.num_experts
            );
            return refuse("decoder.moe.top_k", reason);
        }
        if let Routing::SparseMixer { jitter } = self.routing {
            positive("decoder.moe.routing", jitter)?;
            if self.top_k != 2 {
                let reason = format!("sparse_mixer picks 2 experts, not {}", self.top_k);
                return refuse("decoder.moe.routing", reason);
            }
        }
        if let Some(width) = self.shared_dim {
            size("decoder.moe.shared_dim", width)?;
        }
        self.capacity_factor
            .map_or(Ok(()), |c| positive("decoder.moe.capacity_factor", c))
    }
}
