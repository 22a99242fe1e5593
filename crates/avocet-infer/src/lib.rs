//! Answers and scores from a loaded model.
//!
//! - [`Engine`]: a model with its tokenizer and the images it remembers.
//! - [`Image`]: a picture or an image file, encoded once and found again by its content.
//! - [`Onlooker`]: what a frozen recogniser makes of a picture, for models that have one.
//! - [`Answer`], [`SamplingOptions`]: one answer, streamed as whole pieces of text.
//! - [`Reply`]: what is said in the end: the answer, or that the model is not sure of it.
//! - [`Sequence`]: an answer on its way, taken further beside others by [`Engine::step`].
//! - [`Question`]: one of many to be answered together.
//! - [`Score`]: log-probabilities of given tokens.

mod answer;
mod cached_text;
mod engine;
mod error;
mod generate;
mod images;
mod likelihood;
mod not_sure;
mod nothing;
mod onlooker;
mod reply;
mod sampler;
mod score;
mod sequence;
mod surest;
mod together;

pub use answer::{Answer, FinishReason, Timing, Usage};
pub use engine::Engine;
pub use error::InferError;
pub use images::Image;
pub use not_sure::{NOT_SURE, is_not_sure};
pub use onlooker::Onlooker;
pub use reply::Reply;
pub use sampler::{Sampler, SamplingOptions};
pub use score::{Score, ScoreOptions};
pub use sequence::{Cancel, Sequence};
pub use together::Question;
