//! In which order samples of several datasets are seen.
//!
//! Sources take turns in proportion to their weights (each turn goes to the source furthest
//! behind its share, so every stretch of the stream has the right mixture), and within a source
//! each epoch is a fresh permutation. Everything is decided by the seed and a [`Position`] of a
//! few integers, so a stream goes on from any position exactly as it would have.

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{RngCore, SeedableRng};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

/// One dataset in a mixture.
#[derive(Debug, Clone, PartialEq)]
pub struct MixtureSource {
    /// Name in reports; together with the seed it decides the order.
    pub name: String,
    /// Samples in it.
    pub samples: usize,
    /// Share of the stream relative to the other sources, by samples.
    pub weight: f64,
    /// After this many passes it is used up; none means it never is.
    pub epochs: Option<u32>,
}

/// Why sources cannot be mixed.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum MixtureError {
    /// Nothing to draw from.
    #[error("a mixture needs at least one source")]
    NoSources,
    /// A source without samples, or with more than can be numbered.
    #[error("source {name:?} has {samples} samples; 1 to 4294967295 can be mixed")]
    Samples {
        /// Name of the source.
        name: String,
        /// Samples in it.
        samples: usize,
    },
    /// A weight that is no share.
    #[error("source {name:?} has weight {weight}; weights are finite and above 0")]
    Weight {
        /// Name of the source.
        name: String,
        /// Its weight.
        weight: f64,
    },
    /// Two sources of one name would run in lockstep.
    #[error("two sources are named {0:?}")]
    SameName(String),
    /// A position of another mixture.
    #[error("the position speaks of {found} sources, the mixture has {expected}")]
    Position {
        /// Sources of this mixture.
        expected: usize,
        /// Sources in the position.
        found: usize,
    },
}

/// How far one source has been read.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Progress {
    /// Samples drawn, repeats included.
    pub samples: u64,
    /// Tokens of those samples.
    pub tokens: u64,
    /// Tokens of the samples drawn in the first epoch.
    pub unique_tokens: u64,
    /// Turns this source is owed, in units of its share.
    credit: i64,
}

/// A place in the stream, as kept in a checkpoint.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Position {
    /// Progress of each source, in the mixture's order.
    pub sources: Vec<Progress>,
}

/// One draw from a mixture.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Draw {
    /// Which source.
    pub source: usize,
    /// Which of its samples.
    pub sample: usize,
    /// In which pass over that source, from 0.
    pub epoch: u64,
}

/// A seeded, endless or finite stream of draws.
#[derive(Debug)]
pub struct Mixture {
    sources: Vec<MixtureSource>,
    shares: Vec<i64>,
    seed: u64,
    position: Position,
    orders: Vec<Option<(u64, Vec<u32>)>>,
}

impl Mixture {
    /// Mixes `sources` from the beginning.
    ///
    /// Errors if there are none, or one has no samples, an impossible weight or another's name.
    pub fn new(sources: Vec<MixtureSource>, seed: u64) -> Result<Self, MixtureError> {
        if sources.is_empty() {
            return Err(MixtureError::NoSources);
        }
        for (index, source) in sources.iter().enumerate() {
            let name = source.name.clone();
            if source.samples == 0 || u32::try_from(source.samples).is_err() {
                return Err(MixtureError::Samples {
                    name,
                    samples: source.samples,
                });
            }
            if !(source.weight.is_finite() && source.weight > 0.0) {
                return Err(MixtureError::Weight {
                    name,
                    weight: source.weight,
                });
            }
            if sources[..index].iter().any(|other| other.name == name) {
                return Err(MixtureError::SameName(name));
            }
        }
        let largest = sources.iter().map(|s| s.weight).fold(0.0, f64::max);
        let share = |s: &MixtureSource| ((s.weight / largest * 1e9).round() as i64).max(1);
        let shares = sources.iter().map(share).collect();
        let orders = sources.iter().map(|_| None).collect();
        let position = Position {
            sources: vec![Progress::default(); sources.len()],
        };
        Ok(Self {
            sources,
            shares,
            seed,
            position,
            orders,
        })
    }

    /// Goes to a position, of this mixture with this seed.
    ///
    /// Errors if it speaks of another number of sources.
    pub fn seek(&mut self, position: Position) -> Result<(), MixtureError> {
        let (expected, found) = (self.sources.len(), position.sources.len());
        if expected != found {
            return Err(MixtureError::Position { expected, found });
        }
        self.position = position;
        Ok(())
    }

    /// Where the stream is.
    pub fn position(&self) -> &Position {
        &self.position
    }

