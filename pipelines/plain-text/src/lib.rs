//! Plain text for the decoder's first stage: what words mean, manuals, and any text given.
//!
//! packages (fetched by `avocet-fetch`) and files -> `inputs` -> documents and questions
//! without pictures -> `avocet-data` shards, every input accounted for.
//!
//! - `wordnet`: synsets out of WordNet's files; `questions`: what is asked about them.
//! - `documents`: texts, which `reading` reads, cut to a length that is read at once.
//! - [`named_classes`]: what the classes of a recogniser are called, and what each is a kind of.
//! - [`make`]: the whole pipeline.

mod args;
mod concepts;
mod documents;
mod error;
mod everyday;
mod inputs;
mod make;
mod questions;
mod wordnet;

pub use args::Args;
pub use concepts::{NamedClass, named_classes};
pub use error::PlainTextError;
pub use make::make;
