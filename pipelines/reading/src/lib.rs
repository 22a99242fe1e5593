//! Texts as blocks: what pipelines read out of plain files, Markdown and HTML pages.
//!
//! - [`read`]: a file, under a limit.
//! - [`paragraphs`]: of plain and Markdown texts; [`blocks`]: of pages. `placed_...` say where in
//!   the file each stands.
//! - [`unescaped`]: signs for their entities.
//! - [`keyboard`]: fewer characters for a small vocabulary.

mod block;
mod entities;
mod file;
mod html;

pub use block::{Block, keyboard, paragraphs, placed_paragraphs};
pub use entities::unescaped;
pub use file::read;
pub use html::{blocks, placed_blocks};
