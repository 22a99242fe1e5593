//! Ranks as threads of one process: a second form of [`Reduce`], which shows that a step has all
//! that several processes need.

use std::collections::HashMap;
use std::sync::Mutex;
use std::sync::mpsc::{Receiver, Sender, channel};

use avocet_config::{ModelConfig, preset};
use avocet_data::{Batch, Truth};
use avocet_kernels::Placement;

use super::Learner;
use crate::config::{LossWeights, ModelSource, StageConfig, StageKind};
use crate::error::{Result, TrainError};
use crate::figures::{StepReport, StepWork};
use crate::gradients::Gradients;
use crate::params::{Params, hash};
use crate::reduce::{Reduce, StepTotals};
use crate::step_bench::synthetic_batch;

/// What one rank tells another.
enum Part {
    Totals(StepTotals),
    Work(StepWork),
}

/// One of several ranks, with a way to and from each, itself included.
#[derive(Debug)]
struct Threads {
    to: Vec<Sender<Part>>,
    from: Mutex<Vec<Receiver<Part>>>,
}

impl Threads {
    fn ranks(world: usize) -> Vec<Self> {
        let mut to: Vec<Vec<Sender<Part>>> = (0..world).map(|_| Vec::new()).collect();
        let mut from = Vec::new();
        for _ in 0..world {
            let mut of_rank = Vec::new();
            for sender in &mut to {
                let (send, receive) = channel();
                sender.push(send);
                of_rank.push(receive);
            }
            from.push(Mutex::new(of_rank));
        }
        let ranks = to.into_iter().zip(from);
        ranks.map(|(to, from)| Self { to, from }).collect()
    }

    /// What every rank has, in the order of the ranks.
    fn gather(&self, mine: impl Fn() -> Result<Part>) -> Result<Vec<Part>> {
        let gone = || TrainError::Data("a rank is gone".into());
        for to in &self.to {
            to.send(mine()?).map_err(|_| gone())?;
        }
        let from = self.from.lock().expect("no other rank panics here");
        let received = from.iter().map(|from| from.recv().map_err(|_| gone()));
        received.collect()
    }
}

/// Gradients are added in place, so that each rank needs some of its own.
fn copied(work: &StepWork) -> Result<StepWork> {
    let gradients = work.gradients.iter();
    let copies = gradients.map(|(name, gradient)| Ok((name.clone(), gradient.copy()?)));
    Ok(StepWork {
        gradients: copies.collect::<Result<Gradients>>()?,
        figures: work.figures.clone(),
    })
}

impl Reduce for Threads {
    fn totals(&self, mine: StepTotals) -> Result<StepTotals> {
        let mut sums = StepTotals::default();
        for part in self.gather(|| Ok(Part::Totals(mine.clone())))? {
            if let Part::Totals(totals) = part {
                sums.add(totals);
            }
        }
        Ok(sums)
    }

    fn work(&self, mine: StepWork) -> Result<StepWork> {
        let mut sums = StepWork::default();
        for part in self.gather(|| Ok(Part::Work(copied(&mine)?)))? {
            if let Part::Work(work) = part {
                sums.add(work)?;
            }
        }
        Ok(sums)
    }
}

/// A joint stage with all that a step hands between ranks.
fn learner(config: &ModelConfig) -> Result<Learner> {
    let model = ModelSource::Inline(Box::new(config.clone()));
    let stage = StageConfig {
        clip: Some(0.5),
        router_bias_rate: 0.01,
        losses: LossWeights {
            ctc: 0.5,
            names: 0.5,
            ..LossWeights::default()
        },
        ..StageConfig::new("ranks", StageKind::Joint, model, 4)
    };
    let params = Params::new(5, stage.selection(), HashMap::new(), &Placement::default());
    Learner::new(config, &stage, params, Vec::new())
}

fn config() -> ModelConfig {
    let mut config = preset("tiny").expect("a preset");
    config.decoder.moe.as_mut().expect("experts").loss_free_bias = true;
    config
}

/// Micro-batches with texts to read and names to learn; some names come in several.
fn batches(config: &ModelConfig) -> Vec<Batch> {
    let batch = |seed: u64| {
        let mut batch = synthetic_batch(config, 4, seed);
        for (index, truth) in batch.truths.iter_mut().enumerate().skip(2) {
            *truth = Some(Truth::Name(format!("name {}", seed + index as u64)));
        }
        batch
    };
    (1..=3).map(batch).collect()
}

/// All that must not depend on how a step is shared out.
fn state(learner: &Learner, report: StepReport) -> Result<String> {
    let report = StepReport {
        forward_s: 0.0,
        backward_s: 0.0,
        optimizer_s: 0.0,
        ..report
    };
    let parameters = learner.params().hash(|_| true)?;
    let moments = hash(learner.optimizer().state()?.iter())?;
    let names = learner.names();
    Ok(format!("{parameters} {moments} {names:?} {report:?}"))
}

/// The states after `steps` steps of all ranks, each of which has one of `batches`.
fn on_ranks(config: &ModelConfig, batches: &[Batch], steps: usize) -> Result<Vec<String>> {
    std::thread::scope(|scope| {
        let ranks = Threads::ranks(batches.len()).into_iter().zip(batches);
        let threads: Vec<_> = ranks
            .map(|(ranks, batch)| {
                scope.spawn(move || {
                    let mut learner = learner(config)?.over_ranks(Box::new(ranks));
                    let mut report = StepReport::default();
                    for _ in 0..steps {
                        report = learner.step(std::slice::from_ref(batch), 1e-2, true)?;
                    }
                    state(&learner, report)
                })
            })
            .collect();
        let ended = threads.into_iter().map(|thread| thread.join());
        ended.map(|state| state.expect("no rank panics")).collect()
    })
}

#[test]
fn ranks_that_share_micro_batches_out_train_as_one_process_does_bit_for_bit() -> Result<()> {
    let config = config();
    let batches = batches(&config);
    let mut alone = learner(&config)?;
    let before = alone.params().hash(|_| true)?;
    let mut report = StepReport::default();
    for _ in 0..3 {
        report = alone.step(&batches, 1e-2, true)?;
        assert!(report.applied);
    }
    assert_ne!(alone.params().hash(|_| true)?, before);
    assert_eq!(alone.names(), ["name 3", "name 4", "name 5", "name 6"]);
    let expected = state(&alone, report)?;
    for (rank, state) in on_ranks(&config, &batches, 3)?.into_iter().enumerate() {
        assert_eq!(state, expected, "rank {rank}");
    }
    Ok(())
}

#[test]
fn a_gradient_that_is_not_finite_on_one_rank_changes_nothing_on_any() -> Result<()> {
    let config = config();
    let mut batches = batches(&config);
    batches[1].patches[0] = f32::NAN;
    let unchanged = learner(&config)?;
    let hash = unchanged.params().hash(|_| true)?;
    for (rank, state) in on_ranks(&config, &batches, 1)?.into_iter().enumerate() {
        assert!(state.starts_with(&hash), "rank {rank}: {state}");
        assert!(state.contains("applied: false"), "rank {rank}: {state}");
    }
    Ok(())
}
