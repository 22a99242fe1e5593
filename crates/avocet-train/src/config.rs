//! The training file: a run folder, a seed, and a list of stages.

use std::path::{Path, PathBuf};

use avocet_checkpoint::LoraScale;
use avocet_model::ModelConfig;
use serde::{Deserialize, Serialize};

use crate::error::{Result, TrainError};
pub use crate::stage::StageConfig;

/// A whole training file.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TrainConfig {
    /// Folder that checkpoints, metrics and the report go to.
    pub run: PathBuf,
    /// Seed of the first values and of the order of the data.
    pub seed: u64,
    /// How to make a tokenizer, for a run that starts without one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tokenizer: Option<TokenizerRecipe>,
    /// The stages, one after another.
    #[serde(rename = "stage")]
    pub stages: Vec<StageConfig>,
}

/// A tokenizer trained on the texts of datasets.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TokenizerRecipe {
    /// Tokens it has, special ones included.
    pub vocab_size: usize,
    /// Dataset folders whose texts it is trained on.
    pub data: Vec<PathBuf>,
    /// Most samples taken from each folder.
    #[serde(default = "fifty_thousand")]
    pub samples: usize,
}

/// What a stage minimises.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
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
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Precision {
    /// 32-bit products.
    #[default]
    F32,
    /// bf16 factors, f32 sums.
    Bf16,
}

/// The model of a stage: the name of a preset, or its whole shape.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
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
            Self::Preset(name) => avocet_model::preset(name),
            Self::Inline(config) => config.validate().map(|()| config.as_ref().clone()),
        };
        config.map_err(|error| TrainError::Model(error.to_string()))
    }
}

/// What a stage changes of its model's shape. No parameter is made, dropped or resized by it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
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
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct InitFrom {
    /// A model folder, or a run folder, whose newest checkpoint counts.
    pub from: PathBuf,
    /// Patterns of the names taken from it.
    #[serde(default = "everything")]
    pub names: Vec<String>,
}

/// One data source of a stage.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SourceConfig {
    /// A dataset folder.
    pub path: PathBuf,
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
}

/// Weights of the parts of the loss, next to the text's 1.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
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

/// Low-rank factors for matrices that stand still (LoRA, arXiv:2106.09685).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
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
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum MeanOver {
    /// Every answer token counts the same, so that long answers count most.
    #[default]
    Tokens,
    /// Every sample counts the same: a "yes" as much as a line read aloud.
    Samples,
}

/// Shape of the auxiliary heads.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
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

pub(crate) fn everything() -> Vec<String> {
    vec!["*".into()]
}

fn fifty_thousand() -> usize {
    50_000
}

impl TrainConfig {
    /// Reads and validates a training file.
    pub fn read(path: &Path) -> Result<Self> {
        let text = std::fs::read_to_string(path).map_err(TrainError::io(path))?;
        let config: Self = toml::from_str(&text).map_err(|error| TrainError::Parse {
            path: path.to_path_buf(),
            message: error.to_string(),
        })?;
        config.validate()?;
        Ok(config)
    }

    /// As it is written in a file.
    ///
    /// Errors if a path in it is not Unicode.
    pub fn to_toml(&self) -> Result<String> {
        toml::to_string(self).map_err(|error| TrainError::config("settings", error.to_string()))
    }

    /// Errors if a field is out of range, naming it.
    pub fn validate(&self) -> Result<()> {
        self.validate_over(false)
    }

