//! A model under training: one step takes micro-batches and changes the parameters.

use std::collections::{BTreeMap, HashMap};
use std::time::Instant;

use avocet_config::ModelConfig;
use avocet_data::Batch;
use avocet_model::{Part, VisionLanguageModel};
use candle_core::{CpuStorage, InplaceOp1, Layout, Tensor};
use rayon::prelude::*;

use crate::config::{StageConfig, StageKind};
use crate::contrast::Contrast;
use crate::error::{Result, TrainError};
use crate::objective::{KindSums, LossNormalizer, Losses, Objective, step_flops};
use crate::optimizer::{AdamW, Gradients};
use crate::params::{AUXILIARY, Param, Params};
use crate::pattern::matches;
use crate::vision::{AuxiliaryHeads, Names};

mod recompute;

/// A model under training with everything that a step needs.
#[derive(Debug)]
pub struct Learner {
    model: VisionLanguageModel,
    objective: Objective,
    params: Params,
    trained: Vec<Param>,
    optimizer: AdamW,
    names: Names,
    clip: Option<f64>,
    router_bias_rate: f64,
    vision_trains: bool,
    recompute: bool,
}

/// What a step did.
#[derive(Debug, Clone, Default)]
pub struct StepReport {
    /// What was minimised.
    pub loss: f64,
    /// Its parts, before weighting.
    pub parts: BTreeMap<String, f64>,
    /// Mean loss of answer tokens by kind of sample, when measured.
    pub kinds: BTreeMap<String, f64>,
    /// Figures on the auxiliary heads, when measured.
    pub accuracy: BTreeMap<String, f64>,
    /// Norm of the gradient before clipping.
    pub gradient_norm: f64,
    /// False when the gradient was not finite and nothing changed.
    pub applied: bool,
    /// Choices that fell on each expert, by layer.
    pub loads: Vec<Vec<u64>>,
    /// Operations of the model.
    pub flops: f64,
    /// Seconds of the forward passes of all micro-batches, which may run side by side.
    pub forward_s: f64,
    /// Seconds of their backward passes.
    pub backward_s: f64,
    /// Seconds of the optimizer.
    pub optimizer_s: f64,
}

/// What a micro-batch adds to a step.
#[derive(Debug, Default)]
struct MicroBatch {
    report: StepReport,
    gradients: Gradients,
    kinds: KindSums,
    accuracy: KindSums,
}

impl StepReport {
    /// Adds what another micro-batch did.
    fn add(&mut self, part: &Self) {
        self.loss += part.loss;
        for (name, loss) in &part.parts {
            *self.parts.entry(name.clone()).or_default() += loss;
        }
        add_loads(&mut self.loads, &part.loads);
        self.flops += part.flops;
        self.forward_s += part.forward_s;
        self.backward_s += part.backward_s;
    }
}

