//! One stage of a training file: what it starts from, what it trains, on which data and how.

use std::collections::BTreeMap;
use std::path::PathBuf;

use avocet_data::BatchSize;
use serde::{Deserialize, Serialize};

use super::fields::{
    AuxiliaryConfig, InitFrom, LoraConfig, LossWeights, MeanOver, ModelSource, Precision,
    ShapeChange, SourceConfig, StageKind, everything,
};
use crate::error::{Result, TrainError};
use crate::optimizer::AdamWConfig;
use crate::params::Selection;
use crate::schedule::{BatchRamp, LearningRate};

/// One stage.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct StageConfig {
    /// What the stage is called in metrics and messages.
    pub name: String,
    /// What it minimises.
    pub kind: StageKind,
    /// The model; a stage after the first may leave it out and keep the one before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub model: Option<ModelSource>,
    /// What it changes of the model's shape.
    #[serde(default)]
    pub shape: ShapeChange,
    /// Where first values come from; a later entry wins. Empty: fresh values in the first stage,
    /// the stage before in the others.
    #[serde(default)]
    pub init: Vec<InitFrom>,
    /// Tokenizer file; absent means the one of the stage before or of the first `init` folder.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tokenizer: Option<PathBuf>,
    /// Table of what the classes of the model's recogniser are called; absent means the one of the
    /// stage before or of the first `init` folder that has one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub concepts: Option<PathBuf>,
    /// Share of the pictures whose features are hidden that the recogniser gives, and of the
    /// others whose names, so that the decoder leans on neither alone.
    #[serde(default)]
    pub hidden: f32,
    /// Optimizer steps.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub steps: Option<u64>,
    /// Passes over the data instead of `steps`. With neither, the stage lasts until every source
    /// has made the epochs that it names.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub epochs: Option<f64>,
    /// Patterns of the names that train.
    #[serde(default = "everything")]
    pub trains: Vec<String>,
    /// Patterns of the names that are frozen although `trains` has them.
    #[serde(default)]
    pub freezes: Vec<String>,
    /// Low-rank factors that learn beside frozen matrices, in fine-tuning.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lora: Option<LoraConfig>,
    /// Keep only what enters each block of the decoder, and compute the block again on the way
    /// back: less memory for a third more work (arXiv:1604.06174).
    #[serde(default)]
    pub recompute: bool,
    /// Samples of a step.
    #[serde(default)]
    pub samples: usize,
    /// Most rows of a step, text tokens and patches together, instead of `samples`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rows: Option<usize>,
    /// Parts that a step's samples are computed in, as many side by side as there are threads.
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
    /// What the text loss is the mean of.
    #[serde(default)]
    pub mean_over: MeanOver,
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
    /// After so many measurements on held-out data without a better one the stage ends, and the best
    /// values stay; absent means that it makes all its steps.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub patience: Option<u32>,
    /// The data sources.
    pub data: Vec<SourceConfig>,
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

