//! Samples that repeat others are left out, and those that nobody may train on.

mod fingerprint;
mod index;
mod opt_out;
mod run;
#[cfg(test)]
mod tests;
mod text;
mod thumbnail;

use std::path::PathBuf;

use serde::Serialize;

pub use opt_out::OptOut;
pub use run::dedup;

/// What counts as the same.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Match {
    /// Not compared at all.
    Off,
    /// Every pixel, or every word.
    Exact,
    /// Copies that were made smaller, compressed or brightened; texts with a few words changed.
    Near,
}

/// What is left out.
#[derive(Debug, Clone, PartialEq)]
pub struct DedupOptions {
    /// Which pictures count as the same.
    pub pictures: Match,
    /// Samples with the same pictures are duplicates only if they also say the same.
    pub said: bool,
    /// From which similarity on pictures are nearly the same, in 0..=1.
    pub picture_similarity: f64,
    /// Which texts without pictures count as the same.
    pub texts: Match,
    /// From which share of common runs of words on texts are nearly the same, in 0..=1.
    pub text_similarity: f64,
    /// What nobody may train on.
    pub opt_out: Option<OptOut>,
    /// Held-out datasets: no picture and no text in them may be kept.
    pub against: Vec<PathBuf>,
}

impl DedupOptions {
    /// Similarity from which on pictures are the same; see the README for how it was chosen.
    pub const PICTURE_SIMILARITY: f64 = 0.97;
    /// Share of common runs of five words from which on texts are the same.
    pub const TEXT_SIMILARITY: f64 = 0.75;
}

/// The next of a series of well-mixed words (SplitMix64).
fn scramble(state: &mut u64) -> u64 {
    *state = state.wrapping_add(0x9E37_79B9_7F4A_7C15);
    let mut word = *state;
    word = (word ^ (word >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    word = (word ^ (word >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    word ^ (word >> 31)
}
