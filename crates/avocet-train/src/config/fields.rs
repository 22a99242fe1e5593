//! What a stage is set by, field by field.

use std::path::PathBuf;

use avocet_checkpoint::LoraScale;
use avocet_config::ModelConfig;
use serde::{Deserialize, Serialize};

use crate::error::{Result, TrainError};

/// What a stage minimises.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum StageKind {
    /// The vision encoder alone, through auxiliary heads that are dropped afterwards.
    Vision,
    /// The decoder alone; images are left out.
    Text,
    /// Everything together, through cross-attention.
    Joint,
}

/// Number format of the large matrix products; parameters and moments are f32 always.
#[derive(
    Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum Precision {
    /// 32-bit products.
    #[default]
    F32,
    /// bf16 factors, f32 sums.
    Bf16,
}

impl From<Precision> for avocet_kernels::Precision {
    fn from(precision: Precision) -> Self {
        match precision {
            Precision::F32 => Self::F32,
            Precision::Bf16 => Self::Bf16,
        }
    }
}

/// The model of a stage: the name of a preset, or its whole shape.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(untagged)]
pub enum ModelSource {
    /// A preset of `assets/configs`.
    Preset(String),
    /// A shape written in the training file.
    Inline(Box<ModelConfig>),
}

impl ModelSource {
    /// The shape, validated.
    pub fn resolve(&self) -> Result<ModelConfig> {
        let config = match self {
            Self::Preset(name) => avocet_config::preset(name),
            Self::Inline(config) => config.validate().map(|()| config.as_ref().clone()),
        };
        config.map_err(|error| TrainError::Model(error.to_string()))
    }
}

/// What a stage changes of its model's shape. No parameter is made, dropped or resized by it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct ShapeChange {
    /// Longest text in tokens, from here on.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_context: Option<usize>,
    /// Base of the decoder's rotary angles. A larger one turns them more slowly, so that a longer
    /// context stays within the angles of a shorter one (arXiv:2309.16039).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rope_theta: Option<f64>,
    /// Most patches that a picture is cut into.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_patches: Option<usize>,
}

impl ShapeChange {
    /// The shape with the change, validated.
    pub fn applied(self, mut model: ModelConfig) -> Result<ModelConfig> {
        let none = || TrainError::config("shape.max_patches", "the model has no vision tower");
        if let Some(max_context) = self.max_context {
            model.decoder.max_context = max_context;
        }
        if let Some(rope_theta) = self.rope_theta {
            model.decoder.rope_theta = rope_theta;
        }
        if let Some(max_patches) = self.max_patches {
            model.vision.as_mut().ok_or_else(none)?.max_patches = max_patches;
        }
        let valid = model.validate();
        valid.map_err(|error| TrainError::config("shape", error.to_string()))?;
        Ok(model)
    }
}

/// Where a stage takes first values from.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct InitFrom {
    /// A model folder, or a run folder, whose newest checkpoint counts; or the file of a published
    /// EfficientNet-Lite (`.pth`), as the recogniser. `source:NAME/PATH` is a file of a source of
    /// the manifest.
    pub from: PathBuf,
    /// Patterns of the names taken from it.
    #[serde(default = "everything")]
    pub names: Vec<String>,
}

/// One data source of a stage.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SourceConfig {
    /// A dataset folder.
    #[serde(default, skip_serializing_if = "is_empty")]
    pub path: PathBuf,
    /// Instead of a dataset, questions about what the model's recogniser might make of pictures
    /// that do not exist: they teach the decoder the names of all that it tells apart.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub concepts: bool,
    /// Share of the samples, relative to the other sources; absent means 1, or, where the sources'
    /// epochs decide the stage's length, so much that all run dry together.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub weight: Option<f64>,
    /// Passes over the source before it runs dry; absent means without end.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub epochs: Option<u32>,
    /// Kinds of its samples that are used; absent means all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kinds: Option<Vec<String>>,
    /// Share of its samples whose pictures are shown larger than they are, up to the most patches
    /// that the model takes: what was drawn small is met large as well.
    #[serde(default)]
    pub enlarged: f32,
    /// What its pictures may become, by chance, each time they are shown.
    #[serde(default, skip_serializing_if = "AugmentConfig::is_none")]
    pub augment: AugmentConfig,
}

/// What the pictures of a source may become while it is learned from.
#[derive(
    Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum AugmentConfig {
    /// What they are.
    #[default]
    None,
    /// A little turned, nearer and farther, in another light: what is written stays to be read.
    Letters,
    /// Mirrored as well, and with more of the edges cut off: what is shown stays what it is.
    Things,
}

impl AugmentConfig {
    fn is_none(&self) -> bool {
        *self == Self::None
    }
}

impl From<AugmentConfig> for avocet_data::Augment {
    fn from(config: AugmentConfig) -> Self {
        match config {
            AugmentConfig::None => Self::None,
            AugmentConfig::Letters => Self::Letters,
            AugmentConfig::Things => Self::Things,
        }
    }
}

/// Weights of the parts of the loss, next to the text's 1.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct LossWeights {
    /// Evenness of the experts' use.
    pub balance: f64,
    /// Size of the router's logits.
    pub z: f64,
    /// Reading text off the patch columns (CTC).
    pub ctc: f64,
    /// Naming the picture by its mean feature.
    pub names: f64,
    /// Finding the picture's answer among those of the part of the batch, and the other way round.
    pub contrast: f64,
}

impl Default for LossWeights {
    fn default() -> Self {
        Self {
            balance: 0.01,
            z: 0.001,
            ctc: 0.0,
            names: 0.0,
            contrast: 0.0,
        }
    }
}

/// Low-rank factors beside frozen matrices (LoRA, arXiv:2106.09685).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct LoraConfig {
    /// Rows of the first factor.
    pub rank: usize,
    /// The product counts `alpha / rank` times.
    pub alpha: f64,
    /// Patterns of the names of the matrices.
    pub layers: Vec<String>,
}

impl LoraConfig {
    /// Errors in words if a field is out of range.
    pub fn validate(&self) -> std::result::Result<(), String> {
        match self.rank > 0 && self.alpha.is_finite() && !self.layers.is_empty() {
            true => Ok(()),
            false => Err("rank must be at least 1, alpha a number, layers not empty".into()),
        }
    }
}

impl From<&LoraConfig> for LoraScale {
    fn from(config: &LoraConfig) -> Self {
        Self {
            rank: config.rank,
            alpha: config.alpha,
        }
    }
}

/// What the text loss is the mean of.
#[derive(
    Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema,
)]
#[serde(rename_all = "lowercase")]
pub enum MeanOver {
    /// Every answer token counts the same, so that long answers count most.
    #[default]
    Tokens,
    /// Every sample counts the same: a "yes" as much as a line read aloud.
    Samples,
}

/// Shape of the auxiliary heads.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct AuxiliaryConfig {
    /// Most names that can be told apart; names take a place as they are first seen.
    pub num_names: usize,
    /// Characters that one column of patches may hold.
    pub frames_per_column: usize,
}

impl Default for AuxiliaryConfig {
    fn default() -> Self {
        Self {
            num_names: 4096,
            frames_per_column: 2,
        }
    }
}

fn is_empty(path: &std::path::Path) -> bool {
    path.as_os_str().is_empty()
}

pub(crate) fn everything() -> Vec<String> {
    vec!["*".into()]
}
