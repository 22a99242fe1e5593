//! One picture with its question and answer, before it becomes a sample; and what
//! all kinds of pictures draw in the same way: sizes and backgrounds.
//!
//! Sizes and backgrounds are split in two: some are only ever seen in training, the others
//! only when the model is tested, so that a test shows more than memory.

use avocet_data::Truth;
use drawing::{Background, Canvas, is_for_tests};
use pipeline::Split;
use rand::Rng;
use rand::seq::IndexedRandom;
use rand_chacha::ChaCha8Rng;

/// A picture, a question about it and the answer.
#[derive(Debug, Clone, PartialEq)]
pub struct Drawn {
    /// The picture as a file (PNG).
    pub image: Vec<u8>,
    /// The question.
    pub question: String,
    /// The answer.
    pub answer: String,
    /// Other answers that are as right.
    pub also_right: Vec<String>,
    /// Further questions about the same picture, with their answers.
    pub more: Vec<(String, String)>,
    /// What the picture shows, for the vision tower's own training.
    pub truth: Option<Truth>,
    /// Where the thing shown comes from.
    pub source: String,
    /// The licence of that.
    pub licence: String,
}

/// What came of drawing a sample.
#[derive(Debug, Clone, PartialEq)]
pub enum Drawing {
    /// A picture with its question and answer.
    Done(Drawn),
    /// Several, cut out of one page.
    Several(Vec<Drawn>),
    /// None: the face drawn by lot lacks a character of the line, and this says which.
    Unfit(String),
}

/// Draws a size from `low..=high`, small ones more often the larger `skew` is.
///
/// Of every 16 sizes the last four belong to the test, the others to training.
pub fn size(low: u32, high: u32, skew: f32, split: Split, rng: &mut ChaCha8Rng) -> u32 {
    loop {
        let u: f32 = rng.random();
        let size = low + (u.powf(skew) * (high - low + 1) as f32) as u32;
        if size <= high && is_for_tests(size) == (split == Split::Test) {
            return size;
        }
    }
}

/// The kinds of backgrounds seen in training, the plain ones more often.
pub const TRAIN: [Background; 6] = [
    Background::Solid,
    Background::Solid,
    Background::Gradient,
    Background::Gradient,
    Background::Noise,
    Background::Stripes,
];

/// The kinds kept for the test.
const TEST: [Background; 3] = [
    Background::Radial,
    Background::Checkered,
    Background::Clouds,
];

/// One of the kinds of backgrounds that belong to `split`.
pub fn background(split: Split, rng: &mut ChaCha8Rng) -> Background {
    let kinds: &[Background] = match split {
        Split::Train => &TRAIN,
        Split::Test => &TEST,
    };
    *kinds.choose(rng).expect("neither list is empty")
}

/// Softens, relights and roughens a finished picture a little, or leaves it be.
pub fn weather(canvas: &mut Canvas, rng: &mut ChaCha8Rng) {
    if rng.random_bool(0.35) {
        canvas.soften(rng.random_range(0.1..0.6));
    }
    if rng.random_bool(0.4) {
        canvas.relight(rng.random_range(0.75..1.15), rng.random_range(-12.0..12.0));
    }
    if rng.random_bool(0.15) {
        canvas.add_noise(rng.random_range(2..=10), rng);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand::SeedableRng;
    use std::collections::BTreeSet;

    #[test]
    fn no_kind_of_background_is_in_both_splits() {
        assert!(TRAIN.iter().all(|kind| !TEST.contains(kind)));
    }

    #[test]
    fn sizes_of_the_test_are_never_drawn_in_training() {
        let mut rng = ChaCha8Rng::seed_from_u64(4);
        let mut draw = |split| -> BTreeSet<u32> {
            (0..4000)
                .map(|_| size(40, 128, 1.5, split, &mut rng))
                .collect()
        };
        let (train, test) = (draw(Split::Train), draw(Split::Test));
        assert!(train.is_disjoint(&test));
        assert_eq!(train.len() + test.len(), 89);
    }
}
