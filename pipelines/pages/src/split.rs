//! Which of the pages given are for the test.

use pipeline::Split;
use sha2::{Digest, Sha256};

/// Of the pages given, one in so many is for the test.
const TEST_SHARE: u64 = 50;

/// To which split a page belongs by its name. [`Split::of_name`] uses another hash; this one stays,
/// since no page may ever change sides.
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
    fn one_page_in_fifty_is_for_the_test() {
        let tests = (0..5000)
            .filter(|n| split_of(&format!("page-{n}.html")) == Split::Test)
            .count();
        assert!((60..140).contains(&tests), "{tests}");
    }
}
