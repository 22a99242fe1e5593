//! What is drawn by lot: from a seed and a name, the same on every machine.

use rand::SeedableRng;
use rand::seq::SliceRandom;
use rand_chacha::ChaCha8Rng;
use sha2::{Digest, Sha256};

/// The random state of what is called `name` in a run of this seed.
pub(crate) fn random(seed: u64, name: &str) -> ChaCha8Rng {
    ChaCha8Rng::from_seed(Sha256::digest(format!("{seed}/other-hands/{name}")).into())
}

/// `things` in an order of the seed's own, from one that does not depend on the machine.
pub(crate) fn shuffled<T>(mut things: Vec<T>, rng: &mut ChaCha8Rng) -> Vec<T> {
    things.shuffle(rng);
    things
}
