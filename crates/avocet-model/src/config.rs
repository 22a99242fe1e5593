//! The shape of a model: one struct a tower, nested, read from TOML.
//!
//! [`ModelConfig::validate`] is called by [`ModelConfig::from_toml`] and by `Avocet::new`, so a
//! shape that cannot work is refused with the name of the field before anything is built.

use serde::{Deserialize, Serialize};

/// Why a model's configuration was refused.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// The text is no TOML of the expected form; the message names the field and the line.
    #[error("model configuration: {0}")]
    Toml(#[from] toml::de::Error),
    /// A field holds a value that cannot work.
    #[error("model configuration, {field}: {reason}")]
    Field {
        /// Path of the field, such as `decoder.moe.top_k`.
        field: &'static str,
        /// What is wrong with it, with both numbers when two disagree.
        reason: String,
    },
    /// No preset has this name.
    #[error("no preset is called {name:?}; there are {known}")]
    UnknownPreset {
        /// The name asked for.
        name: String,
        /// The names there are.
        known: String,
    },
}

/// Shape of a whole model; presets live in `assets/configs`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ModelConfig {
    /// What the model is called.
    pub name: String,
    /// The text tower.
    pub decoder: DecoderConfig,
    /// The layers through which the decoder sees images.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cross_attention: Option<CrossAttentionConfig>,
    /// The image tower.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub vision: Option<VisionConfig>,
    /// Reduces an image to a fixed number of latents; without it every patch is a latent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub resampler: Option<ResamplerConfig>,
}

/// Shape of the decoder. Each layer is self-attention followed by a feed-forward part: either a
/// dense one, `ff_dim` wide, or a mixture of experts, `moe`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
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
    /// Base of the rotary frequencies.
    pub rope_theta: f64,
    /// Longest text, in tokens.
    pub max_context: usize,
    /// Added to the mean square inside every RMS norm.
    pub norm_eps: f64,
    /// Whether the output head is the embedding table.
    pub tied_embeddings: bool,
    /// Hidden width of each layer's dense SwiGLU feed-forward, if it has no experts.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ff_dim: Option<usize>,
    /// Each layer's mixture of experts, if it has no dense feed-forward.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub moe: Option<MoeConfig>,
}

/// Shape of a mixture of SwiGLU experts.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
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
}

/// Shape of the gated cross-attention layers.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CrossAttentionConfig {
    /// One cross-attention layer for so many decoder layers, before the last of them. Must divide
    /// `decoder.num_layers`.
    pub every: usize,
    /// Query heads.
    pub num_heads: usize,
    /// Key/value heads. Must divide `num_heads`.
    pub num_kv_heads: usize,
    /// Width of a head.
    pub head_dim: usize,
    /// Hidden width of the layer's own SwiGLU feed-forward.
    pub ff_dim: usize,
    /// What both gates start at, before tanh; 0 is closed.
    pub initial_gate: f64,
}

/// Shape of the vision encoder.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct VisionConfig {
    /// Patch side in pixels.
    pub patch_size: usize,
    /// Most patches an image is cut into.
    pub max_patches: usize,
    /// Width of a patch's vector.
    pub dim: usize,
    /// Number of transformer blocks.
    pub num_layers: usize,
    /// Attention heads, of `dim / num_heads` each, a multiple of 4.
    pub num_heads: usize,
    /// Hidden width of a block's SwiGLU feed-forward.
    pub ff_dim: usize,
    /// Base of the two-dimensional rotary frequencies.
    pub rope_theta: f64,
    /// Added to the mean square inside every RMS norm.
    pub norm_eps: f64,
    /// Whether each block also has a 3 x 3 depthwise convolution over the patches.
    pub depthwise: bool,
    /// What turns pixels into one vector a patch.
    pub stem: StemConfig,
}

/// What turns pixels into one vector a patch.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum StemConfig {
    /// One linear map of the patch's pixels.
    Linear,
    /// 3 x 3 convolutions of stride 2; 2 to the power of their number is the patch size.
    Conv {
        /// Channels after each convolution; the last is the tower's `dim`.
        channels: Vec<usize>,
    },
}

/// Shape of the resampler.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ResamplerConfig {
    /// Latents an image is reduced to.
    pub num_latents: usize,
    /// Number of layers.
    pub num_layers: usize,
    /// Attention heads, of `vision.dim / num_heads` each.
    pub num_heads: usize,
    /// Hidden width of a layer's SwiGLU feed-forward.
    pub ff_dim: usize,
}

impl ModelConfig {
    /// Reads and validates a configuration.
    pub fn from_toml(text: &str) -> Result<Self, ConfigError> {
        let config: Self = toml::from_str(text)?;
        config.validate()?;
        Ok(config)
    }

    /// Writes the configuration so that [`ModelConfig::from_toml`] reads the same.
    pub fn to_toml(&self) -> String {
        toml::to_string(self).expect("the structs hold nothing that TOML cannot write")
    }

    /// Number of gated cross-attention layers.
    pub fn num_cross_layers(&self) -> usize {
        self.cross_attention
            .as_ref()
            .map_or(0, |cross| self.decoder.num_layers / cross.every)
    }

    /// Errors if any field is out of range or two of them disagree; the error names the field.
    pub fn validate(&self) -> Result<(), ConfigError> {
        self.decoder.validate()?;
        if let Some(cross) = &self.cross_attention {
            cross.validate(self.decoder.num_layers)?;
            if self.vision.is_none() {
                return refuse(
                    "cross_attention",
                    "needs a [vision] tower to attend to".into(),
                );
            }
        }
        if let Some(vision) = &self.vision {
            vision.validate()?;
        }
        if let Some(resampler) = &self.resampler {
            let Some(vision) = &self.vision else {
                return refuse("resampler", "needs a [vision] tower to resample".into());
            };
            resampler.validate(vision.dim)?;
        }
        Ok(())
    }
}

