//! How inputs are shared out: between runs, and between training and test.

use std::ops::Range;

use sha2::{Digest, Sha256};

use crate::args::Split;

/// Of the pages given, one in so many is for the test.
const TEST_SHARE: u64 = 50;

/// Which of `count` inputs are a rank's: neighbours, so that the samples of the ranks laid one
/// after another are those of a single run.
pub(crate) fn of_rank(count: usize, rank: usize, world: usize) -> Range<usize> {
    count * rank / world..count * (rank + 1) / world
}

/// To which split a page belongs, for good, by its name.
pub(crate) fn split_of(name: &str) -> Split {
    let digest: [u8; 32] = Sha256::digest(name).into();
    let number = u64::from_le_bytes([
        digest[0], digest[1], digest[2], digest[3], digest[4], digest[5], digest[6], digest[7],
    ]);
    if number.is_multiple_of(TEST_SHARE) {
        Split::Test
    } else {
        Split::Train
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_ranks_have_every_input_once() {
        for (count, world) in [(0, 3), (7, 3), (100, 4), (3, 8)] {
            let all: Vec<usize> = (0..world)
                .flat_map(|rank| of_rank(count, rank, world))
                .collect();
            assert_eq!(all, (0..count).collect::<Vec<_>>());
        }
    }

    #[test]
    fn one_page_in_fifty_is_for_the_test() {
        let tests = (0..5000)
            .filter(|n| split_of(&format!("page-{n}.html")) == Split::Test)
            .count();
        assert!((60..140).contains(&tests), "{tests}");
    }
}
