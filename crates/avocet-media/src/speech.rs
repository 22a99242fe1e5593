//! Speech to text: windows of sound go to the worker, which holds the model, and words come back.

use std::path::PathBuf;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::child::{Child, ChildError, ChildLimits, FilePath, Request, SpeechRequest};

/// The longest window in seconds: what Whisper's encoder takes.
pub const LONGEST_WINDOW_S: u32 = 30;

/// How windows are transcribed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SpeechOptions {
    /// The ggml file.
    pub model: PathBuf,
    /// Bytes of that file, by which the worker's memory is limited.
    pub model_bytes: u64,
    /// Threads that compute.
    pub num_threads: u32,
    /// Hypotheses that are kept while decoding; 1 takes the likeliest token.
    pub beam_size: u32,
}

/// What was heard in a window; there is no payload.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Heard {
    /// Two-letter code of the language that was given or found.
    pub language: String,
    /// What is said, in order.
    pub segments: Vec<HeardSegment>,
}

/// A sentence or part of one; times are seconds from the start of the window.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct HeardSegment {
    /// When it begins.
    pub start_s: f64,
    /// When it ends.
    pub end_s: f64,
    /// What is said, without spaces around it.
    pub text: String,
    /// Its words.
    pub words: Vec<HeardWord>,
    /// How sure the model is that nobody speaks, from 0 to 1.
    pub no_speech: f32,
    /// Mean of the tokens' log-probabilities.
    pub log_probability: f32,
}

/// A word with the punctuation that belongs to it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct HeardWord {
    /// When it begins.
    pub start_s: f64,
    /// When it ends.
    pub end_s: f64,
    /// The word, without spaces around it.
    pub word: String,
}

/// A worker with a speech model.
pub struct Listener {
    child: Child,
    options: SpeechOptions,
}

impl Listener {
    /// Starts a worker; the model is loaded with the first window.
    ///
    /// Errors if the worker does not start.
    pub fn new(options: SpeechOptions) -> Result<Self, ChildError> {
        let limits = ChildLimits {
            // The weights, and what is computed from them, which grows with them.
            address_space_bytes: (3 << 30) + 3 * options.model_bytes,
            cpu_s: None,
            // The worker says every second that it is getting on.
            stall: Duration::from_secs(60),
        };
        Ok(Self {
            child: Child::spawn(limits)?,
            options,
        })
    }

    /// The words in `samples`, which are 16 kHz mono and at most 30 s, said in `language` (its
    /// two-letter code), which is found out when absent.
    ///
    /// Errors if the worker refuses the model or ends.
    pub fn hear(&mut self, samples: &[f32], language: Option<&str>) -> Result<Heard, ChildError> {
        let request = SpeechRequest {
            model: FilePath::from(self.options.model.as_path()),
            language: language.map(str::to_owned),
            num_threads: self.options.num_threads,
            beam_size: self.options.beam_size,
        };
        let model = self.options.model.clone();
        self.child.ask(&model, &Request::Speech(request))?;
        let bytes: Vec<u8> = samples.iter().flat_map(|s| s.to_le_bytes()).collect();
        if !bytes.is_empty() {
            self.child.send_block(&bytes)?;
        }
        self.child.end_blocks()?;
        let mut heard = None;
        while let Some(message) = self.child.receive::<Heard>()? {
            heard = Some(message.header);
        }
        heard.ok_or_else(|| ChildError::Protocol {
            subject: model,
            reason: "nothing was answered".to_owned(),
        })
    }
}
