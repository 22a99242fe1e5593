//! Films: what is said and what is seen, on one time line.
//!
//! - [`whisper_model`]: which speech model is meant, and its files as Whisper reads them.
//! - [`speech`]: where somebody speaks, what is said, and how that is written; [`sentences`]: its
//!   long segments, cut.
//! - [`frames`]: few frames that stand for a video, within a budget.
//! - [`watch`]: the frames of a file, from afar and as pictures.
//! - [`caption`]: a film becomes a [`timeline`], which [`captions`] and [`page`] show;
//!   [`subtitles`]: the files of captions.

pub mod caption;
pub mod captions;
mod error;
pub mod frames;
pub mod page;
mod sentences;
pub mod speech;
pub mod subtitles;
pub mod timeline;
pub mod watch;
pub mod whisper_model;

pub use error::WatchError;
pub use sentences::sentences;
