//! What can go wrong while training.

use std::path::{Path, PathBuf};

/// Everything a training run can fail with.
#[derive(Debug, thiserror::Error)]
pub enum TrainError {
    /// A file could not be read or written.
    #[error("{path}: {source}")]
    Io {
        /// The file or folder.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// A field of the training file is missing or out of range.
    #[error("{field}: {message}")]
    Config {
        /// The field, with its stage.
        field: String,
        /// What is wrong with it.
        message: String,
    },
    /// The training file is not valid TOML, or holds an unknown field.
    #[error("{path}: {message}")]
    Parse {
        /// The file.
        path: PathBuf,
        /// What the parser said.
        message: String,
    },
    /// A tensor in a file does not have the shape that the model asks for.
    #[error("{name}: the file holds shape {found:?}, the model needs {needed:?}")]
    Shape {
        /// The tensor.
        name: String,
        /// The shape found.
        found: Vec<usize>,
        /// The shape that the model asks for.
        needed: Vec<usize>,
    },
    /// A checkpoint is incomplete or damaged.
    #[error("{path}: {message}")]
    Damaged {
        /// The file or folder of the checkpoint.
        path: PathBuf,
        /// What is wrong with it.
        message: String,
    },
    /// The run folder already holds checkpoints and `--resume` was not given.
    #[error(
        "{path}: the run already has {count} checkpoints; continue it with --resume, or name another run"
    )]
    RunExists {
        /// The run folder.
        path: PathBuf,
        /// How many checkpoints it holds.
        count: usize,
    },
    /// Another process trains in the run folder.
    #[error("{path}: another process is training in this folder")]
    Busy {
        /// The run folder.
        path: PathBuf,
    },
    /// Training cannot go on because the numbers are no longer finite.
    #[error(
        "step {step}: the gradient was not finite {count} times in a row; lower the learning rate"
    )]
    Diverged {
        /// The step at which training stopped.
        step: u64,
        /// How many steps in a row were skipped.
        count: u64,
    },
    /// The data could not be read.
    #[error("data: {0}")]
    Data(String),
    /// The model folder could not be read or written.
    #[error("model: {0}")]
    Model(String),
    /// A tensor operation failed.
    #[error(transparent)]
    Tensor(#[from] candle_core::Error),
    /// A run cannot be drawn.
    #[error("report: {0}")]
    Report(String),
}

impl From<avocet_files::FileError> for TrainError {
    fn from(error: avocet_files::FileError) -> Self {
        Self::io(&error.path)(error.cause)
    }
}

impl TrainError {
    /// Names the file that an input or output error belongs to.
    pub fn io(path: &Path) -> impl FnOnce(std::io::Error) -> Self + '_ {
        move |source| Self::Io {
            path: path.to_path_buf(),
            source,
        }
    }

    /// A field that is out of range.
    pub fn config(field: impl Into<String>, message: impl Into<String>) -> Self {
        Self::Config {
            field: field.into(),
            message: message.into(),
        }
    }

    /// Data that could not be read.
    pub(crate) fn data(error: avocet_data::DataError) -> Self {
        Self::Data(error.to_string())
    }

    /// A checkpoint that cannot be used.
    pub fn damaged(path: &Path, message: impl Into<String>) -> Self {
        Self::Damaged {
            path: path.to_path_buf(),
            message: message.into(),
        }
    }
}

/// Result of anything in this crate.
pub type Result<T> = std::result::Result<T, TrainError>;
