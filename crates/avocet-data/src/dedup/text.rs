//! How much of two texts is the same, and which texts are worth comparing.
//!
//! A text is the set of its runs of five words. MinHash (Broder 1997) keeps the smallest value
//! of each of 120 hash functions over the set: two texts agree on one of them with a probability
//! that is the share of runs they have in common (Jaccard). Texts that agree on all six of any
//! of 20 groups are compared in full.

use std::sync::OnceLock;

use super::scramble;

/// Words in a run.
const RUN: usize = 5;
/// Texts with fewer words are only compared as a whole.
const LEAST_WORDS: usize = 30;
/// Groups of hashes, and hashes in a group: of texts that share 0.75 of their runs, 98 of 100
/// meet in at least one; of texts that share 0.4, 8 of 100.
pub(crate) const BANDS: usize = 20;
const BAND_HASHES: usize = 6;
const HASHES: usize = BANDS * BAND_HASHES;

/// A text as a set of runs of words, with its smallest hashes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Shingles {
    /// Hashes of the runs, in order, each once.
    runs: Vec<u64>,
    smallest: Box<[u32]>,
}

impl Shingles {
    /// The runs of a text; none if it is too short to be nearly the same as another.
    pub(crate) fn of(text: &str) -> Option<Self> {
        let words = words(text);
        if words.len() < LEAST_WORDS {
            return None;
        }
        let run = |words: &[u64]| {
            let mix = |state: u64, word: &u64| {
                let mut state = state ^ word;
                scramble(&mut state)
            };
            words.iter().fold(0, mix)
        };
        let mut runs: Vec<u64> = words.windows(RUN).map(run).collect();
        runs.sort_unstable();
        runs.dedup();
        let smallest = functions().iter().map(|(times, plus)| {
            let hash = |run: &u64| (run.wrapping_mul(*times).wrapping_add(*plus) >> 32) as u32;
            runs.iter().map(hash).min().unwrap_or(0)
        });
        let smallest = smallest.collect();
        Some(Self { runs, smallest })
    }

    /// For each band what texts that are nearly the same are likely to have in common.
    pub(crate) fn keys(&self) -> [u64; BANDS] {
        std::array::from_fn(|band| {
            let group = &self.smallest[band * BAND_HASHES..][..BAND_HASHES];
            let mut state = band as u64;
            for hash in group {
                state ^= u64::from(*hash);
                state = scramble(&mut state);
            }
            state
        })
    }

    /// The smallest hashes alone, by which similarities are estimated.
    pub(crate) fn smallest(&self) -> &[u32] {
        &self.smallest
    }

    /// Share of the runs of both that both have.
    pub(crate) fn similarity(&self, other: &Self) -> f64 {
        let (mut a, mut b) = (self.runs.iter().peekable(), other.runs.iter().peekable());
        let mut common = 0;
        while let (Some(x), Some(y)) = (a.peek(), b.peek()) {
            let order = x.cmp(y);
            common += usize::from(order.is_eq());
            if order.is_le() {
                a.next();
            }
            if order.is_ge() {
                b.next();
            }
        }
        common as f64 / (self.runs.len() + other.runs.len() - common) as f64
    }
}

/// Share of the smallest hashes that agree: [`Shingles::similarity`] but for chance.
pub(crate) fn estimate(a: &[u32], b: &[u32]) -> f64 {
    let same = a.iter().zip(b).filter(|(a, b)| a == b).count();
    same as f64 / a.len().max(1) as f64
}

/// Hashes of the words: runs of letters and digits in small letters; where words are written
/// without spaces, single characters.
fn words(text: &str) -> Vec<u64> {
    const START: u64 = 0xCBF2_9CE4_8422_2325;
    let mut words = Vec::new();
    let mut word = START;
    for letter in text.chars().flat_map(char::to_lowercase) {
        let alone =
            matches!(letter, '\u{2E80}'..='\u{9FFF}' | '\u{F900}'..='\u{FAFF}' | '\u{20000}'..);
        let alone = alone && letter.is_alphanumeric();
        if alone || !letter.is_alphanumeric() {
            if word != START {
                words.push(word);
                word = START;
            }
            if alone {
                words.push(u64::from(u32::from(letter)));
            }
        } else {
            word = (word ^ u64::from(u32::from(letter))).wrapping_mul(0x0100_0000_01B3);
        }
    }
    if word != START {
        words.push(word);
    }
    words
}

/// Factors and summands of the hash functions; the upper half of the product is kept.
fn functions() -> &'static [(u64, u64)] {
    static FUNCTIONS: OnceLock<Vec<(u64, u64)>> = OnceLock::new();
    FUNCTIONS.get_or_init(|| {
        let mut state = 0x2545_F491_4F6C_DD1D;
        (0..HASHES)
            .map(|_| (scramble(&mut state) | 1, scramble(&mut state)))
            .collect()
    })
}
