//! Parts that a build may leave out: whatever needs one says so, in one line, before any work.

use std::path::Path;

use anyhow::{Result, anyhow};
use avocet_video::speech::Segment;
use video::{Hearing, VideoError};

/// A cargo feature of this package.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Feature {
    /// Videos and sound are opened, by FFmpeg.
    Video,
    /// What is said is written down, by Whisper.
    Speech,
}

impl Feature {
    /// Whether this binary was built with it.
    pub fn is_there(self) -> bool {
        match self {
            Self::Video => cfg!(feature = "video"),
            Self::Speech => cfg!(feature = "speech"),
        }
    }

    /// Errors if this binary was built without it; `subject` is what cannot be done then.
    pub fn needed_for(self, subject: &Path) -> Result<()> {
        match self.is_there() {
            true => Ok(()),
            false => Err(anyhow!("{}: {}", subject.display(), self.missing())),
        }
    }

    fn missing(self) -> String {
        let (name, does) = match self {
            Self::Video => ("video", "opening videos and sound"),
            Self::Speech => ("speech", "hearing what is said"),
        };
        format!(
            "{does} needs the feature `{name}`, which this avocet was built without \
             (cargo install --path crates/avocet --features {name})"
        )
    }
}

/// Hears nothing, where there is no feature `speech`: videos need transcripts then.
#[derive(Debug)]
pub struct Deaf;

impl Hearing for Deaf {
    fn hear(&self, path: &Path) -> Result<Vec<Segment>, VideoError> {
        Err(VideoError::Input {
            path: path.to_owned(),
            reason: format!("has no transcript, and {}", Feature::Speech.missing()),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_missing_is_named_with_its_feature() {
        for (feature, name) in [(Feature::Video, "video"), (Feature::Speech, "speech")] {
            match feature.needed_for(Path::new("talk.mp4")) {
                Ok(()) => assert!(feature.is_there()),
                Err(error) => {
                    let said = error.to_string();
                    assert!(!feature.is_there(), "{said}");
                    assert!(
                        said.starts_with("talk.mp4: ") && said.contains(&format!("`{name}`")),
                        "{said}"
                    );
                }
            }
        }
        let error = Deaf.hear(Path::new("talk.mp4")).expect_err("it is deaf");
        assert!(error.to_string().contains("`speech`"), "{error}");
    }
}
