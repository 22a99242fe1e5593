//! Text in and out of the network: the tokenizer, its special tokens, and the
//! prompt form that joins a conversation and its images into one row of ids.
//!
//! Knows no tensor and reads no file; bytes come in, ids and masks go out.
//!
//! - [`Tokenizer`]: a model's, from its `tokenizer.json` or GGUF metadata; [`train_bpe`] learns one.
//! - [`TokenizerConfig`]: what the files beside a `tokenizer.json` say.
//! - [`Special`]: the six tokens of our own form, which no typed text can produce.
//! - [`Turn`], [`Prompt`]: who says what, of text and pictures, and the ids and loss mask of it.
//! - [`ChatTemplate`], [`PromptForm`]: the forms that public models expect.
//! - [`ChatTokenizer`]: all of it together, as an engine speaks to one model.

mod bytes;
mod chat_tokenizer;
mod error;
#[cfg(test)]
mod fixture;
mod form;
mod guard;
mod image_rule;
mod own_form;
mod prompt;
mod special;
mod template;
mod tokenizer;
pub mod turn;
mod utf8;

pub use chat_tokenizer::{BosRule, ChatTokenizer, TextStream};
pub use error::TokenizerError;
pub use form::PromptForm;
pub use image_rule::ImageRule;
pub use own_form::OwnForm;
pub use prompt::Prompt;
pub use special::Special;
pub use template::{ChatTemplate, Content, MONTHS};
pub use tokenizer::{Gpt2Parts, SideFiles, SpmParts, Tokenizer, TokenizerConfig, train_bpe};
pub use turn::{Part, Role, Turn};
