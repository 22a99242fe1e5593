//! The state while one formula is drawn, and how it draws lots.

use rand::Rng;
use rand::seq::IndexedRandom;
use rand_chacha::ChaCha8Rng;

/// The state while one formula is drawn.
pub(super) struct Grammar {
    pub rng: ChaCha8Rng,
    pub level: usize,
}

impl Grammar {
    pub fn chance(&mut self, probability: f64) -> bool {
        self.rng.random_bool(probability)
    }

    pub fn one_of(&mut self, list: &[&'static str]) -> &'static str {
        list.choose(&mut self.rng).expect("no list is empty")
    }

    /// A number from `low` to `high`.
    pub fn count(&mut self, low: usize, high: usize) -> usize {
        self.rng.random_range(low..=high)
    }
}
