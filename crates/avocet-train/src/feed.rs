//! The data of a stage: batches made ahead of time, each with the position that follows it.

use std::path::Path;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, sync_channel};

use avocet_data::shard::Reader;
use avocet_data::{
    Augment, Batch, BatchShape, BatchSize, Loader, LoaderSource, Position, SourceReport,
};
use avocet_text::ChatTokenizer;

use crate::checkpoint::RunState;
use crate::config::{MeanOver, SourceConfig, StageConfig, TrainConfig};
use crate::error::{Result, TrainError};
use crate::stage_init::StageInit;

/// Steps whose data is made ahead.
const AHEAD: usize = 2;

/// The data of one step.
#[derive(Debug)]
pub(crate) struct StepBatches {
    /// The micro-batches.
    pub(crate) batches: Vec<Batch>,
    /// Samples in them.
    pub(crate) samples: u64,
    /// Where the loader stands after them.
    pub(crate) position: serde_json::Value,
    /// What has been seen of each source of the stage, with them.
    pub(crate) sources: Vec<SourceReport>,
}

/// Makes the data of a stage's steps on a thread of its own.
#[derive(Debug)]
pub(crate) struct BatchPrefetcher {
    receiver: Receiver<Result<Option<StepBatches>>>,
    epoch_samples: f64,
}

impl BatchPrefetcher {
    /// Goes on from where `state` stands.
    ///
    /// Errors if a source cannot be opened, or the position is of other sources.
    pub(crate) fn start(config: &TrainConfig, state: &RunState, start: &StageInit) -> Result<Self> {
        let stage = config.stages[state.stage].clone();
        let mut source = Source::open(&stage, start, config.seed.wrapping_add(state.stage as u64))?;
        if !state.position.is_null() {
            let position = serde_json::from_value(state.position.clone())
                .map_err(|error| TrainError::Data(format!("position in state.json: {error}")))?;
            source.position = Some(position);
        }
        // The first loader is made here, so that mistakes are reported before anything runs.
        let loader = source.loader(stage.size_at(state.stage_step))?;
        let samples = loader.report().into_iter().zip(&stage.data);
        let samples = samples.map(|(report, source)| report.samples * stage.passes(source));
        let epoch_samples = samples.sum::<u64>() as f64;
        let (sender, receiver) = sync_channel(AHEAD);
        let first = state.stage_step;
        std::thread::spawn(move || {
            for done in first.. {
                let fed = source.step(&stage, done);
                let last = !matches!(fed, Ok(Some(_)));
                if sender.send(fed).is_err() || last {
                    return;
                }
            }
        });
        Ok(Self {
            receiver,
            epoch_samples,
        })
    }

    /// The data of the next step; none when every source is used up.
    pub(crate) fn next(&mut self) -> Result<Option<StepBatches>> {
        let gone = || Err(TrainError::Data("the loading thread ended early".into()));
        self.receiver.recv().unwrap_or_else(|_| gone())
    }

    /// Samples of one pass over all sources; of all the passes that each may make, where these
    /// decide the stage's length.
    pub(crate) fn epoch_samples(&self) -> f64 {
        self.epoch_samples
    }
}

/// Datasets with all that making batches of them needs.
struct Source {
    sources: Vec<LoaderSource>,
    language: Arc<ChatTokenizer>,
    shape: BatchShape,
    seed: u64,
    position: Option<Position>,
    loader: Option<(BatchSize, Loader)>,
}

impl Source {
    fn open(stage: &StageConfig, start: &StageInit, seed: u64) -> Result<Self> {
        let open = |source: &SourceConfig| {
            let mut opened = LoaderSource {
                reader: reader(&source.path)?,
                weight: source.weight.unwrap_or(1.0),
                epochs: source.epochs,
                kinds: source.kinds.clone(),
                enlarged: source.enlarged,
                augment: source.augment.into(),
            };
            if source.weight.is_none() && stage.lasts_as_its_sources() {
                // All run dry together.
                opened.weight = (stage.passes(source) * opened.len() as u64).max(1) as f64;
            }
            Ok(opened)
        };
        Ok(Self {
            sources: stage.data.iter().map(open).collect::<Result<_>>()?,
            language: start.language.clone(),
            shape: start.shape.clone(),
            seed,
            position: None,
            loader: None,
        })
    }

