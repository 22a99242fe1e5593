//! The process that opens hostile media: FFmpeg and Whisper, under limits, behind two pipes.
//!
//! `serve` reads requests from stdin and writes replies to stdout, as
//! [`avocet_media::child`] says; `whisper` turns speech into words; `limits` holds the process to what its parent allows. Only the
//! binary `avocet-worker` links this crate, so nothing else pays for loading FFmpeg.

mod limits;
mod replies;
mod serve;
mod whisper;
mod words;

pub use replies::Replies;
pub use serve::main;
