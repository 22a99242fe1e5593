//! Videos as training samples: pictures, and the words spoken around them.
//!
//! - [`make`]: videos, watched and heard, to samples in shards; [`Hearing`]: who hears them.
//! - [`aligned`]: one video's pictures and words as samples.

pub mod aligned;
pub mod args;
mod error;
mod hearing;
mod inputs;
mod make;
mod remembered;

pub use args::Args;
pub use error::VideoError;
pub use hearing::{Hearing, Whisper};
pub use make::{make, make_with};
