//! From sound to words: regions of speech (`voice`), laid into windows (`windows`), heard by
//! Whisper in the worker, put together as a [`Transcript`], and written (`captions`, `formats`).

mod captions;
mod formats;
mod transcript;
mod voice;
mod windows;

pub use captions::{Caption, captions};
pub use formats::{TranscriptFormat, srt, vtt};
pub use transcript::{Segment, Transcript, Word};
