//! Video with speech: what is said and what is seen, on one time line.
//!
//! - [`whisper_model`]: which speech model is meant, and its files as Whisper reads them.
//! - [`frames`]: few frames that stand for a video, within a budget.
//! - [`timeline`]: what is said and what is seen; [`captions`] and [`page`] show it.
//! - [`aligned`]: pictures and the words spoken around them, as training samples.

pub mod aligned;
pub mod captions;
pub mod frames;
pub mod page;
pub mod timeline;
pub mod whisper_model;
