//! Who hears what is said in a file.

use std::path::Path;
use std::sync::{Mutex, PoisonError};

use avocet_video::WatchError;
use avocet_video::speech::{Segment, TranscribeError, TranscribeOptions, transcribe};
use avocet_video::whisper_model::{WhisperModel, WhisperModels};

use crate::args::Args;
use crate::error::VideoError;

/// Hypotheses kept while decoding.
const BEAM_SIZE: u32 = 5;
/// Threads of one Whisper: always one, as sums in another order may give another word.
const NUM_THREADS: u32 = 1;

/// Who hears what is said in a file.
pub trait Hearing: Sync {
    /// The segments spoken in a file with sound.
    ///
    /// Errors if the file does not decode, or the model cannot be used.
    fn hear(&self, path: &Path) -> Result<Vec<Segment>, VideoError>;
}

/// Whisper, found when the first file is to be heard.
#[derive(Debug)]
pub struct Whisper {
    reference: String,
    language: Option<String>,
    model: Mutex<Option<WhisperModel>>,
}

impl Whisper {
    /// The model and the language that the flags name.
    pub fn of(args: &Args) -> Self {
        Self {
            reference: args.whisper.clone(),
            language: args.language.clone(),
            model: Mutex::new(None),
        }
    }

    fn model(&self) -> Result<WhisperModel, VideoError> {
        let wrong = |error| VideoError::Model(Box::new(error));
        let mut model = self.model.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(model) = model.as_ref() {
            return Ok(model.clone());
        }
        let found = WhisperModels::from_env()
            .and_then(|models| models.find(&self.reference))
            .map_err(wrong)?;
        Ok(model.insert(found).clone())
    }
}

impl Hearing for Whisper {
    fn hear(&self, path: &Path) -> Result<Vec<Segment>, VideoError> {
        let options = TranscribeOptions {
            model: self.model()?,
            language: self.language.clone(),
            track: None,
            num_threads: NUM_THREADS,
            beam_size: BEAM_SIZE,
        };
        match transcribe(path, &options, &mut |_| {}) {
            Ok(transcript) => Ok(transcript.segments),
            Err(TranscribeError::Child(error)) => Err(WatchError::from(error).into()),
            Err(error) => Err(VideoError::Hearing(Box::new(error))),
        }
    }
}
