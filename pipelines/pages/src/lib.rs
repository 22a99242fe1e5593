//! Screenshots of web pages with what can be read on them and questions about it.
//!
//! URLs, HTML files and folders, or pages made up by lot -> `avocet-browser` (a picture and what
//! is seen on it) -> `questions` -> `avocet-data` shards.
//!
//! - [`make`]: the whole pipeline; `synthetic`: made-up pages; `crops`: parts of them.

mod args;
mod crops;
mod error;
mod fonts;
mod inputs;
mod make;
mod manuals;
mod parts;
mod questions;
mod split;
mod synthetic;
mod wording;

pub use args::Args;
pub use error::PagesError;
pub use make::make;
