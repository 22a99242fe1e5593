//! Which formulas and sentences are kept for the test: for good, by themselves.

use sha2::{Digest, Sha256};

/// Of 256 sources, how many belong to the test.
const HELD_OUT_OF_256: u8 = 13;

/// Whether a formula in its normal form, or a piece of text, belongs to the test.
pub fn is_held_out(source: &str) -> bool {
    pipeline::is_held_out(source, HELD_OUT_OF_256)
}

/// The seed of one sample, from that of the run, what is drawn, and its number.
pub fn seed(run: u64, kind: &str, index: u64) -> [u8; 32] {
    let mut hash = Sha256::new();
    hash.update(run.to_le_bytes());
    hash.update(kind.as_bytes());
    hash.update(index.to_le_bytes());
    hash.finalize().into()
}