impl Learner {
    /// A learner for a stage, over parameters that exist or that the model asks for now. `names`
    /// have their places in the naming head.
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
            },
            model,
            params,
            trained,
            names: Names::new(names),
            clip: stage.clip,
            router_bias_rate: stage.router_bias_rate,
            recompute: stage.recompute && stage.kind != StageKind::Vision,
        })
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

    /// Trains one step at `rate` on the micro-batches together; `measure` adds the figures that
    /// cost extra work.
    ///
    /// As many micro-batches as there are threads run side by side; their gradients are added in
    /// order, so that the result does not depend on the threads.
    pub fn step(&mut self, batches: &[Batch], rate: f64, measure: bool) -> Result<StepReport> {
        self.renew()?;
        let normalizer = LossNormalizer::of(batches);
        if let Some(heads) = &self.objective.heads {
            for batch in batches {
                self.names.learn(&batch.truths, heads.num_names());
            }
        }
        let mut report = StepReport::default();
        let mut gradients = Gradients::default();
        let (mut kinds, mut accuracy) = (KindSums::new(), KindSums::new());
        for group in batches.chunks(rayon::current_num_threads()) {
            let parts: Vec<Result<MicroBatch>> = group
                .par_iter()
                .map(|batch| self.part(batch, normalizer, measure))
                .collect();
            for part in parts {
                let part = part?;
                gradients.add(part.gradients)?;
                report.add(&part.report);
                add_sums(&mut kinds, part.kinds);
                add_sums(&mut accuracy, part.accuracy);
            }
        }
        let started = Instant::now();
        let step = self.optimizer.step(&gradients, rate, self.clip)?;
        report.optimizer_s = started.elapsed().as_secs_f64();
        (report.gradient_norm, report.applied) = (step.norm, step.applied);
        (report.kinds, report.accuracy) = (means(kinds), means(accuracy));
        if step.applied {
            self.move_router_biases(&report.loads)?;
        }
        Ok(report)
    }

    /// Makes the matrices that are sums of frozen and learning ones anew.
    fn renew(&mut self) -> Result<()> {
        if self.params.has_sums() {
            self.model = VisionLanguageModel::new(self.model.config(), self.params.builder())?;
        }
        Ok(())
    }

    /// What one micro-batch adds to a step.
    fn part(&self, batch: &Batch, normalizer: LossNormalizer, measure: bool) -> Result<MicroBatch> {
        let started = Instant::now();
        if self.recompute {
            return self.part_recomputed(batch, normalizer, measure);
        }
        let losses = self
            .objective
            .losses(&self.model, batch, normalizer, &self.names)?;
        let mut part = MicroBatch {
            report: StepReport {
                forward_s: started.elapsed().as_secs_f64(),
                flops: step_flops(
                    self.model.config(),
                    self.objective.kind,
                    batch,
                    self.vision_trains,
                    self.objective.contrast.is_some(),
                ),
                ..StepReport::default()
            },
            ..MicroBatch::default()
        };
        for (name, loss) in &losses.parts {
            part.report.parts.insert((*name).to_string(), scalar(loss)?);
        }
        add_loads(&mut part.report.loads, &losses.loads);
        if measure {
            losses.add_kinds(&self.model, batch, &mut part.kinds)?;
            add_accuracy(&losses, &mut part.accuracy)?;
        }
        if let Some(total) = &losses.total {
            part.report.loss = scalar(total)?;
            let started = Instant::now();
            part.gradients = Gradients::of(&self.trained, &mut total.backward()?)?;
            part.report.backward_s = started.elapsed().as_secs_f64();
        }
        Ok(part)
    }

    /// Mean loss of answer tokens by kind of sample, without learning.
    pub fn measure(
        &mut self,
        batches: impl IntoIterator<Item = Result<Batch>>,
    ) -> Result<BTreeMap<String, f64>> {
        self.renew()?;
        let mut figures = KindSums::new();
        for batch in batches {
            let batch = batch?;
            let normalizer = LossNormalizer::of(std::slice::from_ref(&batch));
            let losses = self
                .objective
                .losses(&self.model, &batch, normalizer, &self.names)?;
            losses.add_kinds(&self.model, &batch, &mut figures)?;
            add_accuracy(&losses, &mut figures)?;
        }
        Ok(means(figures))
    }

    /// Moves the loss-free router biases against the experts' load (arXiv:2408.15664): an expert
    /// above the mean becomes a little less likely to be chosen, one below a little more.
    fn move_router_biases(&self, loads: &[Vec<u64>]) -> Result<()> {
        if self.router_bias_rate == 0.0 {
            return Ok(());
        }
        for (bias, load) in self.params.router_biases().iter().zip(loads) {
            let mean = load.iter().sum::<u64>() as f64 / load.len().max(1) as f64;
            let against =
                |&load: &u64| (mean - load as f64).signum() * f64::from(load as f64 != mean);
            let moves = load
                .iter()
                .map(|l| (against(l) * self.router_bias_rate) as f32);
            bias.inplace_op1(&AddTo(moves.collect()))?;
        }
        Ok(())
    }
}

struct AddTo(Vec<f32>);

impl InplaceOp1 for AddTo {
    fn name(&self) -> &'static str {
        "add-to"
    }

    fn cpu_fwd(&self, storage: &mut CpuStorage, layout: &Layout) -> candle_core::Result<()> {
        match (storage, layout.contiguous_offsets()) {
            (CpuStorage::F32(values), Some((from, to))) if to - from == self.0.len() => {
                values[from..to]
                    .iter_mut()
                    .zip(&self.0)
                    .for_each(|(v, m)| *v += m);
                Ok(())
            }
            _ => candle_core::bail!("a router bias must be f32, one value an expert"),
        }
    }
}

fn scalar(tensor: &Tensor) -> Result<f64> {
    Ok(f64::from(tensor.to_scalar::<f32>()?))
}

/// Adds how well the auxiliary heads did on a batch.
fn add_accuracy(losses: &Losses, sums: &mut KindSums) -> Result<()> {
    let accuracy = losses.accuracy()?;
    let figures = [
        ("character_error_rate", accuracy.character_error_rate),
        ("name_accuracy", accuracy.name_accuracy),
    ];
    for (name, figure) in figures {
        if let Some(figure) = figure {
            add_sums(sums, [(name.to_string(), (figure, 1.0))].into());
        }
    }
    Ok(())
}

fn add_sums(sums: &mut KindSums, parts: KindSums) {
    for (name, (sum, weight)) in parts {
        let (total, weights) = sums.entry(name).or_default();
        *total += sum;
        *weights += weight;
    }
}

fn add_loads<T: Copy + Into<u64>>(sums: &mut Vec<Vec<u64>>, loads: &[Vec<T>]) {
    if sums.is_empty() {
        *sums = loads.iter().map(|load| vec![0; load.len()]).collect();
    }
    for (sum, load) in sums.iter_mut().zip(loads) {
        sum.iter_mut().zip(load).for_each(|(s, &l)| *s += l.into());
    }
}

fn means(sums: KindSums) -> BTreeMap<String, f64> {
    sums.into_iter()
        .map(|(kind, (sum, weight))| (kind, sum / weight.max(1e-9)))
        .collect()
}