    /// Draws the next sample; none once every source is used up.
    pub fn draw(&mut self) -> Option<Draw> {
        let active: Vec<usize> = (0..self.sources.len())
            .filter(|&i| !self.used_up(i))
            .collect();
        let total: i64 = active.iter().map(|&i| self.shares[i]).sum();
        for &i in &active {
            let progress = &mut self.position.sources[i];
            progress.credit = progress.credit.saturating_add(self.shares[i]);
        }
        // The first of equals, so that ties do not depend on the iterator.
        let credit = |i: &usize| self.position.sources[*i].credit;
        let source = active.iter().copied().rev().max_by_key(credit)?;
        let progress = &mut self.position.sources[source];
        progress.credit = progress.credit.saturating_sub(total);
        let samples = self.sources[source].samples as u64;
        let (epoch, place) = (progress.samples / samples, progress.samples % samples);
        progress.samples += 1;
        let sample = self.order(source, epoch)[place as usize] as usize;
        Some(Draw {
            source,
            sample,
            epoch,
        })
    }

    fn used_up(&self, source: usize) -> bool {
        let MixtureSource {
            samples, epochs, ..
        } = self.sources[source];
        let seen = self.position.sources[source].samples;
        epochs.is_some_and(|epochs| seen >= u64::from(epochs).saturating_mul(samples as u64))
    }

    fn order(&mut self, source: usize, epoch: u64) -> &[u32] {
        let MixtureSource { name, samples, .. } = &self.sources[source];
        let order = &mut self.orders[source];
        if order.as_ref().is_none_or(|(of, _)| *of != epoch) {
            *order = Some((epoch, permutation(*samples as u32, self.seed, name, epoch)));
        }
        order.as_ref().map_or(&[], |(_, order)| order)
    }

    /// Counts the tokens of a sample just drawn, for the report.
    pub(crate) fn count_tokens(&mut self, draw: Draw, tokens: u64) {
        if let Some(progress) = self.position.sources.get_mut(draw.source) {
            progress.tokens += tokens;
            if draw.epoch == 0 {
                progress.unique_tokens += tokens;
            }
        }
    }

    /// What has been seen of each source, and how much of it was new.
    pub fn report(&self) -> Vec<SourceReport> {
        let report = |(source, progress): (&MixtureSource, &Progress)| SourceReport {
            name: source.name.clone(),
            samples: source.samples as u64,
            seen_samples: progress.samples,
            unique_samples: progress.samples.min(source.samples as u64),
            epochs: progress.samples as f64 / source.samples as f64,
            seen_tokens: progress.tokens,
            unique_tokens: progress.unique_tokens,
        };
        self.sources
            .iter()
            .zip(&self.position.sources)
            .map(report)
            .collect()
    }
}

/// How much of a source has been seen, and how much of that was new.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct SourceReport {
    /// Name of the source.
    pub name: String,
    /// Samples in it.
    pub samples: u64,
    /// Samples drawn, repeats included.
    pub seen_samples: u64,
    /// Different samples drawn.
    pub unique_samples: u64,
    /// Passes over the source.
    pub epochs: f64,
    /// Tokens drawn, repeats included.
    pub seen_tokens: u64,
    /// Tokens of different samples.
    pub unique_tokens: u64,
}

