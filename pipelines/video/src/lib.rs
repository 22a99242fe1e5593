//! Video with speech: what is said and what is seen, on one time line.
//!
//! - [`whisper_model`]: which speech model is meant, and its files as Whisper reads them.
//! - [`speech`]: where somebody speaks, what is said, and how that is written.
//! - [`frames`]: few frames that stand for a video, within a budget.
//! - [`watch`]: the frames of a file, from afar and as pictures.
//! - [`caption`]: a film becomes a [`timeline`], which [`captions`] and [`page`] show.
//! - [`aligned`]: pictures and the words spoken around them, as training samples; [`make`]
//!   makes them of many videos.

pub mod aligned;
pub mod args;
pub mod caption;
pub mod captions;
mod error;
pub mod frames;
mod hearing;
mod inputs;
mod make;
pub mod page;
mod remembered;
mod sentences;
pub mod speech;
pub mod timeline;
pub mod watch;
pub mod whisper_model;

pub use args::Args;
pub use error::VideoError;
pub use hearing::{Hearing, Whisper};
pub use inputs::has_video_ending;
pub use make::{make, make_with};
pub use sentences::sentences;
