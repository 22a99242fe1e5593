//! The stream of batches that a training run reads: datasets, mixed and packed.

use std::sync::Arc;

use avocet_text::ChatTokenizer;

use crate::augment::Augment;
use crate::batch::{Batch, BatchShape, Prepared, Showing};
use crate::digest::sha256;
use crate::made::{MadeSamples, Recognise, Samples};
use crate::mix::{Draw, Mixture, MixtureSource, Position, SourceReport};
use crate::shard::Reader;
use crate::{DataError, MixtureError, SampleError};

/// When a batch is full.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BatchSize {
    /// At this many samples.
    Samples(usize),
    /// Before text tokens and patches together pass this number; at least one sample.
    Rows(usize),
}

/// Samples to read.
#[derive(Debug, Clone)]
pub struct LoaderSource {
    /// Where they come from.
    pub samples: Samples,
    /// Share of the stream relative to the other sources, by samples.
    pub weight: f64,
    /// After this many passes it is used up; none means it never is.
    pub epochs: Option<u32>,
    /// Kinds of its samples that are used; none means all.
    pub kinds: Option<Vec<String>>,
    /// Share of its samples whose pictures are enlarged, by chance and to chance sizes.
    pub enlarged: f32,
    /// What its pictures may become, by chance.
    pub augment: Augment,
}

impl LoaderSource {
    /// Places of the samples used in the dataset; none means all.
    fn places(&self) -> Option<Vec<u32>> {
        let kinds = self.kinds.as_ref()?;
        let Samples::Dataset(reader) = &self.samples else {
            return None;
        };
        let used = |place: &usize| kinds.iter().any(|kind| kind == reader.kind(*place));
        let places = (0..reader.len()).filter(used);
        Some(places.map(|place| place as u32).collect())
    }

    /// Number of samples used.
    pub fn len(&self) -> usize {
        match (self.places(), &self.samples) {
            (Some(places), _) => places.len(),
            (None, Samples::Dataset(reader)) => reader.len(),
            (None, Samples::Made(made)) => made.count,
        }
    }

    /// Whether no sample is used.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Last two names of the folder, which tell datasets apart wherever they lie, and the kinds.
    fn name(&self) -> String {
        let reader = match &self.samples {
            Samples::Dataset(reader) => reader,
            Samples::Made(made) => return made.name.clone(),
        };
        let path = reader.folder().iter();
        let names: Vec<_> = path.map(|part| part.to_string_lossy()).collect();
        let name = names[names.len().saturating_sub(2)..].join("/");
        match &self.kinds {
            None => name,
            Some(kinds) => format!("{name} ({})", kinds.join(", ")),
        }
    }
}

/// A dataset that is read, and which of its samples.
struct Opened {
    samples: Samples,
    places: Option<Vec<u32>>,
    enlarged: f32,
    augment: Augment,
}

impl Opened {
    /// How the pictures of a draw are shown; the same for the same draw.
    fn showing(&self, draw: Draw, seed: u64) -> Showing {
        let drawn = [seed, draw.source as u64, draw.sample as u64, draw.epoch];
        Showing {
            zoom: self.zoom(draw, seed),
            variation: self.augment.variation(&drawn),
        }
    }

    /// How far the pictures of a draw are enlarged, from 0 to 1; the same for the same draw.
    fn zoom(&self, draw: Draw, seed: u64) -> f32 {
        if self.enlarged <= 0.0 {
            return 0.0;
        }
        let numbers = [seed, draw.source as u64, draw.sample as u64, draw.epoch];
        let hash = sha256(&numbers.map(u64::to_le_bytes).concat());
        let part = |at: usize| f32::from(u16::from_le_bytes([hash[at], hash[at + 1]])) / 65_536.0;
        match part(0) < self.enlarged {
            true => part(2),
            false => 0.0,
        }
    }
}

/// Makes batches one after another; the same seed gives the same batches.
pub struct Loader {
    seed: u64,
    datasets: Vec<Opened>,
    mixture: Mixture,
    language: Arc<ChatTokenizer>,
    shape: BatchShape,
    size: BatchSize,
    recognise: Option<Recognise>,
    /// Drawn but too large for the last batch, and the position before it was drawn.
    pending: Option<(Prepared, Position)>,
}

