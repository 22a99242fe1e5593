//! The process that opens hostile media: FFmpeg and Whisper, under limits, behind two pipes.
//!
//! `serve` reads requests from stdin and writes `replies` to stdout, as
//! [`avocet_media::child`] says; `limits` holds the process to what its parent allows. `source`
//! hands FFmpeg the bytes of one file and nothing else; `probe`, `video` and `sound` read it;
//! `whisper` turns speech into `words`, unless the feature `speech` is off; `svg` draws. Only the
//! binary `avocet-worker` links this crate, so nothing else pays for loading FFmpeg.

mod limits;
mod pipe;
mod probe;
mod replies;
mod serve;
mod sound;
mod source;
mod svg;
mod video;
#[cfg_attr(not(feature = "speech"), path = "without_speech.rs")]
mod whisper;
#[cfg(feature = "speech")]
mod words;

pub use replies::Replies;
pub use serve::main;
