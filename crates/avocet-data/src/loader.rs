//! The stream of batches that a training run reads: datasets, mixed, packed, ahead of time.

use std::path::Path;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, sync_channel};
use std::thread;

use avocet_text::Language;

use crate::batch::{Batch, BatchShape, Prepared};
use crate::mix::{Mixture, MixtureSource, Position, SourceReport};
use crate::shard::Reader;
use crate::{DataError, MixtureError};

/// When a batch is full.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BatchSize {
    /// At this many samples.
    Samples(usize),
    /// Before text tokens and patches together pass this number; at least one sample.
    Rows(usize),
}

/// A dataset to read from.
#[derive(Debug, Clone)]
pub struct LoaderSource {
    /// The dataset; may be shared by several loaders.
    pub reader: Arc<Reader>,
    /// Share of the stream relative to the other sources, by samples.
    pub weight: f64,
    /// After this many passes it is used up; none means it never is.
    pub epochs: Option<u32>,
}

/// Makes batches one after another; the same seed gives the same batches.
pub struct Loader {
    readers: Vec<Arc<Reader>>,
    mixture: Mixture,
    language: Arc<Language>,
    shape: BatchShape,
    size: BatchSize,
    /// Drawn but too large for the last batch, and the position before it was drawn.
    pending: Option<(Prepared, Position)>,
}

impl Loader {
    /// Mixes datasets from the beginning.
    ///
    /// Errors if they cannot be mixed; sources are named by their folders.
    pub fn new(
        sources: Vec<LoaderSource>,
        language: Arc<Language>,
        shape: BatchShape,
        size: BatchSize,
        seed: u64,
    ) -> Result<Self, MixtureError> {
        let describe = |source: &LoaderSource| MixtureSource {
            name: name_of(source.reader.folder()),
            samples: source.reader.len(),
            weight: source.weight,
            epochs: source.epochs,
        };
        let mixture = Mixture::new(sources.iter().map(describe).collect(), seed)?;
        let readers = sources.into_iter().map(|source| source.reader).collect();
        Ok(Self {
            readers,
            mixture,
            language,
            shape,
            size,
            pending: None,
        })
    }

    /// Goes to a position given with an earlier batch of such a loader.
    ///
    /// Errors if it is of another mixture.
    pub fn seek(&mut self, position: Position) -> Result<(), MixtureError> {
        self.pending = None;
        self.mixture.seek(position)
    }

    /// Where the next batch begins.
    pub fn position(&self) -> Position {
        match &self.pending {
            Some((_, before)) => before.clone(),
            None => self.mixture.position().clone(),
        }
    }

    /// What has been seen of each source.
    pub fn report(&self) -> Vec<SourceReport> {
        self.mixture.report()
    }

    /// Makes the next batch; none once every source is used up.
    ///
    /// Errors if a sample is damaged.
    pub fn next_batch(&mut self) -> Result<Option<Batch>, DataError> {
        let mut batch = Batch::new();
        let mut samples = 0;
        loop {
            let (prepared, before) = match self.pending.take() {
                Some(pending) => pending,
                None => match self.draw()? {
                    Some(drawn) => drawn,
                    None => return Ok((samples > 0).then_some(batch)),
                },
            };
            if samples > 0 && !self.fits(&batch, samples, &prepared) {
                self.pending = Some((prepared, before));
                return Ok(Some(batch));
            }
            batch.push(prepared);
            samples += 1;
            if self.size == BatchSize::Samples(samples) {
                return Ok(Some(batch));
            }
        }
    }

    fn fits(&self, batch: &Batch, samples: usize, next: &Prepared) -> bool {
        match self.size {
            BatchSize::Samples(most) => samples < most,
            BatchSize::Rows(most) => {
                let rows = batch.ids.len() + batch.num_patches();
                rows + next.num_tokens() + next.num_patches() <= most
            }
        }
    }

    fn draw(&mut self) -> Result<Option<(Prepared, Position)>, DataError> {
        let before = self.mixture.position().clone();
        let Some(draw) = self.mixture.draw() else {
            return Ok(None);
        };
        let reader = &self.readers[draw.source];
        let sample = reader.get(draw.sample)?;
        let prepared = Prepared::new(&sample, &self.language, &self.shape).map_err(|cause| {
            let path = reader.folder().to_path_buf();
            DataError::Sample {
                path,
                index: draw.sample,
                cause,
            }
        })?;
        self.mixture
            .count_tokens(draw, prepared.num_tokens() as u64);
        Ok(Some((prepared, before)))
    }

    /// Makes batches on a thread of its own, at most `depth` ahead; the stream is the same.
    pub fn prefetch(mut self, depth: usize) -> Prefetch {
        let (sender, receiver) = sync_channel(depth.max(1));
        let position = self.position();
        let report = self.report();
        thread::spawn(move || {
            loop {
                let next = self
                    .next_batch()
                    .map(|batch| batch.map(|batch| (batch, self.position(), self.report())));
                let last = !matches!(next, Ok(Some(_)));
                if sender.send(next).is_err() || last {
                    return;
                }
            }
        });
        Prefetch {
            receiver,
            position,
            report,
            ended: false,
        }
    }
}

/// Last two names of the path: enough to tell datasets apart, wherever they lie.
fn name_of(folder: &Path) -> String {
    let names: Vec<_> = folder.iter().map(|part| part.to_string_lossy()).collect();
    names[names.len().saturating_sub(2)..].join("/")
}