impl Loader {
    /// Mixes datasets from the beginning.
    ///
    /// Errors if they cannot be mixed; sources are named by their folders and kinds.
    pub fn new(
        sources: Vec<LoaderSource>,
        language: Arc<ChatTokenizer>,
        shape: BatchShape,
        size: BatchSize,
        seed: u64,
    ) -> Result<Self, MixtureError> {
        let (mut described, mut datasets) = (Vec::new(), Vec::new());
        for source in sources {
            described.push(MixtureSource {
                name: source.name(),
                samples: source.len(),
                weight: source.weight,
                epochs: source.epochs,
            });
            datasets.push(Opened {
                places: source.places(),
                samples: source.samples,
                enlarged: source.enlarged,
                augment: source.augment,
            });
        }
        let mixture = Mixture::new(described, seed)?;
        Ok(Self {
            seed,
            datasets,
            mixture,
            language,
            shape,
            size,
            recognise: None,
            pending: None,
        })
    }

    /// The same with what `recognise` makes of each picture.
    pub fn recognising(self, recognise: Option<Recognise>) -> Self {
        Self { recognise, ..self }
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
        let dataset = &self.datasets[draw.source];
        let prepared = match &dataset.samples {
            Samples::Dataset(reader) => self.read(dataset, reader, draw)?,
            Samples::Made(made) => self.made(made, draw)?,
        };
        self.mixture
            .count_tokens(draw, prepared.num_tokens() as u64);
        Ok(Some((prepared, before)))
    }

    /// A sample of a dataset.
    fn read(&self, dataset: &Opened, reader: &Reader, draw: Draw) -> Result<Prepared, DataError> {
        let index = match &dataset.places {
            Some(places) => places[draw.sample] as usize,
            None => draw.sample,
        };
        let sample = reader.get(index)?;
        let showing = dataset.showing(draw, self.seed);
        let prepared = Prepared::shown(&sample, &self.language, &self.shape, &showing);
        let wrong = |cause| DataError::Sample {
            path: reader.folder().to_path_buf(),
            index,
            cause,
        };
        let prepared = prepared.map_err(wrong)?;
        let Some(recognise) = &self.recognise else {
            return Ok(prepared);
        };
        // Of the file as it is, however it is shown, so that it is computed once.
        let seen = sample.images.iter().enumerate().map(|(index, image)| {
            recognise(image).map_err(|reason| SampleError::Image { index, reason })
        });
        let seen = seen.collect::<Result<_, _>>().map_err(wrong)?;
        Ok(prepared.recognised(seen))
    }

    /// A sample that is made.
    fn made(&self, made: &MadeSamples, draw: Draw) -> Result<Prepared, DataError> {
        let number = draw.epoch * made.count as u64 + draw.sample as u64;
        let wrong = |cause| DataError::Sample {
            path: made.name.clone().into(),
            index: draw.sample,
            cause,
        };
        let failed = |reason| wrong(SampleError::Unsaid(reason));
        let made = (made.make)(number).map_err(failed)?;
        let (language, shape) = (&self.language, &self.shape);
        let mut prepared = Prepared::new(&made.sample, language, shape).map_err(wrong)?;
        for said in &made.said {
            prepared = prepared.and_said(said, language, shape).map_err(wrong)?;
        }
        Ok(match self.recognise {
            Some(_) => prepared.recognised(made.recognitions),
            None => prepared,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Sample;
    use crate::made::Made;
    use crate::shard::{Recipe, Writer};
    use avocet_media::{ImageProcessor, Picture, Recognition};
    use avocet_text::{Turn, train_bpe};
    use std::path::Path;

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
            let kind = if n % 3 == 0 { "third" } else { "vqa" };
            let from = (kind, "made-up", "CC0-1.0");
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
                samples: Samples::Dataset(open("a", 40)),
                weight: 2.0,
                epochs: Some(2),
                kinds: None,
                enlarged: 0.5,
                augment: Augment::Things,
            },
            LoaderSource {
                samples: Samples::Dataset(open("b", 9)),
                weight: 1.0,
                epochs: Some(5),
                kinds: None,
                enlarged: 0.0,
                augment: Augment::None,
            },
        ];
        let language = ChatTokenizer::own(&train_bpe(["xyz ?"], 262).unwrap()).unwrap();
        Loader::new(sources, Arc::new(language), SHAPE, size, 3).unwrap()
    }

