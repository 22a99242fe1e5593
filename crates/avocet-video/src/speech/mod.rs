//! From sound to words: regions of speech (`voice`), laid into windows (`windows`), heard by
//! Whisper in the worker without what it invents (`transcribe`, `invented`), placed where it sounds
//! (`onsets`), put together as a [`Transcript`], and cut into what a screen holds
//! (`captions`).

mod captions;
mod error;
mod invented;
mod languages;
mod onsets;
mod options;
mod tracks;
mod transcribe;
mod transcript;
mod voice;
mod windows;

pub use captions::captions;
pub use error::TranscribeError;
pub use languages::language_code;
pub use options::TranscribeOptions;
pub use tracks::Tracks;
pub use transcribe::{TranscribeProgress, transcribe};
pub(crate) use transcript::PAUSE_S;
pub use transcript::{Segment, Transcript, Word};