    /// As [`TrainConfig::validate`]; a model to start `over` stands for the first stage's.
    pub(crate) fn validate_over(&self, over: bool) -> Result<()> {
        if self.stages.is_empty() {
            return Err(TrainError::config("stage", "the file lists no [[stage]]"));
        }
        for (index, stage) in self.stages.iter().enumerate() {
            if index == 0 && !over && stage.model.is_none() && stage.init.is_empty() {
                let field = format!("stage {:?}: model", stage.name);
                return Err(TrainError::config(field, "the first stage names no model"));
            }
            stage.validate()?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::schedule::BatchRamp;

    const MINIMAL: &str = r#"
        run = "runs/x"
        seed = 1
        [[stage]]
        name = "all"
        kind = "joint"
        model = "tiny"
        steps = 10
        samples = 4
        learning_rate = 1e-3
        data = [{ path = "datasets/x" }]
    "#;

    fn refused(change: impl FnOnce(&mut StageConfig)) -> String {
        let mut config: TrainConfig = toml::from_str(MINIMAL).expect("valid");
        change(&mut config.stages[0]);
        config.validate().expect_err("out of range").to_string()
    }

    #[test]
    fn a_minimal_file_is_valid_and_survives_writing() {
        let config: TrainConfig = toml::from_str(MINIMAL).expect("valid");
        config.validate().expect("valid");
        let text = toml::to_string(&config).expect("writes");
        assert_eq!(toml::from_str::<TrainConfig>(&text).expect("reads"), config);
    }

    #[test]
    fn a_field_out_of_range_is_named() {
        assert!(refused(|s| s.samples = 0).contains("samples"));
        assert!(refused(|s| s.epochs = Some(1.0)).contains("epochs"));
        assert!(refused(|s| s.learning_rate = f64::NAN).contains("learning_rate"));
        assert!(refused(|s| s.micro_batches = 5).contains("5 parts of 4"));
        assert!(refused(|s| s.kind = StageKind::Vision).contains("ctc, names or contrast"));
        assert!(refused(|s| s.data.clear()).contains("data"));
    }

    #[test]
    fn every_recipe_of_the_embedded_model_is_valid_and_continues_the_one_before() {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../assets/recipes/mini");
        let entries = std::fs::read_dir(folder).expect("the recipes");
        let mut paths: Vec<PathBuf> = entries.map(|entry| entry.expect("entry").path()).collect();
        paths.sort_by_key(|path| {
            let name = path.file_name().expect("a name").to_string_lossy();
            let number = name.split('-').next().expect("a number first");
            number.parse::<u32>().expect("a number first")
        });
        let recipes = paths
            .iter()
            .map(|path| TrainConfig::read(path).expect("valid"));
        let recipes: Vec<TrainConfig> = recipes.collect();
        assert!(recipes.len() >= 2);
        for pair in recipes.windows(2) {
            assert_eq!(pair[1].stages[0].init[0].from, pair[0].run);
        }
    }

    #[test]
    fn a_stage_changes_the_shape_of_its_model_within_what_is_valid() {
        let change = ShapeChange {
            max_context: Some(2048),
            rope_theta: Some(50_000.0),
            max_patches: Some(99),
        };
        let tiny = avocet_model::preset("tiny").expect("a preset");
        let changed = change.applied(tiny.clone()).expect("valid");
        assert_eq!(changed.decoder.max_context, 2048);
        assert_eq!(changed.decoder.rope_theta, 50_000.0);
        assert_eq!(changed.vision.expect("eyes").max_patches, 99);
        assert_eq!(
            ShapeChange::default().applied(tiny.clone()).expect("valid"),
            tiny
        );

        let none = ShapeChange {
            max_context: Some(0),
            ..ShapeChange::default()
        };
        let error = none
            .applied(tiny.clone())
            .expect_err("no context")
            .to_string();
        assert!(error.contains("max_context"), "{error}");
        let blind = ModelConfig {
            vision: None,
            cross_attention: None,
            resampler: None,
            ..tiny
        };
        let error = change.applied(blind).expect_err("no eyes").to_string();
        assert!(error.contains("max_patches"), "{error}");
    }

    #[test]
    fn a_stage_without_steps_lasts_as_the_epochs_of_its_sources() {
        let mut config: TrainConfig = toml::from_str(MINIMAL).expect("valid");
        let stage = &mut config.stages[0];
        stage.steps = None;
        assert!(stage.validate().is_err());
        let source = |epochs| SourceConfig {
            epochs: Some(epochs),
            ..stage.data[0].clone()
        };
        stage.data = vec![source(2), source(4)];
        stage.validate().expect("valid");
        assert_eq!(stage.passes(&stage.data[1]), 4);
        assert_eq!(stage.total_steps(2.0 * 100.0 + 4.0 * 50.0), 100);
        stage.steps = Some(3);
        assert_eq!(stage.passes(&stage.data[1]), 1);
    }

    #[test]
    fn an_unknown_field_is_refused() {
        let text = MINIMAL.replace("samples", "sampels");
        assert!(toml::from_str::<TrainConfig>(&text).is_err());
    }

    #[test]
    fn epochs_count_the_smaller_batches_of_a_ramp() {
        let mut config: TrainConfig = toml::from_str(MINIMAL).expect("valid");
        let stage = &mut config.stages[0];
        (stage.steps, stage.epochs) = (None, Some(2.0));
        assert_eq!(stage.total_steps(50.0), 25);
        stage.batch_ramp = Some(BatchRamp {
            from: 2,
            steps: 10,
            increment: 2,
        });
        assert_eq!(stage.total_steps(50.0), 30); // 10 steps of 2, then 80 / 4
    }
}
