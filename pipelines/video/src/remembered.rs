//! What was heard is not heard twice: hearing takes hours, and a shard is closed only when it is full.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::UNIX_EPOCH;

use avocet_video::speech::Segment;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::error::VideoError;
use crate::hearing::Hearing;

/// Hears a file once, and again only if it has changed since.
#[derive(Debug)]
pub(crate) struct Remembered<'a, H> {
    hearing: &'a H,
    folder: PathBuf,
}

/// What was heard in the file that had this length and time.
#[derive(Serialize, Deserialize)]
struct Heard {
    state: State,
    segments: Vec<Segment>,
}

#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct State {
    bytes: u64,
    /// When it was written, in nanoseconds since 1970.
    modified_ns: u64,
}

impl<'a, H: Hearing> Remembered<'a, H> {
    /// Keeps what `hearing` hears in `folder`, which must exist.
    pub fn new(hearing: &'a H, folder: PathBuf) -> Self {
        Self { hearing, folder }
    }

    /// Where it is kept what was heard in `path`.
    fn place(&self, path: &Path) -> PathBuf {
        let name = Sha256::digest(path.as_os_str().as_encoded_bytes());
        let name: String = name.iter().map(|byte| format!("{byte:02x}")).collect();
        self.folder.join(name + ".json")
    }

    /// Keeps it, whole or not at all; a run without it only takes longer.
    fn keep(&self, path: &Path, heard: &Heard) -> Option<()> {
        let heard = serde_json::to_vec(heard).ok()?;
        avocet_files::write(&self.place(path), &heard).ok()
    }
}

impl<H: Hearing> Hearing for Remembered<'_, H> {
    fn hear(&self, path: &Path) -> Result<Vec<Segment>, VideoError> {
        let Some(state) = state(path) else {
            return self.hearing.hear(path);
        };
        let kept = fs::read(self.place(path)).ok();
        let kept: Option<Heard> = kept.and_then(|bytes| serde_json::from_slice(&bytes).ok());
        if let Some(kept) = kept.filter(|kept| kept.state == state) {
            return Ok(kept.segments);
        }
        let segments = self.hearing.hear(path)?;
        let heard = Heard { state, segments };
        self.keep(path, &heard);
        Ok(heard.segments)
    }
}

fn state(path: &Path) -> Option<State> {
    let metadata = fs::metadata(path).ok()?;
    let modified = metadata.modified().ok()?.duration_since(UNIX_EPOCH).ok()?;
    Some(State {
        bytes: metadata.len(),
        modified_ns: u64::try_from(modified.as_nanos()).ok()?,
    })
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use avocet_video::speech::Word;

    use super::*;

    /// Says how often it was asked.
    struct Counts(AtomicUsize);

    impl Hearing for Counts {
        fn hear(&self, _path: &Path) -> Result<Vec<Segment>, VideoError> {
            let count = self.0.fetch_add(1, Ordering::Relaxed) + 1;
            let (start_s, end_s) = (0.1 + 0.2, 1.0 / 3.0);
            let word = count.to_string();
            let words = vec![Word {
                start_s,
                end_s,
                word: word.clone(),
            }];
            Ok(vec![Segment {
                start_s,
                end_s,
                text: word,
                words,
            }])
        }
    }

    #[test]
    fn a_file_is_heard_once_until_it_changes() {
        let folder = tempfile::tempdir().unwrap();
        let scratch = tempfile::tempdir().unwrap();
        let film = folder.path().join("film.mp4");
        fs::write(&film, "one").unwrap();
        let counts = Counts(AtomicUsize::new(0));
        // A later run is a memory of its own.
        let hear = || {
            let remembered = Remembered::new(&counts, scratch.path().to_owned());
            remembered.hear(&film).unwrap()
        };
        let first = hear();
        assert_eq!(hear(), first);
        fs::write(&film, "longer").unwrap();
        assert_eq!(hear()[0].text, "2");
        // A memory that was cut off is none.
        let kept = fs::read_dir(scratch.path())
            .unwrap()
            .next()
            .unwrap()
            .unwrap();
        fs::write(kept.path(), "{\"state\":").unwrap();
        assert_eq!(hear()[0].text, "3");
        assert_eq!(hear()[0].text, "3");
    }
}