    #[test]
    fn a_resumed_loader_gives_the_same_batches() {
        let dir = tempfile::tempdir().unwrap();
        for size in [
            BatchSize::Samples(4),
            BatchSize::Rows(90),
            BatchSize::Rows(1),
        ] {
            let mut whole = loader(dir.path(), size);
            let (mut batches, mut positions) = (Vec::new(), vec![whole.position()]);
            while let Some(batch) = whole.next_batch().unwrap() {
                batches.push(batch);
                positions.push(whole.position());
            }
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
    fn a_source_may_be_narrowed_to_some_kinds() {
        let dir = tempfile::tempdir().unwrap();
        let reader = dataset(&dir.path().join("a"), 40);
        let source = |kinds: &[&str]| LoaderSource {
            samples: Samples::Dataset(reader.clone()),
            weight: 1.0,
            epochs: Some(1),
            kinds: Some(kinds.iter().map(|kind| (*kind).to_owned()).collect()),
            enlarged: 0.0,
            augment: Augment::None,
        };
        let language = Arc::new(ChatTokenizer::own(&train_bpe(["xyz ?"], 262).unwrap()).unwrap());
        let open =
            |sources| Loader::new(sources, language.clone(), SHAPE, BatchSize::Samples(5), 3);
        // The same folder may come twice, its kinds at weights of their own.
        let mut loader = open(vec![source(&["third"]), source(&["vqa", "other"])]).unwrap();
        let mut counts = std::collections::BTreeMap::new();
        while let Some(batch) = loader.next_batch().unwrap() {
            for kind in batch.kinds {
                *counts.entry(kind).or_insert(0) += 1;
            }
        }
        assert_eq!(counts, [("third".into(), 14), ("vqa".into(), 26)].into());
        let none = open(vec![source(&["other"])]);
        let none = none.err().expect("no sample is left").to_string();
        assert!(none.contains("a (other)"), "{none}");
    }

    /// A dataset and made samples together, with a recogniser of pictures lent to them.
    fn recognising(folder: &Path) -> Loader {
        let reader = match folder.join("a") {
            path if path.exists() => Arc::new(Reader::open(&path).unwrap()),
            path => dataset(&path, 10),
        };
        let make = |number: u64| {
            let picture = Picture::from_rgb(4, 4, vec![number as u8; 48]).unwrap();
            let from = ("made", "made-up", "CC0-1.0");
            let answer = Turn::assistant(number.to_string());
            let image = picture.to_png().unwrap();
            let sample = Sample::question(from, image, None, "?", answer).unwrap();
            let seen = Recognition {
                log_probs: vec![number as f32],
                ..Recognition::default()
            };
            Ok(Made {
                said: vec![sample.clone()],
                sample,
                recognitions: vec![Arc::new(seen)],
            })
        };
        let made = MadeSamples {
            name: "made".into(),
            count: 7,
            make: Box::new(make),
        };
        let source = |samples, epochs| LoaderSource {
            samples,
            weight: 1.0,
            epochs: Some(epochs),
            kinds: None,
            enlarged: 0.0,
            augment: Augment::None,
        };
        let sources = vec![
            source(Samples::Dataset(reader), 1),
            source(Samples::Made(Arc::new(made)), 2),
        ];
        let language = ChatTokenizer::own(&train_bpe(["xyz ?"], 262).unwrap()).unwrap();
        let (language, size) = (Arc::new(language), BatchSize::Samples(3));
        let loader = Loader::new(sources, language, SHAPE, size, 3).unwrap();
        loader.recognising(Some(Arc::new(|bytes: &[u8]| {
            let seen = Recognition {
                log_probs: vec![-(bytes.len() as f32)],
                ..Recognition::default()
            };
            Ok(Arc::new(seen))
        })))
    }

    #[test]
    fn made_samples_bring_what_is_recognised_and_are_others_in_each_epoch() {
        let dir = tempfile::tempdir().unwrap();
        let mut loader = recognising(dir.path());
        let (mut batches, mut positions) = (Vec::new(), vec![loader.position()]);
        while let Some(batch) = loader.next_batch().unwrap() {
            assert_eq!(batch.recognitions.len(), batch.grids.len());
            // A made picture has two texts.
            let made = batch
                .recognitions
                .iter()
                .filter(|seen| seen.log_probs[0] >= 0.0);
            assert_eq!(batch.num_texts(), batch.grids.len() + made.count());
            batches.push(batch);
            positions.push(loader.position());
        }
        let seen = batches.iter().flat_map(|batch| &batch.recognitions);
        let seen = seen.map(|seen| seen.log_probs[0] as i64);
        let mut numbers: Vec<i64> = seen.filter(|number| *number >= 0).collect();
        numbers.sort_unstable();
        assert_eq!(numbers, (0..14).collect::<Vec<_>>());
        loader.seek(positions[3].clone()).unwrap();
        assert_eq!(loader.next_batch().unwrap().as_ref(), Some(&batches[3]));
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
}
