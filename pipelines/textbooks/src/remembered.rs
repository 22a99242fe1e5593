//! What the model said is not asked for twice: answers take hours, and a shard is closed only when
//! it is full.

use std::collections::HashMap;
use std::fs::{self, File};
use std::io::Write;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::error::TextbooksError;
use crate::model::{AskError, sha256};
use crate::prompts::Ask;

const FILE: &str = "replies.jsonl";

/// Asks once, and never again for the same words.
#[derive(Debug)]
pub(crate) struct Remembered {
    path: PathBuf,
    file: File,
    replies: HashMap<String, String>,
    num_asked: u64,
}

/// A line of the file.
#[derive(Serialize, Deserialize)]
struct Reply {
    /// SHA-256 of all that decides what is said.
    ask: String,
    said: String,
}

impl Remembered {
    /// Reads what an earlier run kept in `folder`, which must exist.
    ///
    /// Errors if the file there cannot be read or written.
    pub fn open(folder: &Path) -> Result<Self, TextbooksError> {
        let path = folder.join(FILE);
        let mut open = fs::OpenOptions::new();
        open.append(true).create(true);
        let file = open.open(&path).map_err(TextbooksError::io(&path))?;
        let bytes = fs::read(&path).map_err(TextbooksError::io(&path))?;
        let (mut replies, mut whole) = (HashMap::new(), 0);
        for line in bytes.split_inclusive(|byte| *byte == b'\n') {
            // A kill may have cut the last line off; it is written anew.
            let ended = line.ends_with(b"\n");
            let Some(reply) = serde_json::from_slice::<Reply>(line).ok().filter(|_| ended) else {
                break;
            };
            replies.insert(reply.ask, reply.said);
            whole += line.len() as u64;
        }
        file.set_len(whole).map_err(TextbooksError::io(&path))?;
        Ok(Self {
            path,
            file,
            replies,
            num_asked: 0,
        })
    }

    /// What the model says, now or before.
    ///
    /// Errors if the model does not answer, or what it says cannot be kept.
    pub fn ask(
        &mut self,
        ask: &Ask,
        model: &mut dyn FnMut(&Ask) -> Result<String, AskError>,
    ) -> Result<Result<String, AskError>, TextbooksError> {
        let key = sha256(ask.key().as_bytes());
        if let Some(said) = self.replies.get(&key) {
            return Ok(Ok(said.clone()));
        }
        self.num_asked += 1;
        let said = match model(ask) {
            Ok(said) => said,
            Err(error) => return Ok(Err(error)),
        };
        let reply = Reply {
            ask: key,
            said: said.clone(),
        };
        let line = serde_json::to_string(&reply).map_err(std::io::Error::from);
        let line = line.map_err(TextbooksError::io(&self.path))? + "\n";
        let written = self.file.write_all(line.as_bytes());
        written.map_err(TextbooksError::io(&self.path))?;
        self.replies.insert(reply.ask, reply.said);
        Ok(Ok(said))
    }

    /// How often the model was really asked.
    pub fn num_asked(&self) -> u64 {
        self.num_asked
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::prompts::answer;

    #[test]
    fn what_was_said_is_asked_for_once_even_after_a_kill() {
        let folder = tempfile::tempdir().unwrap();
        let say = |question: &str, said: &str| {
            let mut remembered = Remembered::open(folder.path()).unwrap();
            let ask = answer("A text.", question);
            let mut model = |_: &Ask| Ok(said.to_owned());
            let said = remembered.ask(&ask, &mut model).unwrap().unwrap();
            (said, remembered.num_asked())
        };
        assert_eq!(say("Why?", "one"), ("one".into(), 1));
        assert_eq!(say("How?", "two\n\u{1F600}"), ("two\n\u{1F600}".into(), 1));
        assert_eq!(say("Why?", "other"), ("one".into(), 0));
        assert_eq!(say("How?", "other").0, "two\n\u{1F600}");
        // A kill in the middle of a line loses that line alone.
        let path = folder.path().join(FILE);
        let bytes = fs::read(&path).unwrap();
        fs::write(&path, &bytes[..bytes.len() - 1]).unwrap();
        assert_eq!(say("How?", "anew"), ("anew".into(), 1));
        assert_eq!(say("How?", "other"), ("anew".into(), 0));
        assert_eq!(say("Why?", "other"), ("one".into(), 0));
        // Nor twice in one run.
        let mut remembered = Remembered::open(folder.path()).unwrap();
        for _ in 0..2 {
            let ask = answer("A text.", "Where?");
            let said = remembered.ask(&ask, &mut |_| Ok("once".into())).unwrap();
            assert_eq!((said.unwrap(), remembered.num_asked()), ("once".into(), 1));
        }
    }
}
