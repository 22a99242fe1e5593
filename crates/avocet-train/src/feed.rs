//! The data of a stage: batches made ahead of time, each with the position that follows it.

use std::path::Path;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, sync_channel};

use avocet_data::shard::Reader;
use avocet_data::{
    Augment, Batch, BatchShape, BatchSize, Loader, LoaderSource, MadeSamples, Position, Recognise,
    Samples, SourceReport,
};
use avocet_infer::Onlooker;
use avocet_media::Recognition;
use avocet_text::ChatTokenizer;
use sha2::{Digest, Sha256};

use crate::checkpoint::RunState;
use crate::config::{MeanOver, SourceConfig, StageConfig, TrainConfig};
use crate::error::{Result, TrainError};
use crate::imagined;
use crate::stage_init::StageInit;

/// Pictures that say which of the recogniser's features go together.
const DRAWINGS: usize = 256;

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
    pub(crate) fn start(
        config: &TrainConfig,
        state: &RunState,
        start: &StageInit,
        onlooker: Option<Arc<Onlooker>>,
    ) -> Result<Self> {
        let stage = config.stages[state.stage].clone();
        let seed = config.seed.wrapping_add(state.stage as u64);
        let mut source = Source::open(&stage, start, seed, onlooker)?;
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
    recognise: Option<Recognise>,
    hidden: f32,
    position: Option<Position>,
    loader: Option<(BatchSize, Loader)>,
}

impl Source {
    fn open(
        stage: &StageConfig,
        start: &StageInit,
        seed: u64,
        onlooker: Option<Arc<Onlooker>>,
    ) -> Result<Self> {
        let datasets = stage.data.iter().filter(|source| !source.concepts);
        let readers = datasets.map(|source| reader(&source.path));
        let readers = readers.collect::<Result<Vec<_>>>()?;
        let made = match stage.data.iter().any(|source| source.concepts) {
            true => Some(Arc::new(made(stage, start, seed, onlooker, &readers)?)),
            false => None,
        };
        let mut readers = readers.into_iter();
        let mut open = |source: &SourceConfig| {
            let samples = match (&made, source.concepts) {
                (Some(made), true) => Samples::Made(made.clone()),
                _ => Samples::Dataset(readers.next().expect("each dataset was opened")),
            };
            let mut opened = LoaderSource {
                samples,
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
            sources: stage.data.iter().map(&mut open).collect::<Result<_>>()?,
            recognise: start.recognise.clone(),
            hidden: stage.hidden,
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
                let loader = Loader::new(sources, language, shape, size, self.seed)
                    .map_err(|error| TrainError::Data(error.to_string()))?;
                let mut loader = loader.recognising(self.recognise.clone());
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
        let (seed, hidden) = (self.seed, self.hidden);
        let loader = self.loader(size)?;
        let mut batches = Vec::with_capacity(stage.micro_batches);
        while batches.len() < stage.micro_batches {
            match loader.next_batch().map_err(TrainError::data)? {
                Some(mut batch) => {
                    if stage.mean_over == MeanOver::Samples {
                        even_out(&mut batch);
                    }
                    hide(&mut batch, hidden, [seed, done, batches.len() as u64]);
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

/// What is made of the names that the recogniser knows. Pictures of the stage's `readers`, evenly
/// chosen, say which features go together.
fn made(
    stage: &StageConfig,
    start: &StageInit,
    seed: u64,
    onlooker: Option<Arc<Onlooker>>,
    readers: &[Arc<Reader>],
) -> Result<MadeSamples> {
    let (Some(onlooker), Some(recognise)) = (onlooker, &start.recognise) else {
        let field = format!("stage {:?}: data.concepts", stage.name);
        return Err(TrainError::config(field, "the model recognises nothing"));
    };
    let mut drawings = Vec::new();
    for reader in readers {
        let wanted = DRAWINGS / readers.len();
        let stride = reader.len().div_ceil(wanted.max(1)).max(1);
        for index in (0..reader.len()).step_by(stride) {
            let sample = reader.get(index).map_err(TrainError::data)?;
            let first = sample.images.first().map(|image| recognise(image));
            drawings.extend(first.transpose().map_err(TrainError::Data)?);
        }
    }
    imagined::samples(onlooker, &drawings, seed)
}

/// Hides, of so many pictures, the features that the recogniser gives; of as many others the names.
fn hide(batch: &mut Batch, share: f32, place: [u64; 3]) {
    if share <= 0.0 {
        return;
    }
    for (picture, seen) in batch.recognitions.iter_mut().enumerate() {
        let numbers = [place[0], place[1], place[2], picture as u64].map(u64::to_le_bytes);
        let hash = Sha256::digest(numbers.concat());
        let part = |at: usize| f32::from(u16::from_le_bytes([hash[at], hash[at + 1]])) / 65_536.0;
        let without = |features: bool| Recognition {
            features: match features {
                true => Vec::new(),
                false => seen.features.clone(),
            },
            log_probs: match features {
                true => seen.log_probs.clone(),
                false => Vec::new(),
            },
        };
        if part(0) < share {
            *seen = Arc::new(without(true));
        } else if part(2) < share && !seen.features.is_empty() {
            *seen = Arc::new(without(false));
        }
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
            samples: Samples::Dataset(reader(path)?),
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
        let loader = loader.map_err(|error| TrainError::Data(error.to_string()))?;
        Some(loader.recognising(start.recognise.clone()))
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