impl StageConfig {
    /// A stage of one step that trains everything at a rate of 1e-3, with no data; the other
    /// fields as when a file leaves them out.
    pub fn new(name: &str, kind: StageKind, model: ModelSource, samples: usize) -> Self {
        Self {
            name: name.to_string(),
            kind,
            model: Some(model),
            shape: ShapeChange::default(),
            init: Vec::new(),
            tokenizer: None,
            concepts: None,
            hidden: 0.0,
            steps: Some(1),
            epochs: None,
            trains: everything(),
            freezes: Vec::new(),
            lora: None,
            recompute: false,
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
            mean_over: MeanOver::default(),
            auxiliary: AuxiliaryConfig::default(),
            router_bias_rate: 0.0,
            precision: Precision::default(),
            checkpoint_every: five_hundred(),
            keep: three(),
            log_every: ten(),
            eval_every: 0,
            eval_samples: five_hundred_samples(),
            held_out: Vec::new(),
            patience: None,
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
            (None, None) if !self.lasts_as_its_sources() => {
                return fail("steps", "give steps, epochs, or the epochs of every source");
            }
            (Some(_), Some(_)) => return fail("epochs", "give steps or epochs, not both"),
            (None, Some(epochs)) if !(epochs.is_finite() && epochs > 0.0) => {
                return fail("epochs", "must be above 0");
            }
            _ => {}
        }
        match (self.samples, self.rows) {
            (0, None | Some(0)) => return fail("samples", "must be at least 1"),
            (1.., Some(_)) => return fail("rows", "give samples or rows, not both"),
            (0, Some(_)) if self.steps.is_none() => {
                return fail("rows", "a stage of so many epochs needs samples");
            }
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
            ("losses.contrast", losses.contrast),
            ("router_bias_rate", self.router_bias_rate),
        ];
        for (field, amount) in amounts {
            if !amount.is_finite() || amount < 0.0 {
                return fail(field, "must be a number of at least 0");
            }
        }
        let seen = [losses.ctc, losses.names, losses.contrast];
        if self.kind == StageKind::Vision && seen.iter().all(|&weight| weight == 0.0) {
            return fail(
                "losses",
                "a vision stage needs a weight for ctc, names or contrast",
            );
        }
        if let Some(patience) = self.patience {
            if patience == 0 {
                return fail("patience", "must be at least 1");
            }
            if self.eval_every == 0 || self.held_out.is_empty() {
                return fail("patience", "needs eval_every and held_out");
            }
            if seen.iter().any(|&weight| weight > 0.0) {
                return fail("patience", "goes without losses.ctc, names and contrast");
            }
        }
        if self.recompute && losses.contrast > 0.0 {
            return fail("recompute", "goes without losses.contrast");
        }
        if let Some(lora) = &self.lora {
            lora.validate().or_else(|reason| fail("lora", &reason))?;
        }
        if self.data.is_empty() {
            return fail("data", "the stage lists no [[stage.data]]");
        }
        for source in &self.data {
            if !source
                .weight
                .is_none_or(|weight| weight.is_finite() && weight > 0.0)
            {
                return fail("data.weight", "must be above 0");
            }
        }
        let one = |source: &SourceConfig| source.concepts == source.path.as_os_str().is_empty();
        if !self.data.iter().all(one) {
            return fail("data.path", "give a path or concepts = true, one of them");
        }
        if !(0.0..=1.0).contains(&self.hidden) {
            return fail("hidden", "must be a share, from 0 to 1");
        }
        let share = |source: &SourceConfig| (0.0..=1.0).contains(&source.enlarged);
        if !self.data.iter().all(share) {
            return fail("data.enlarged", "must be a share, from 0 to 1");
        }
        if let Some(ramp) = &self.batch_ramp {
            ramp.validate(&format!("stage {:?}: batch_ramp", self.name), self.samples)?;
        }
        Ok(())
    }

    /// Whether its length is what its sources' epochs add up to.
    pub(crate) fn lasts_as_its_sources(&self) -> bool {
        let limited = self.data.iter().all(|source| source.epochs.is_some());
        self.steps.is_none() && self.epochs.is_none() && limited
    }

    /// How often a pass over the stage's data goes over `source`.
    pub(crate) fn passes(&self, source: &SourceConfig) -> u64 {
        match source.epochs {
            Some(epochs) if self.lasts_as_its_sources() => u64::from(epochs),
            _ => 1,
        }
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
    pub(crate) fn size_at(&self, done: u64) -> BatchSize {
        match self.rows {
            Some(rows) => BatchSize::Rows(rows.div_ceil(self.micro_batches)),
            None => BatchSize::Samples(self.samples_at(done).div_ceil(self.micro_batches)),
        }
    }

    /// Samples of the step that follows `done` steps of the stage.
    pub(crate) fn samples_at(&self, done: u64) -> usize {
        match &self.batch_ramp {
            Some(ramp) => ramp.at(done, self.samples),
            None => self.samples,
        }
    }

    /// Steps of the stage, when an epoch over its data has `epoch_samples` samples.
    pub(crate) fn total_steps(&self, epoch_samples: f64) -> u64 {
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