impl DecoderConfig {
    fn validate(&self) -> Result<(), ConfigError> {
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
        positive("decoder.rope_theta", self.rope_theta)?;
        size("decoder.max_context", self.max_context)?;
        positive("decoder.norm_eps", self.norm_eps)?;
        match (self.ff_dim, &self.moe) {
            (Some(width), None) => size("decoder.ff_dim", width),
            (None, Some(moe)) => moe.validate(),
            (Some(_), Some(_)) => refuse("decoder.ff_dim", "stands beside decoder.moe".into()),
            (None, None) => refuse("decoder", "has neither ff_dim nor [decoder.moe]".into()),
        }
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
        self.capacity_factor
            .map_or(Ok(()), |c| positive("decoder.moe.capacity_factor", c))
    }
}

impl CrossAttentionConfig {
    fn validate(&self, num_layers: usize) -> Result<(), ConfigError> {
        divides(
            "cross_attention.every",
            self.every,
            "decoder.num_layers",
            num_layers,
        )?;
        size("cross_attention.num_heads", self.num_heads)?;
        divides(
            "cross_attention.num_kv_heads",
            self.num_kv_heads,
            "num_heads",
            self.num_heads,
        )?;
        size("cross_attention.head_dim", self.head_dim)?;
        size("cross_attention.ff_dim", self.ff_dim)?;
        if !self.initial_gate.is_finite() {
            return refuse(
                "cross_attention.initial_gate",
                "is not a finite number".into(),
            );
        }
        Ok(())
    }
}

impl VisionConfig {
    /// Width of one attention head.
    pub fn head_dim(&self) -> usize {
        self.dim / self.num_heads
    }

    fn validate(&self) -> Result<(), ConfigError> {
        size("vision.patch_size", self.patch_size)?;
        size("vision.max_patches", self.max_patches)?;
        size("vision.dim", self.dim)?;
        layers("vision.num_layers", self.num_layers)?;
        divides("vision.num_heads", self.num_heads, "vision.dim", self.dim)?;
        if !self.head_dim().is_multiple_of(4) {
            let reason = format!(
                "makes heads {} wide; rows and columns need a multiple of 4",
                self.head_dim()
            );
            return refuse("vision.num_heads", reason);
        }
        size("vision.ff_dim", self.ff_dim)?;
        positive("vision.rope_theta", self.rope_theta)?;
        positive("vision.norm_eps", self.norm_eps)?;
        let StemConfig::Conv { channels } = &self.stem else {
            return Ok(());
        };
        const FIELD: &str = "vision.stem.conv.channels";
        for &count in channels {
            size(FIELD, count)?;
        }
        let reach = u32::try_from(channels.len())
            .ok()
            .and_then(|n| 2usize.checked_pow(n));
        if reach != Some(self.patch_size) {
            let reason = format!(
                "{} convolutions of stride 2 do not make one row of a patch {} pixels wide",
                channels.len(),
                self.patch_size
            );
            return refuse(FIELD, reason);
        }
        match channels.last() {
            Some(&last) if last != self.dim => refuse(
                FIELD,
                format!("the last is {last}, but vision.dim is {}", self.dim),
            ),
            Some(_) => Ok(()),
            None => refuse(FIELD, "is empty".into()),
        }
    }
}

impl ResamplerConfig {
    fn validate(&self, dim: usize) -> Result<(), ConfigError> {
        size("resampler.num_latents", self.num_latents)?;
        layers("resampler.num_layers", self.num_layers)?;
        divides("resampler.num_heads", self.num_heads, "vision.dim", dim)?;
        size("resampler.ff_dim", self.ff_dim)
    }
}

/// Larger sizes than this are a mistake in the file, and would overflow products of sizes.
const LARGEST_SIZE: usize = 1 << 24;

/// Most layers of a tower. Each is made one by one, also when only counting, so a file that claims
/// millions would keep a command busy for minutes.
const MOST_LAYERS: usize = 4096;

fn refuse(field: &'static str, reason: String) -> Result<(), ConfigError> {
    Err(ConfigError::Field { field, reason })
}

fn layers(field: &'static str, value: usize) -> Result<(), ConfigError> {
    if (1..=MOST_LAYERS).contains(&value) {
        Ok(())
    } else {
        refuse(field, format!("is {value}, must be 1 to {MOST_LAYERS}"))
    }
}

fn size(field: &'static str, value: usize) -> Result<(), ConfigError> {
    if (1..=LARGEST_SIZE).contains(&value) {
        Ok(())
    } else {
        refuse(field, format!("is {value}, must be 1 to {LARGEST_SIZE}"))
    }
}

fn multiple(field: &'static str, value: usize, of: usize) -> Result<(), ConfigError> {
    size(field, value)?;
    if value.is_multiple_of(of) {
        Ok(())
    } else {
        refuse(field, format!("is {value}, must be a multiple of {of}"))
    }
}

fn divides(
    field: &'static str,
    value: usize,
    whole_name: &str,
    whole: usize,
) -> Result<(), ConfigError> {
    size(field, value)?;
    if whole.is_multiple_of(value) {
        Ok(())
    } else {
        refuse(
            field,
            format!("is {value}, does not divide {whole_name}, which is {whole}"),
        )
    }
}

fn positive(field: &'static str, value: f64) -> Result<(), ConfigError> {
    if value.is_finite() && value > 0.0 {
        Ok(())
    } else {
        refuse(field, format!("is {value}, must be above 0"))
    }
}
