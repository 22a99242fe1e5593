//! Text in and out of the network: the tokenizer, its special tokens, and the
//! prompt form that joins a conversation and its images into one row of ids.
//!
//! Knows no tensor and reads no file; bytes come in, ids and masks go out.
//!
//! - [`Tokenizer`]: byte-level BPE, trained here or loaded from checked bytes.
//! - [`HubTokenizer`]: a public model's, from its `tokenizer.json` or GGUF metadata.
//! - [`HubSettings`]: what the files beside a `tokenizer.json` say.
//! - [`StreamDecoder`]: ids back to whole UTF-8 pieces, one id at a time.
//! - [`Special`]: the six tokens that no typed text can produce.
//! - [`Turn`], [`prompt`]: who says what, of text and pictures, and the ids and loss mask of it.
//! - [`ChatTemplate`], [`PromptForm`]: the forms that public models expect.
//! - [`Language`]: all of it together, as an engine speaks to one model.

mod bytes;
mod error;
mod file;
#[cfg(test)]
mod fixture;
mod form;
mod guard;
mod hub;
mod language;
pub mod prompt;
mod seen;
mod special;
mod stream;
mod template;
mod tokenizer;
pub mod turn;
mod utf8;

pub use error::TokenizerError;
pub use form::PromptForm;
pub use hub::{Gpt2Parts, HubSettings, HubTokenizer, SideFiles, SpmParts};
pub use language::{BosRule, Language, TextStream};
pub use prompt::Prompt;
pub use seen::ImageRule;
pub use special::Special;
pub use stream::StreamDecoder;
pub use template::{ChatTemplate, Content, MONTHS};
pub use tokenizer::Tokenizer;
pub use turn::{Part, Role, Turn};