/// Fisher-Yates, written out so that no library's release changes the order.
fn permutation(samples: u32, seed: u64, name: &str, epoch: u64) -> Vec<u32> {
    let mut hasher = Sha256::new();
    hasher.update(seed.to_le_bytes());
    hasher.update(epoch.to_le_bytes());
    hasher.update(name.as_bytes());
    let mut random = ChaCha8Rng::from_seed(hasher.finalize().into());
    let mut order: Vec<u32> = (0..samples).collect();
    for i in (1..order.len()).rev() {
        // A 64-bit draw scaled to 0..=i: the bias is below 2^-32.
        let j = (u128::from(random.next_u64()) * (i as u128 + 1)) >> 64;
        order.swap(i, j as usize);
    }
    order
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::collection::vec;
    use proptest::prelude::*;
    use proptest::sample::Index;

    fn source(name: &str, samples: usize, weight: f64, epochs: Option<u32>) -> MixtureSource {
        MixtureSource {
            name: name.into(),
            samples,
            weight,
            epochs,
        }
    }

    fn mixture() -> Mixture {
        let sources = vec![
            source("a", 10, 3.0, Some(4)),
            source("b", 50, 1.0, Some(2)),
            source("c", 7, 0.3, None),
        ];
        Mixture::new(sources, 42).unwrap()
    }

    proptest! {
        #[test]
        fn every_sample_is_drawn_once_an_epoch_and_seeking_equals_replaying(
            drawn in vec((1..40usize, 0.1..10f64, 1..4u32), 1..6),
            seed: u64,
            start: Index,
        ) {
            let named = |(n, &(samples, weight, epochs))| {
                source(&format!("source {n}"), samples, weight, Some(epochs))
            };
            let sources: Vec<MixtureSource> = drawn.iter().enumerate().map(named).collect();
            let mut whole = Mixture::new(sources.clone(), seed).unwrap();
            let mut positions = Vec::new();
            let draws: Vec<Draw> = std::iter::from_fn(|| {
                positions.push(serde_json::to_string(whole.position()).unwrap());
                whole.draw()
            })
            .collect();
            for (n, source) in sources.iter().enumerate() {
                let samples = draws.iter().filter(|draw| draw.source == n);
                let samples: Vec<usize> = samples.map(|draw| draw.sample).collect();
                prop_assert_eq!(samples.len(), source.samples * source.epochs.unwrap() as usize);
                for epoch in samples.chunks(source.samples) {
                    let mut sorted = epoch.to_vec();
                    sorted.sort_unstable();
                    prop_assert!(sorted.into_iter().eq(0..source.samples), "{:?}", epoch);
                }
            }
            let start = start.index(draws.len());
            let mut resumed = Mixture::new(sources, seed).unwrap();
            resumed.seek(serde_json::from_str(&positions[start]).unwrap()).unwrap();
            let rest: Vec<Draw> = std::iter::from_fn(|| resumed.draw()).collect();
            prop_assert_eq!(&rest, &draws[start..]);
        }
    }

    #[test]
    fn an_epoch_is_a_permutation_and_epochs_differ() {
        let mut one = Mixture::new(vec![source("a", 100, 1.0, Some(2))], 1).unwrap();
        let draws: Vec<usize> = std::iter::from_fn(|| one.draw())
            .map(|d| d.sample)
            .collect();
        assert_eq!(draws.len(), 200, "used up after its epochs");
        for epoch in draws.chunks(100) {
            let mut sorted = epoch.to_vec();
            sorted.sort_unstable();
            assert_eq!(sorted, (0..100).collect::<Vec<_>>());
        }
        assert_ne!(draws[..100], draws[100..]);
        assert_ne!(draws[..100], (0..100).collect::<Vec<_>>()[..]);
    }

    #[test]
    fn every_stretch_has_the_weights_until_a_source_is_used_up() {
        let mut mixture = mixture();
        let mut counts = [0usize; 3];
        for n in 1..=40 {
            counts[mixture.draw().unwrap().source] += 1;
            for (count, weight) in counts.iter().zip([3.0, 1.0, 0.3]) {
                let due = n as f64 * weight / 4.3;
                assert!((*count as f64 - due).abs() <= 1.5, "{counts:?} after {n}");
            }
        }
        for _ in 0..1000 {
            counts[mixture.draw().unwrap().source] += 1;
        }
        assert_eq!(counts[..2], [40, 100]);
        assert_eq!(counts[2], 1040 - 140);
    }

    #[test]
    fn the_report_tells_new_from_repeated() {
        let mut mixture = mixture();
        for _ in 0..30 {
            let draw = mixture.draw().unwrap();
            mixture.count_tokens(draw, 5);
        }
        let report = &mixture.report()[0];
        assert_eq!((report.seen_samples, report.unique_samples), (21, 10));
        assert_eq!((report.seen_tokens, report.unique_tokens), (105, 50));
        assert!((report.epochs - 2.1).abs() < 1e-9);
    }

    #[test]
    fn impossible_mixtures_are_refused_by_name() {
        assert_eq!(
            Mixture::new(vec![], 1).unwrap_err(),
            MixtureError::NoSources
        );
        for (sources, word) in [
            (vec![source("a", 0, 1.0, None)], "0 samples"),
            (vec![source("a", 1, f64::NAN, None)], "weight NaN"),
            (vec![source("a", 1, -1.0, None)], "weight -1"),
            (
                vec![source("a", 1, 1.0, None), source("a", 2, 1.0, None)],
                "two sources",
            ),
        ] {
            let error = Mixture::new(sources, 1).unwrap_err().to_string();
            assert!(error.contains(word), "{error}");
        }
        assert!(mixture().seek(Position::default()).is_err());
    }

    #[test]
    fn the_order_never_changes_between_versions() {
        assert_eq!(permutation(8, 1, "a", 0), PINNED);
    }

    const PINNED: [u32; 8] = [7, 6, 5, 4, 1, 2, 0, 3];
}
