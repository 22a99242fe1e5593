//! Plain text for the decoder's first stage: what words mean, manuals, and any text given.
//!
//! packages (fetched by `avocet-media`) and files -> [`Input`]s -> documents and questions
//! without pictures -> `avocet-data` shards, every input accounted for.
//!
//! - `wordnet`: synsets out of WordNet's files; `questions`: what is asked about them.
//! - `html`: text out of pages; `documents`: texts cut to a length that is read at once.
//! - [`make`]: the whole pipeline.

mod args;
mod documents;
mod error;
mod html;
mod inputs;
mod make;
mod questions;
mod wordnet;

pub use args::{Args, Split};
pub use documents::{Block, keyboard, paragraphs, placed_paragraphs};
pub use error::PlainTextError;
pub use html::{blocks, placed_blocks};
pub use inputs::{Input, read};
pub use make::{make, split_of};
