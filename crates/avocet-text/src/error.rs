//! What can be wrong with a tokenizer file or with a request to train one.

/// Why a tokenizer could not be loaded or trained. Messages name the field of
/// `tokenizer.json`; the caller, who knows the path, adds it.
#[derive(Debug, thiserror::Error)]
pub enum TokenizerError {
    /// Not JSON, or a field is missing, unknown or of the wrong type.
    #[error("tokenizer.json: {0}")]
    Json(#[from] serde_json::Error),
    /// The file is longer than any tokenizer we accept.
    #[error("tokenizer.json: {bytes} bytes, at most {limit} are read")]
    TooLong {
        /// Length of the file.
        bytes: usize,
        /// Longest accepted.
        limit: usize,
    },
    /// A field holds a value that a byte-level BPE tokenizer of ours cannot have.
    #[error("tokenizer.json: {field}: {reason}")]
    Field {
        /// Path of the field, such as `model.merges[12]`.
        field: String,
        /// What is wrong with it.
        reason: String,
    },
    /// The `tokenizers` library refused, or failed on, checked contents.
    #[error("tokenizer.json: model: {0}")]
    Library(String),
    /// A file beside `tokenizer.json`, or GGUF metadata, holds what no tokenizer can have.
    #[error("{field}: {reason}")]
    Metadata {
        /// File or key and the place in it, such as `tokenizer.ggml.tokens[12]`.
        field: String,
        /// What is wrong with it.
        reason: String,
    },
    /// A text could not be turned into ids.
    #[error("tokenizer: {0}")]
    Encode(String),
    /// A chat template is not Jinja, or it refused or failed on a conversation.
    #[error("chat template: {0}")]
    Template(String),
    /// A conversation cannot be put into the model's form.
    #[error("prompt: {0}")]
    Prompt(String),
    /// The wished vocabulary cannot hold the special tokens and the 256 bytes.
    #[error(
        "vocabulary of {wished} tokens: at least {least} are needed for special tokens and bytes"
    )]
    VocabularyTooSmall {
        /// Tokens asked for.
        wished: usize,
        /// Fewest possible.
        least: usize,
    },
}

impl TokenizerError {
    pub(crate) fn field(field: impl Into<String>, reason: impl Into<String>) -> Self {
        Self::Field {
            field: field.into(),
            reason: reason.into(),
        }
    }

    pub(crate) fn metadata(field: impl Into<String>, reason: impl Into<String>) -> Self {
        Self::Metadata {
            field: field.into(),
            reason: reason.into(),
        }
    }
}