type Next = Result<Option<(Batch, Position, Vec<SourceReport>)>, DataError>;

/// Batches made ahead of time on a background thread.
#[derive(Debug)]
pub struct Prefetch {
    receiver: Receiver<Next>,
    position: Position,
    report: Vec<SourceReport>,
    ended: bool,
}

impl Prefetch {
    /// Takes the next batch, waiting for it if need be; none once every source is used up.
    ///
    /// Errors as [`Loader::next_batch`] does, once; after that there are no more batches.
    pub fn next_batch(&mut self) -> Result<Option<Batch>, DataError> {
        if self.ended {
            return Ok(None);
        }
        let next = self.receiver.recv().unwrap_or(Err(DataError::LoaderGone));
        self.ended = !matches!(next, Ok(Some(_)));
        Ok(next?.map(|(batch, position, report)| {
            self.position = position;
            self.report = report;
            batch
        }))
    }

    /// Position after the last batch taken, whatever was made ahead.
    pub fn position(&self) -> &Position {
        &self.position
    }

    /// What had been seen of each source when the last batch taken was made.
    pub fn report(&self) -> &[SourceReport] {
        &self.report
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Sample;
    use crate::shard::{Recipe, Writer};
    use avocet_media::{ImageProcessor, Picture};
    use avocet_text::{Tokenizer, Turn};

    const SHAPE: BatchShape = BatchShape {
        processor: ImageProcessor::Native {
            patch_size: 4,
            max_patches: 9,
        },
        max_context: 64,
    };

    fn dataset(folder: &Path, samples: usize) -> Arc<Reader> {
        let recipe = Recipe::new("test", "train", 1, serde_json::json!(null));
        let mut writer = Writer::open(folder, recipe).unwrap();
        for n in 0..samples {
            let rgb = (0..(4 + n % 9) * 8 * 3).map(|i| (i * n) as u8).collect();
            let image = Picture::from_rgb(4 + n % 9, 8, rgb)
                .unwrap()
                .to_png()
                .unwrap();
            let answer = Turn::assistant("x".repeat(1 + n % 13));
            let from = ("vqa", "made-up", "CC0-1.0");
            let sample = Sample::question(from, image, None, "?", answer).unwrap();
            writer.keep(&n.to_string(), &[sample]).unwrap();
        }
        writer.finish().unwrap();
        Arc::new(Reader::open(folder).unwrap())
    }

    fn loader(folder: &Path, size: BatchSize) -> Loader {
        let open = |name: &str, samples| match folder.join(name) {
            path if path.exists() => Arc::new(Reader::open(&path).unwrap()),
            path => dataset(&path, samples),
        };
        let sources = vec![
            LoaderSource {
                reader: open("a", 40),
                weight: 2.0,
                epochs: Some(2),
            },
            LoaderSource {
                reader: open("b", 9),
                weight: 1.0,
                epochs: Some(5),
            },
        ];
        let language = Language::own(Tokenizer::train_bpe(["xyz ?"], 262).unwrap());
        Loader::new(sources, Arc::new(language), SHAPE, size, 3).unwrap()
    }

    #[test]
    fn a_resumed_loader_and_a_background_loader_give_the_same_batches() {
        let dir = tempfile::tempdir().unwrap();
        for size in [
            BatchSize::Samples(4),
            BatchSize::Rows(90),
            BatchSize::Rows(1),
        ] {
            let mut whole = loader(dir.path(), size);
            let mut ahead = loader(dir.path(), size).prefetch(3);
            let (mut batches, mut positions) = (Vec::new(), vec![whole.position()]);
            while let Some(batch) = whole.next_batch().unwrap() {
                assert_eq!(ahead.next_batch().unwrap().as_ref(), Some(&batch));
                assert_eq!(*ahead.position(), whole.position());
                batches.push(batch);
                positions.push(whole.position());
            }
            assert_eq!(ahead.next_batch().unwrap(), None);
            assert_eq!(batches.iter().map(Batch::num_texts).sum::<usize>(), 125);
            for start in [0, 1, batches.len() / 2, batches.len() - 1, batches.len()] {
                let mut resumed = loader(dir.path(), size);
                resumed.seek(positions[start].clone()).unwrap();
                for batch in &batches[start..] {
                    assert_eq!(resumed.next_batch().unwrap().as_ref(), Some(batch));
                }
                assert_eq!(resumed.next_batch().unwrap(), None);
            }
        }
    }

    #[test]
    fn a_row_budget_is_never_passed_except_by_a_single_sample() {
        let dir = tempfile::tempdir().unwrap();
        let mut loader = loader(dir.path(), BatchSize::Rows(70));
        let mut fullest = 0;
        while let Some(batch) = loader.next_batch().unwrap() {
            let rows = batch.ids.len() + batch.num_patches();
            assert!(rows <= 70 || batch.num_texts() == 1);
            fullest = fullest.max(rows);
        }
        assert!(fullest > 50, "{fullest}");
    }

    #[test]
    fn dropping_a_background_loader_early_is_harmless() {
        let dir = tempfile::tempdir().unwrap();
        let mut ahead = loader(dir.path(), BatchSize::Samples(2)).prefetch(1);
        assert!(ahead.next_batch().unwrap().is_some());
        drop(ahead);
    }
}
