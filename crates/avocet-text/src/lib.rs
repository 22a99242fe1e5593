//! Text in and out of the network: the tokenizer, its special tokens, and the
//! prompt form that joins a conversation and its images into one row of ids.
//!
//! Knows no tensor and reads no file; bytes come in, ids and masks go out.
//!
//! - [`Tokenizer`]: byte-level BPE, trained here or loaded from checked bytes.
//! - [`StreamDecoder`]: ids back to whole UTF-8 pieces, one id at a time.
//! - [`Special`]: the six tokens that no typed text can produce.
//! - [`Turn`], [`prompt`]: who says what, and the ids and loss mask of it.

mod bytes;
mod error;
mod file;
#[cfg(test)]
mod fixture;
pub mod prompt;
mod special;
mod stream;
mod tokenizer;

pub use error::TokenizerError;
pub use prompt::{Prompt, Role, Turn};
pub use special::Special;
pub use stream::StreamDecoder;
pub use tokenizer::Tokenizer;
