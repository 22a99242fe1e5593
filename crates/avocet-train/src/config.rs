//! The training file: a run folder, a seed, and a list of stages.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use avocet_data::BatchSize;
use avocet_model::ModelConfig;
use serde::{Deserialize, Serialize};

use crate::error::{Result, TrainError};
use crate::optimizer::AdamWConfig;
use crate::params::Selection;
use crate::schedule::{BatchRamp, LearningRate};

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
    /// Share of the samples, relative to the other sources.
    #[serde(default = "one")]
    pub weight: f64,
    /// Passes over the source before it runs dry; absent means without end.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub epochs: Option<u32>,
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
}

impl Default for LossWeights {
    fn default() -> Self {
        Self {
            balance: 0.01,
            z: 0.001,
            ctc: 0.0,
            names: 0.0,
        }
    }
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

/// One stage.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StageConfig {
    /// What the stage is called in metrics and messages.
    pub name: String,
    /// What it minimises.
    pub kind: StageKind,
    /// The model; a stage after the first may leave it out and keep the one before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub model: Option<ModelSource>,
    /// Where first values come from; a later entry wins. Empty: fresh values in the first stage,
    /// the stage before in the others.
    #[serde(default)]
    pub init: Vec<InitFrom>,
    /// Tokenizer file; absent means the one of the stage before or of the first `init` folder.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tokenizer: Option<PathBuf>,
    /// Optimizer steps.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub steps: Option<u64>,
    /// Passes over the data instead of `steps`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub epochs: Option<f64>,
    /// Patterns of the names that train.
    #[serde(default = "everything")]
    pub trains: Vec<String>,
    /// Patterns of the names that stay still although `trains` has them.
    #[serde(default)]
    pub freezes: Vec<String>,
    /// Samples of a step.
    #[serde(default)]
    pub samples: usize,
    /// Most rows of a step, text tokens and patches together, instead of `samples`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rows: Option<usize>,
    /// Parts that a step's samples are computed in, to save memory.
    #[serde(default = "one_part")]
    pub micro_batches: usize,
    /// A batch that grows to `samples`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub batch_ramp: Option<BatchRamp>,
    /// Highest learning rate.
    pub learning_rate: f64,
    /// Learning rate at the last step; absent means a tenth of the highest.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub learning_rate_floor: Option<f64>,
    /// Factors on the learning rate by pattern of names; the first that matches counts.
    #[serde(default)]
    pub learning_rate_factors: BTreeMap<String, f64>,
    /// Steps of linear warm-up.
    #[serde(default)]
    pub warmup_steps: u64,
    /// Largest global norm of the gradient.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub clip: Option<f64>,
    /// The optimizer's constants.
    #[serde(default)]
    pub optimizer: AdamWConfig,
    /// Weights of the parts of the loss.
    #[serde(default)]
    pub losses: LossWeights,
    /// Shape of the auxiliary heads.
    #[serde(default)]
    pub auxiliary: AuxiliaryConfig,
    /// Speed of the loss-free router bias, if the model has one (arXiv:2408.15664).
    #[serde(default)]
    pub router_bias_rate: f64,
    /// Format of the large products.
    #[serde(default)]
    pub precision: Precision,
    /// Steps between checkpoints.
    #[serde(default = "five_hundred")]
    pub checkpoint_every: u64,
    /// Checkpoints kept, besides the last of each stage.
    #[serde(default = "three")]
    pub keep: usize,
    /// Steps between lines of metrics.
    #[serde(default = "ten")]
    pub log_every: u64,
    /// Steps between measurements on held-out data; 0 is never.
    #[serde(default)]
    pub eval_every: u64,
    /// Samples of a measurement on held-out data.
    #[serde(default = "five_hundred_samples")]
    pub eval_samples: usize,
    /// Dataset folders that are measured and never trained on.
    #[serde(default)]
    pub held_out: Vec<PathBuf>,
    /// The data sources.
    pub data: Vec<SourceConfig>,
}

fn everything() -> Vec<String> {
    vec!["*".into()]
}
fn fifty_thousand() -> usize {
    50_000
}
fn one() -> f64 {
    1.0
}
fn one_part() -> usize {
    1
}
fn three() -> usize {
    3
}
fn ten() -> u64 {
    10
}
fn five_hundred() -> u64 {
    500
}
fn five_hundred_samples() -> usize {
    500
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

    /// Errors if a field is out of range, naming it.
    pub fn validate(&self) -> Result<()> {
        if self.stages.is_empty() {
            return Err(TrainError::config("stage", "the file lists no [[stage]]"));
        }
        for (index, stage) in self.stages.iter().enumerate() {
            if index == 0 && stage.model.is_none() && stage.init.is_empty() {
                let field = format!("stage {:?}: model", stage.name);
                return Err(TrainError::config(field, "the first stage names no model"));
            }
            stage.validate()?;
        }
        Ok(())
    }
}

impl StageConfig {
    /// A stage of one step that trains everything at a rate of 1e-3, with no data; the other
    /// fields as when a file leaves them out.
    pub fn new(name: &str, kind: StageKind, model: ModelSource, samples: usize) -> Self {
        Self {
            name: name.to_string(),
            kind,
            model: Some(model),
            init: Vec::new(),
            tokenizer: None,
            steps: Some(1),
            epochs: None,
            trains: everything(),
            freezes: Vec::new(),
            samples,
            rows: None,
            micro_batches: one_part(),
            batch_ramp: None,
            learning_rate: 1e-3,
            learning_rate_floor: None,
            learning_rate_factors: BTreeMap::new(),
            warmup_steps: 0,
            clip: None,
            optimizer: AdamWConfig::default(),
            losses: LossWeights::default(),
            auxiliary: AuxiliaryConfig::default(),
            router_bias_rate: 0.0,
            precision: Precision::default(),
            checkpoint_every: five_hundred(),
            keep: three(),
            log_every: ten(),
            eval_every: 0,
            eval_samples: five_hundred_samples(),
            held_out: Vec::new(),
            data: Vec::new(),
        }
    }

