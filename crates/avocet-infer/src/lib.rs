//! Answers and scores from a loaded model.
//!
//! - [`Engine`]: a model with its tokenizer and the images it remembers.
//! - [`Image`]: a picture or an image file, encoded once and found again by its content.
//! - [`Answer`], [`SamplingOptions`]: one answer, streamed as whole pieces of text.
//! - [`Question`]: one of many to be answered together.
//! - [`Score`]: log-probabilities of given tokens.

mod engine;
mod error;
mod images;
mod sampler;
mod score;
mod surest;
mod together;

pub use engine::{Answer, Engine, FinishReason, Timing, Usage};
pub use error::InferError;
pub use images::Image;
pub use sampler::{Sampler, SamplingOptions};
pub use score::{Score, ScoreOptions};
pub use together::Question;
