//! What is for training and what for the test: by names and texts, for good, so that no later run
//! moves an input to the other side.

use sha2::{Digest, Sha256};

/// Of the inputs with a name, one in so many is for the test.
const TEST_SHARE: u64 = 50;

/// What the samples are for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Split {
    /// To learn from.
    Train,
    /// What training never shows.
    Test,
}

impl Split {
    /// The split of the input called `name`: one in fifty is for the test.
    pub fn of_name(name: &str) -> Self {
        if fnv1a(name).is_multiple_of(TEST_SHARE) {
            Self::Test
        } else {
            Self::Train
        }
    }

    /// As on the command line, and in file names.
    pub fn name(self) -> &'static str {
        match self {
            Self::Train => "train",
            Self::Test => "test",
        }
    }
}

/// Whether a text belongs to the test: so many of 256 do, and no training sample ever shows them.
pub fn is_held_out(text: &str, of_256: u8) -> bool {
    Sha256::digest(text)[0] < of_256
}

/// FNV-1a, the same on every machine.
pub fn fnv1a(text: &str) -> u64 {
    text.bytes().fold(0xCBF2_9CE4_8422_2325, |state, byte| {
        (state ^ u64::from(byte)).wrapping_mul(0x0100_0000_01B3)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_split_of_a_name_is_the_same_for_good() {
        // The published test vectors of FNV-1a.
        assert_eq!(fnv1a(""), 0xCBF2_9CE4_8422_2325);
        assert_eq!(fnv1a("foobar"), 0x8594_4171_F739_67E8);
        assert_eq!(Split::of_name("file/story.txt"), Split::Train);
        let test = |n: &u32| Split::of_name(&format!("file/{n}.txt")) == Split::Test;
        let tests = (0..5000).filter(test).count();
        assert!((60..140).contains(&tests), "{tests}");
    }
}
