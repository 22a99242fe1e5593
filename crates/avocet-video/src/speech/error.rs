//! Why there is no transcript.

use std::path::PathBuf;

use avocet_media::child::ChildError;

/// Why there is no transcript.
#[derive(Debug, thiserror::Error)]
pub enum TranscribeError {
    /// The file could not be opened.
    #[error("{}: {cause}", .path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// What the system said.
        cause: std::io::Error,
    },
    /// The file has no sound.
    #[error("{}: has no audio track", .path.display())]
    NoAudio {
        /// The file.
        path: PathBuf,
    },
    /// The file has no such sound track.
    #[error("--track {track}: {} has only {tracks}", .path.display())]
    NoTrack {
        /// The file.
        path: PathBuf,
        /// What was asked for.
        track: u32,
        /// What there is.
        tracks: String,
    },
    /// Whisper does not know the language.
    #[error("the language {language:?} is not one of Whisper's: give a code such as en, or auto")]
    Language {
        /// What was asked for.
        language: String,
    },
    /// The model does not know the language.
    #[error(
        "the speech model {model} knows English only, not {language:?}: take a multilingual one, such as base"
    )]
    EnglishOnly {
        /// The model.
        model: String,
        /// What was asked for.
        language: String,
    },
    /// The file says that it is in a language that the model does not know.
    #[error(
        "{}: track {track} is in {language}, but the speech model {model} knows English only: take a multilingual one, such as base{others}, or --language en if the label is wrong", .path.display()
    )]
    OtherLanguage {
        /// The file.
        path: PathBuf,
        /// The sound track, from 1.
        track: u32,
        /// What it says.
        language: String,
        /// The model.
        model: String,
        /// How to hear another track, behind a comma, if there is one.
        others: String,
    },
    /// The worker failed.
    #[error(transparent)]
    Child(#[from] ChildError),
}
