//! What can be wrong with a model's files.

use crate::formats::gguf::GgufError;
use crate::formats::pickle::PickleError;
use crate::formats::safetensors::HeaderError;
use std::path::{Path, PathBuf};

/// Why a model could not be opened, checked or saved.
#[derive(Debug, thiserror::Error)]
pub enum CheckpointError {
    /// The operating system refused.
    #[error("{path:?}: {source}")]
    Io {
        /// The file or folder.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// A file is larger than any valid one.
    #[error("{path:?}: {bytes} bytes, at most {limit} are read")]
    TooLarge {
        /// The file.
        path: PathBuf,
        /// Its length.
        bytes: u64,
        /// Longest accepted.
        limit: u64,
    },
    /// The configuration is wrong.
    #[error("{path:?}: {source}")]
    Config {
        /// The file.
        path: PathBuf,
        /// Which field, and why.
        source: avocet_config::ConfigError,
    },
    /// The tokenizer is wrong.
    #[error("{path:?}: {source}")]
    Tokenizer {
        /// The file.
        path: PathBuf,
        /// Which field, and why.
        source: avocet_text::TokenizerError,
    },
    /// The table of a recogniser's classes is wrong or missing.
    #[error("{path:?}: {reason}")]
    Concepts {
        /// The file.
        path: PathBuf,
        /// What is wrong, with the number of the line.
        reason: String,
    },
    /// The weights file is damaged.
    #[error("{path:?}: {reason}")]
    Weights {
        /// The file.
        path: PathBuf,
        /// What is wrong, with the tensor's name where it is about one.
        reason: HeaderError,
    },
    /// A GGUF file is damaged, or of a kind that is not read.
    #[error("{path:?}: {reason}")]
    Gguf {
        /// The file.
        path: PathBuf,
        /// Which field at which byte, and why.
        reason: GgufError,
    },
    /// A file of `torch.save` is damaged, or holds what is not read.
    #[error("{path:?}: {reason}")]
    Pickle {
        /// The file.
        path: PathBuf,
        /// What is wrong, and where.
        reason: PickleError,
    },
    /// A public model's settings are wrong, or ask for what is not computed.
    #[error("{path:?}: {reason}")]
    Family {
        /// The file.
        path: PathBuf,
        /// Which field, and why.
        reason: String,
    },
    /// A field cannot be set to a value.
    #[error("{assignment}: {reason}")]
    Setting {
        /// As it was written.
        assignment: String,
        /// Why.
        reason: String,
    },
    /// The list of a model's shards is wrong.
    #[error("{path:?}: {reason}")]
    Index {
        /// The file.
        path: PathBuf,
        /// Which shard or tensor, and why.
        reason: String,
    },
    /// A folder holds nothing that a model is known by.
    #[error(
        "{folder:?}: holds no model: neither config.toml, nor config.json, nor open_flamingo.json"
    )]
    NoModel {
        /// The folder.
        folder: PathBuf,
    },
    /// A folder has no file of weights.
    #[error(
        "{folder:?}: holds neither model.safetensors nor pytorch_model.bin, nor an index of either"
    )]
    NoWeights {
        /// The folder.
        folder: PathBuf,
    },
    /// A folder is to be written where something is already.
    #[error("{folder:?}: is there and not empty; name a new folder")]
    NotEmpty {
        /// The folder.
        folder: PathBuf,
    },
    /// The tokenizer is a public model's where one of our own is needed.
    #[error("{path:?}: the tokenizer of this {family} model has no tokens for our own prompts")]
    ForeignTokenizer {
        /// The model.
        path: PathBuf,
        /// What family it is of.
        family: &'static str,
    },
    /// The tensors are not those of the configured model.
    #[error("{path:?}: {differences}")]
    Mismatch {
        /// The weights file.
        path: PathBuf,
        /// Every difference found.
        differences: String,
    },
    /// Models cannot be joined, or the folder of a joined one is not as it was written.
    #[error("{path:?}: {reason}")]
    Parts {
        /// The model, or the file that names its parts.
        path: PathBuf,
        /// Why.
        reason: String,
    },
    /// A tensor operation failed.
    #[error(transparent)]
    Tensor(#[from] candle_core::Error),
    /// A tensor could not be written in the weights format.
    #[error("{path:?}: {reason}")]
    Unwritable {
        /// The weights file.
        path: PathBuf,
        /// Why.
        reason: String,
    },
    /// The reference names nothing that can be opened.
    #[error("model {reference:?}: {reason}")]
    Reference {
        /// As the user wrote it.
        reference: String,
        /// Why, and what could be written instead.
        reason: String,
    },
}

impl From<avocet_files::FileError> for CheckpointError {
    fn from(error: avocet_files::FileError) -> Self {
        Self::io(&error.path)(error.cause)
    }
}

impl CheckpointError {
    /// An error about a model made of parts, or one of them.
    pub(crate) fn parts(path: &Path, reason: impl Into<String>) -> Self {
        Self::Parts {
            path: path.to_owned(),
            reason: reason.into(),
        }
    }

    pub(crate) fn io(path: &Path) -> impl FnOnce(std::io::Error) -> Self {
        move |source| Self::Io {
            path: path.to_owned(),
            source,
        }
    }
}

/// Result of what a model's files can spoil.
pub(crate) type Result<T, E = CheckpointError> = std::result::Result<T, E>;
