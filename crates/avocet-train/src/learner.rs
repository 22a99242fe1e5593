//! A model under training: one step takes micro-batches and changes the parameters.
//!
//! A step is three: forward and backward passes give gradients and figures, these are added up
//! over the ranks of the run ([`Reduce`]), and the sums move the parameters.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use avocet_config::ModelConfig;
use avocet_data::Batch;
use avocet_infer::Onlooker;
use avocet_model::{Part, VisionLanguageModel};
use candle_core::Tensor;

use crate::auxiliary::{AuxiliaryHeads, Names};
use crate::config::{StageConfig, StageKind};
use crate::contrast::Contrast;
use crate::error::{Result, TrainError};
use crate::figures::{StepReport, WeightedSums, means};
use crate::objective::{LossNormalizer, Objective};
use crate::optimizer::AdamW;
use crate::params::{AUXILIARY, Param, Params};
use crate::pattern::matches;
use crate::reduce::{OneProcess, Reduce, StepTotals};

mod forward_backward;
mod recompute;
#[cfg(test)]
mod tests;
mod update;

/// A model under training with everything that a step needs.
#[derive(Debug)]
pub struct Learner {
    model: VisionLanguageModel,
    objective: Objective,
    params: Params,
    trained: Vec<Param>,
    optimizer: AdamW,
    ranks: Box<dyn Reduce>,
    names: Names,
    clip: Option<f64>,
    router_bias_rate: f64,
    vision_trains: bool,
    recompute: bool,
}

impl Learner {
    /// A learner for a stage, over parameters that exist or that the model asks for now, in a
    /// single process. `names` have their places in the naming head.
    ///
    /// Errors if the stage asks for what the model lacks, or trains none of its parameters.
    pub fn new(
        config: &ModelConfig,
        stage: &StageConfig,
        params: Params,
        names: Vec<String>,
    ) -> Result<Self> {
        let model = VisionLanguageModel::new(config, params.builder())?;
        let losses = &stage.losses;
        let wanted = stage.kind != StageKind::Text && (losses.ctc > 0.0 || losses.names > 0.0);
        let heads = match &config.vision {
            Some(vision) if wanted => {
                let builder = params.builder().pp(AUXILIARY);
                Some(AuxiliaryHeads::new(&stage.auxiliary, vision.dim, builder)?)
            }
            None if wanted || stage.kind == StageKind::Vision => {
                let message = format!("the model {:?} has no vision tower", config.name);
                return Err(TrainError::config(
                    format!("stage {:?}: kind", stage.name),
                    message,
                ));
            }
            _ => None,
        };
        let contrast = match &config.vision {
            Some(vision) if stage.kind != StageKind::Text && losses.contrast > 0.0 => {
                let builder = params.builder().pp(AUXILIARY);
                Some(Contrast::new(vision.dim, config.decoder.dim, builder)?)
            }
            _ => None,
        };
        let trained = params.trained();
        if trained.is_empty() {
            let field = format!("stage {:?}: trains", stage.name);
            return Err(TrainError::config(
                field,
                "no parameter of the model matches",
            ));
        }
        let factor = |name: &str| {
            let mut factors = stage.learning_rate_factors.iter();
            factors
                .find(|(pattern, _)| matches(pattern, name))
                .map_or(1.0, |(_, &factor)| factor)
        };
        Ok(Self {
            optimizer: AdamW::new(stage.optimizer, &trained, factor)?,
            vision_trains: trained
                .iter()
                .any(|param| Part::of(&param.name) == Part::Vision),
            objective: Objective {
                kind: stage.kind,
                weights: *losses,
                heads,
                contrast,
                onlooker: None,
            },
            model,
            params,
            trained,
            ranks: Box::new(OneProcess),
            names: Names::new(names),
            clip: stage.clip,
            router_bias_rate: stage.router_bias_rate,
            recompute: stage.recompute && stage.kind != StageKind::Vision,
        })
    }

    /// The same with the decoder shown what `onlooker` saw in each picture.
    pub fn looking(mut self, onlooker: Option<Arc<Onlooker>>) -> Self {
        self.objective.onlooker = onlooker;
        self
    }

    /// The same as one rank of several; all must start from the same values.
    pub fn over_ranks(mut self, ranks: Box<dyn Reduce>) -> Self {
        self.ranks = ranks;
        self
    }

    /// The model.
    pub fn model(&self) -> &VisionLanguageModel {
        &self.model
    }

    /// The parameters, the auxiliary heads' included.
    pub fn params(&self) -> &Params {
        &self.params
    }

    /// The optimizer.
    pub fn optimizer(&self) -> &AdamW {
        &self.optimizer
    }

    /// Takes saved moments back.
    pub(crate) fn restore(&mut self, steps: u64, moments: &HashMap<String, Tensor>) -> Result<()> {
        self.optimizer.restore(steps, moments)
    }

    /// Names in the order of their places in the naming head.
    pub fn names(&self) -> &[String] {
        self.names.order()
    }

    /// Trains one step at `rate` on the micro-batches together, and on those of the other ranks;
    /// `measure` adds the figures that cost extra work.
    pub fn step(&mut self, batches: &[Batch], rate: f64, measure: bool) -> Result<StepReport> {
        let normalizer = self.agree(batches)?;
        let work = self.forward_backward(batches, normalizer, measure)?;
        let sums = self.ranks.work(work)?;
        self.update(sums, rate)
    }

    /// What the loss of a step is the mean of, on all ranks; names that any of them meets for the
    /// first time get their places.
    fn agree(&mut self, batches: &[Batch]) -> Result<LossNormalizer> {
        let mut totals = StepTotals::of(batches);
        if self.objective.heads.is_some() {
            let unknown = |batch: &Batch| self.names.unknown(&batch.truths);
            totals.names = batches.iter().flat_map(unknown).collect();
        }
        let totals = self.ranks.totals(totals)?;
        let normalizer = LossNormalizer::of(&totals);
        if let Some(heads) = &self.objective.heads {
            self.names.learn(totals.names, heads.num_names());
        }
        Ok(normalizer)
    }

    /// Makes the matrices that are sums of frozen and learning ones anew.
    fn renew(&mut self) -> Result<()> {
        if self.params.has_sums() {
            self.model = VisionLanguageModel::new(self.model.config(), self.params.builder())?;
        }
        Ok(())
    }

    /// Mean loss of answer tokens by kind of sample, without learning.
    pub fn measure(
        &mut self,
        batches: impl IntoIterator<Item = Result<Batch>>,
    ) -> Result<BTreeMap<String, f64>> {
        self.renew()?;
        let mut figures = WeightedSums::new();
        for batch in batches {
            let batch = batch?;
            let normalizer = LossNormalizer::of(&StepTotals::of(std::slice::from_ref(&batch)));
            let losses = self
                .objective
                .losses(&self.model, &batch, normalizer, &self.names)?;
            losses.add_kinds(&self.model, &batch, &mut figures)?;
            losses.add_accuracy(&mut figures)?;
        }
        Ok(means(figures))
    }
}