    /// The loader of batches of `size`, at the position reached.
    fn loader(&mut self, size: BatchSize) -> Result<&mut Loader> {
        let loader = match self.loader.take() {
            Some((of, loader)) if of == size => loader,
            _ => {
                let (language, sources) = (self.language.clone(), self.sources.clone());
                let shape = self.shape.clone();
                let mut loader = Loader::new(sources, language, shape, size, self.seed)
                    .map_err(|error| TrainError::Data(error.to_string()))?;
                if let Some(position) = &self.position {
                    let sought = loader.seek(position.clone());
                    sought.map_err(|error| TrainError::Data(error.to_string()))?;
                }
                loader
            }
        };
        Ok(&mut self.loader.insert((size, loader)).1)
    }

    fn step(&mut self, stage: &StageConfig, done: u64) -> Result<Option<StepBatches>> {
        let size = stage.size_at(done);
        let before = self.position.as_ref().map_or(0, samples_in);
        let loader = self.loader(size)?;
        let mut batches = Vec::with_capacity(stage.micro_batches);
        while batches.len() < stage.micro_batches {
            match loader.next_batch().map_err(TrainError::data)? {
                Some(mut batch) => {
                    if stage.mean_over == MeanOver::Samples {
                        even_out(&mut batch);
                    }
                    batches.push(batch);
                }
                None => break,
            }
        }
        if batches.is_empty() {
            return Ok(None);
        }
        let position = loader.position();
        let samples = samples_in(&position) - before;
        let json = serde_json::to_value(&position)
            .map_err(|error| TrainError::Data(format!("position: {error}")))?;
        let sources = loader.report();
        self.position = Some(position);
        Ok(Some(StepBatches {
            sources,
            batches,
            samples,
            position: json,
        }))
    }
}

/// Scales the weights of each sample's answer tokens so that they add up to one.
fn even_out(batch: &mut Batch) {
    for span in batch.offsets.windows(2) {
        let weights = &mut batch.weights[span[0]..span[1]];
        let total: f32 = weights.iter().sum();
        if total > 0.0 {
            weights.iter_mut().for_each(|weight| *weight /= total);
        }
    }
}

fn samples_in(position: &Position) -> u64 {
    position.sources.iter().map(|source| source.samples).sum()
}

fn reader(path: &Path) -> Result<Arc<Reader>> {
    let reader = Reader::open(path).map_err(TrainError::data)?;
    Ok(Arc::new(reader))
}

/// The held-out data of a stage, always the same samples.
pub(crate) fn held_out(
    stage: &StageConfig,
    start: &StageInit,
) -> Result<impl Iterator<Item = Result<Batch>> + use<>> {
    let open = |path: &std::path::PathBuf| {
        Ok(LoaderSource {
            reader: reader(path)?,
            weight: 1.0,
            epochs: Some(1),
            kinds: None,
            enlarged: 0.0,
            augment: Augment::None,
        })
    };
    let sources = stage
        .held_out
        .iter()
        .map(open)
        .collect::<Result<Vec<_>>>()?;
    let size = BatchSize::Samples(stage.eval_samples.clamp(1, 32));
    let count = stage.eval_samples.div_ceil(32);
    let mut loader = if sources.is_empty() {
        None
    } else {
        let (language, shape) = (start.language.clone(), start.shape.clone());
        let loader = Loader::new(sources, language, shape, size, 0);
        Some(loader.map_err(|error| TrainError::Data(error.to_string()))?)
    };
    let next = move || {
        loader
            .as_mut()?
            .next_batch()
            .map_err(TrainError::data)
            .transpose()
    };
    Ok(std::iter::from_fn(next).take(count))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_sample_with_an_answer_weighs_one() {
        let mut batch = Batch {
            offsets: vec![0, 3, 5, 6],
            weights: vec![0.0, 1.0, 1.0, 0.0, 0.0, 1.0],
            ..Batch::default()
        };
        even_out(&mut batch);
        assert_eq!(batch.weights, [0.0, 0.5, 0.5, 0.0, 0.0, 1.0]);
    }
}