    /// Errors if a field is out of range, naming it.
    pub fn validate(&self) -> Result<()> {
        let fail = |field: &str, message: &str| {
            Err(TrainError::config(
                format!("stage {:?}: {field}", self.name),
                message,
            ))
        };
        match (self.steps, self.epochs) {
            (Some(0), _) => return fail("steps", "must be at least 1"),
            (None, None) => return fail("steps", "give steps or epochs"),
            (Some(_), Some(_)) => return fail("epochs", "give steps or epochs, not both"),
            (None, Some(epochs)) if !(epochs.is_finite() && epochs > 0.0) => {
                return fail("epochs", "must be above 0");
            }
            _ => {}
        }
        match (self.samples, self.rows) {
            (0, None | Some(0)) => return fail("samples", "must be at least 1"),
            (1.., Some(_)) => return fail("rows", "give samples or rows, not both"),
            (0, Some(_)) if self.steps.is_none() => return fail("epochs", "needs samples"),
            (0, Some(_)) if self.batch_ramp.is_some() => {
                return fail("batch_ramp", "needs samples");
            }
            _ => {}
        }
        let counts = [
            ("micro_batches", self.micro_batches as u64),
            ("checkpoint_every", self.checkpoint_every),
            ("keep", self.keep as u64),
            ("log_every", self.log_every),
            ("auxiliary.num_names", self.auxiliary.num_names as u64),
            (
                "auxiliary.frames_per_column",
                self.auxiliary.frames_per_column as u64,
            ),
        ];
        for (field, count) in counts {
            if count == 0 {
                return fail(field, "must be at least 1");
            }
        }
        if self.rows.is_none() && self.micro_batches > self.samples {
            let message = format!("{} parts of {} samples", self.micro_batches, self.samples);
            return fail("micro_batches", &message);
        }
        let losses = &self.losses;
        let amounts = [
            ("learning_rate", self.learning_rate),
            (
                "learning_rate_floor",
                self.learning_rate_floor.unwrap_or(0.0),
            ),
            ("clip", self.clip.unwrap_or(0.0)),
            ("losses.balance", losses.balance),
            ("losses.z", losses.z),
            ("losses.ctc", losses.ctc),
            ("losses.names", losses.names),
            ("router_bias_rate", self.router_bias_rate),
        ];
        for (field, amount) in amounts {
            if !amount.is_finite() || amount < 0.0 {
                return fail(field, "must be a number of at least 0");
            }
        }
        if self.kind == StageKind::Vision && losses.ctc == 0.0 && losses.names == 0.0 {
            return fail("losses", "a vision stage needs a weight for ctc or names");
        }
        if self.data.is_empty() {
            return fail("data", "the stage lists no [[stage.data]]");
        }
        for source in &self.data {
            if !(source.weight.is_finite() && source.weight > 0.0) {
                return fail("data.weight", "must be above 0");
            }
        }
        if let Some(ramp) = &self.batch_ramp {
            ramp.validate(&format!("stage {:?}: batch_ramp", self.name), self.samples)?;
        }
        Ok(())
    }

    /// Which parameters train.
    pub fn selection(&self) -> Selection {
        Selection {
            trains: self.trains.clone(),
            freezes: self.freezes.clone(),
        }
    }

    /// The learning rate over `total_steps`.
    pub fn rate(&self, total_steps: u64) -> LearningRate {
        LearningRate {
            peak: self.learning_rate,
            floor: self
                .learning_rate_floor
                .unwrap_or(self.learning_rate / 10.0),
            warmup_steps: self.warmup_steps,
            total_steps,
        }
    }

    /// Size of each micro-batch of the step that follows `done` steps of the stage.
    pub fn size_at(&self, done: u64) -> BatchSize {
        match self.rows {
            Some(rows) => BatchSize::Rows(rows.div_ceil(self.micro_batches)),
            None => BatchSize::Samples(self.samples_at(done).div_ceil(self.micro_batches)),
        }
    }

    /// Samples of the step that follows `done` steps of the stage.
    pub fn samples_at(&self, done: u64) -> usize {
        match &self.batch_ramp {
            Some(ramp) => ramp.at(done, self.samples),
            None => self.samples,
        }
    }

    /// Steps of the stage, when an epoch over its data has `epoch_samples` samples.
    pub fn total_steps(&self, epoch_samples: f64) -> u64 {
        if let Some(steps) = self.steps {
            return steps;
        }
        let wanted = self.epochs.unwrap_or(1.0) * epoch_samples;
        let (mut steps, mut seen) = (0u64, 0f64);
        while seen < wanted && self.batch_ramp.is_some_and(|ramp| steps < ramp.steps) {
            seen += self.samples_at(steps) as f64;
            steps += 1;
        }
        let rest = ((wanted - seen) / self.samples as f64).ceil().max(0.0);
        (steps + rest as u64).max(1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

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
        assert!(refused(|s| s.kind = StageKind::Vision).contains("ctc or names"));
        assert!(refused(|s| s.data.clear()).contains("data"));
    }

    #[test]
    fn every_recipe_of_the_embedded_model_is_valid_and_continues_the_one_before() {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../assets/recipes/mini");
        let entries = std::fs::read_dir(folder).expect("the recipes");
        let mut paths: Vec<PathBuf> = entries.map(|entry| entry.expect("entry").path()).collect();
        paths.sort();
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
