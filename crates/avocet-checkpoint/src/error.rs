//! What can be wrong with a model's files.

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
        source: avocet_model::ConfigError,
    },
    /// The tokenizer is wrong.
    #[error("{path:?}: {source}")]
    Tokenizer {
        /// The file.
        path: PathBuf,
        /// Which field, and why.
        source: avocet_text::TokenizerError,
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
        reason: crate::gguf::GgufError,
    },
    /// A file of `torch.save` is damaged, or holds what is not read.
    #[error("{path:?}: {reason}")]
    Pickle {
        /// The file.
        path: PathBuf,
        /// What is wrong, and where.
        reason: crate::pickle::PickleError,
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

impl CheckpointError {
    pub(crate) fn io(path: &Path) -> impl FnOnce(std::io::Error) -> Self {
        move |source| Self::Io {
            path: path.to_owned(),
            source,
        }
    }
}

/// What is wrong with the header of a safetensors file.
#[derive(Debug, PartialEq, thiserror::Error)]
pub enum HeaderError {
    /// Fewer bytes than the length of the header takes.
    #[error("{bytes} bytes, too short for the length of a header")]
    TooShort {
        /// Length of the file.
        bytes: usize,
    },
    /// The header would end beyond the file, or is longer than any we accept.
    #[error(
        "a header of {header} bytes does not fit; {available} follow, at most {limit} are read"
    )]
    HeaderLength {
        /// Length that the file states.
        header: u64,
        /// Bytes after that statement.
        available: usize,
        /// Longest accepted.
        limit: usize,
    },
    /// The header is not the JSON that it should be.
    #[error("header: {0}")]
    Json(String),
    /// A name appears twice.
    #[error("tensor {name:?} appears twice")]
    Duplicate {
        /// The name.
        name: String,
    },
    /// The number type is not one of those that models here have.
    #[error("tensor {name:?}: dtype {dtype:?} is not supported")]
    Dtype {
        /// The tensor.
        name: String,
        /// As the file says.
        dtype: String,
    },
    /// The shape's product is no size that memory can have.
    #[error("tensor {name:?}: shape {shape:?} overflows")]
    Overflow {
        /// The tensor.
        name: String,
        /// As the file says.
        shape: Vec<u64>,
    },
    /// The shape takes another number of bytes than the offsets enclose.
    #[error("tensor {name:?}: shape takes {wanted} bytes, but data_offsets {start}..{end}")]
    Size {
        /// The tensor.
        name: String,
        /// Bytes of its shape.
        wanted: usize,
        /// First byte after the header.
        start: u64,
        /// Byte after the last.
        end: u64,
    },
    /// The offsets end beyond the data.
    #[error(
        "tensor {name:?}: data_offsets {start}..{end}, but there are {available} bytes of data"
    )]
    Range {
        /// The tensor.
        name: String,
        /// First byte.
        start: u64,
        /// Byte after the last.
        end: u64,
        /// Bytes of data in the file.
        available: usize,
    },
    /// The tensor does not begin where the one before ends.
    #[error("tensor {name:?}: begins at {start}, but the one before it ends at {expected}")]
    NotAdjacent {
        /// The tensor.
        name: String,
        /// Where it begins.
        start: usize,
        /// Where it should.
        expected: usize,
    },
    /// Bytes at the end belong to no tensor.
    #[error("the last tensor ends at {end}, but there are {available} bytes of data")]
    Leftover {
        /// Where the last tensor ends.
        end: usize,
        /// Bytes of data in the file.
        available: usize,
    },
}
