//! Video with speech: what is said and what is seen, on one time line.
//!
//! - [`whisper_model`]: which speech model is meant, and its files as Whisper reads them.
//! - [`speech`]: where somebody speaks, what is said, and how that is written.

pub mod speech;
pub mod whisper_model;
