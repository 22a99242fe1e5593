//! Long text to questions and answers, written by a language model and held against the text.
//!
//! files -> passages -> phrases -> a question for each by the model -> filters -> the model answers
//! it -> the phrase again? -> `avocet-data` shards, every question accounted for.
//!
//! Self-Instruct (arXiv:2212.10560) lets a model write the samples that a model learns from, and
//! leaves out what is malformed or near what there is; questions whose answer is a few words of a
//! passage are those of SQuAD (arXiv:1606.05250). The answer is chosen first, then the question is
//! written, and it is kept only if the model finds the same answer from the question alone: the
//! round trip of arXiv:1906.05416. Departures: phrases are chosen by rules instead of a trained
//! model, and one model, with other examples, both asks and answers.
//!
//! - `books`: files with their places and checksums; `passages`: texts cut to 100 to 180 words;
//!   `spans`: the phrases that can be asked for; `prompts`: what the model is asked.
//! - `filters`: what is wrong with a question, an answer, or both; `words` counts and compares;
//!   `near` knows the questions kept so far.
//! - `remembered`: what the model said outlives a kill.
//! - [`make`]: the whole pipeline. It knows no engine: whoever calls it lends a [`Model`] and a
//!   function that answers an [`Ask`].

mod args;
mod books;
mod error;
mod filters;
mod make;
mod model;
mod near;
mod passages;
mod prompts;
mod remembered;
mod spans;
mod words;

pub use args::Args;
pub use error::TextbooksError;
pub use make::make;
pub use model::{AskError, Model};
pub use prompts::{Ask, Step};
