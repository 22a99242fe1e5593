//! How a file is transcribed.

use crate::whisper_model::WhisperModel;

/// How a file is transcribed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TranscribeOptions {
    /// The speech model.
    pub model: WhisperModel,
    /// The language by its code or English name; found out when absent.
    pub language: Option<String>,
    /// Which of the file's sound tracks, from 1; the container's default when absent.
    pub track: Option<u32>,
    /// Threads that compute.
    pub num_threads: u32,
    /// Hypotheses that are kept while decoding; 1 takes the likeliest token.
    pub beam_size: u32,
}
