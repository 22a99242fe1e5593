//! The shape of a model: one struct a tower, nested, read from TOML.
//!
//! [`ModelConfig::validate`] is called by [`ModelConfig::from_toml`] and by `VisionLanguageModel::new`, so a
//! shape that cannot work is refused with the name of the field before anything is built.

use serde::{Deserialize, Serialize};

use crate::check::refuse;
use crate::concepts::ConceptsConfig;
use crate::confidence::ConfidenceConfig;
use crate::cross_attention::{CrossAttentionConfig, ResamplerConfig};
use crate::decoder::DecoderConfig;
use crate::efficient_net::EfficientNetConfig;
use crate::error::ConfigError;
use crate::vision::{ClipConfig, TiledVisionConfig, VisionConfig};

/// Shape of a whole model; presets live in `assets/configs`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ModelConfig {
    /// What the model is called.
    pub name: String,
    /// The text tower.
    pub decoder: DecoderConfig,
    /// The layers through which the decoder sees images.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cross_attention: Option<CrossAttentionConfig>,
    /// The image tower, if it is our own.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub vision: Option<VisionConfig>,
    /// The image tower, if it is one of CLIP's kin.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub clip: Option<ClipConfig>,
    /// The image tower, if it is Mllama's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tiled_vision: Option<TiledVisionConfig>,
    /// The image tower, if it is an EfficientNet-Lite; beside `[concepts]`, the recogniser.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub efficient_net: Option<EfficientNetConfig>,
    /// What is shown of a frozen `[efficient_net]` beside the patches of `[vision]`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub concepts: Option<ConceptsConfig>,
    /// Reduces an image to a fixed number of latents; without it every patch is a latent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub resampler: Option<ResamplerConfig>,
    /// How sure the model is of what it says; without it a model always answers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub confidence: Option<ConfidenceConfig>,
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
            .map_or(0, |cross| cross.places(self.decoder.num_layers).len())
    }

    /// Whether there is a tower that sees images.
    pub fn sees(&self) -> bool {
        self.latent_dim().is_some()
    }

    /// Width of an image's rows, resampled or not, if there is a tower that sees images.
    pub fn latent_dim(&self) -> Option<usize> {
        let own = self.vision.as_ref().map(|tower| tower.dim);
        let clip = self.clip.as_ref().map(|tower| tower.dim);
        let tiled = self.tiled_vision.as_ref().map(|tower| tower.output_dim);
        let efficient = self.efficient_net.as_ref().map(|tower| tower.head_dim);
        own.or(clip).or(tiled).or(efficient)
    }

    /// The EfficientNet-Lite that is the image tower; none where it is what recognises things beside
    /// another tower.
    pub fn convolutional_tower(&self) -> Option<&EfficientNetConfig> {
        self.efficient_net
            .as_ref()
            .filter(|_| self.concepts.is_none())
    }

    /// Most rows that text attends to of an image of `rows` x `cols` patches: the resampler's
    /// latents, or what the tower makes of the patches, and what a recogniser adds.
    pub fn num_latents(&self, grid: (usize, usize)) -> usize {
        let beside = self.concepts.as_ref().map_or(0, ConceptsConfig::max_rows);
        self.num_rows(grid) + beside
    }

    /// The resampler's latents, or what the tower makes of so many patches.
    fn num_rows(&self, (rows, cols): (usize, usize)) -> usize {
        let num_patches = rows * cols;
        if let Some(resampler) = &self.resampler {
            resampler.num_latents
        } else if let Some(clip) = &self.clip {
            num_patches + usize::from(clip.keep_class)
        } else if let Some(tiled) = &self.tiled_vision {
            // A class row a tile.
            num_patches + num_patches / tiled.num_patches()
        } else if let Some(efficient) = self.convolutional_tower() {
            // A whole picture is one patch.
            num_patches * efficient.num_rows()
        } else {
            num_patches
        }
    }

    /// What the resampler's norms add, if it says nothing itself.
    pub fn vision_eps(&self) -> f64 {
        let own = self.vision.as_ref().map(|tower| tower.norm_eps);
        let clip = self.clip.as_ref().map(|tower| tower.norm_eps);
        let tiled = self.tiled_vision.as_ref().map(|tower| tower.norm_eps);
        own.or(clip).or(tiled).unwrap_or(self.decoder.norm_eps)
    }

    /// Errors if any field is out of range or two of them disagree; the error names the field.
    pub fn validate(&self) -> Result<(), ConfigError> {
        self.decoder.validate()?;
        if let Some(cross) = &self.cross_attention {
            cross.validate(self.decoder.num_layers)?;
            if !self.sees() {
                return refuse(
                    "cross_attention",
                    "needs a [vision] tower to attend to".into(),
                );
            }
        }
        if let Some(concepts) = &self.concepts {
            concepts.validate()?;
            if self.vision.is_none() || self.efficient_net.is_none() {
                return refuse(
                    "concepts",
                    "needs [vision], and [efficient_net] as what recognises".into(),
                );
            }
        }
        let towers = [
            self.vision.is_some(),
            self.clip.is_some(),
            self.tiled_vision.is_some(),
            self.convolutional_tower().is_some(),
        ];
        if towers.iter().filter(|there| **there).count() > 1 {
            return refuse(
                "vision",
                "more than one of [vision], [clip], [tiled_vision] and [efficient_net]".into(),
            );
        }
        if let Some(vision) = &self.vision {
            vision.validate()?;
        }
        if let Some(clip) = &self.clip {
            clip.validate()?;
        }
        if let Some(tiled) = &self.tiled_vision {
            tiled.validate()?;
        }
        if let Some(efficient) = &self.efficient_net {
            efficient.validate()?;
        }
        if let Some(resampler) = &self.resampler {
            let Some(dim) = self.latent_dim() else {
                return refuse("resampler", "needs a [vision] tower to resample".into());
            };
            resampler.validate(dim)?;
        }
        if let Some(confidence) = &self.confidence {
            confidence.validate()?;
        }
        Ok(())
    }
}
