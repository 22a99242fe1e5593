//! Why there is no speech model.

use std::path::{Path, PathBuf};

/// Why a speech model cannot be had.
#[derive(Debug, thiserror::Error)]
pub enum WhisperModelError {
    /// What was asked for is neither a name nor here.
    #[error(
        "{reference:?} is no speech model: give {names}, a ggml .bin file, or a faster-whisper folder"
    )]
    Unknown {
        /// What was asked for.
        reference: String,
        /// The names that are known.
        names: String,
    },
    /// The folder has no model.
    #[error("{path:?}: no model.bin with a vocabulary.txt or vocabulary.json beside it")]
    Folder {
        /// The folder.
        path: PathBuf,
    },
    /// A file is not what it should be.
    #[error("{path:?}: {part}: {reason}")]
    Model {
        /// The file.
        path: PathBuf,
        /// The field or tensor of it.
        part: String,
        /// What is wrong with it.
        reason: String,
    },
    /// A package could not be had.
    #[error(transparent)]
    Source(#[from] avocet_fetch::SourceError),
    /// A file could not be read or written.
    #[error("{path:?}: {cause}")]
    Io {
        /// The file or folder.
        path: PathBuf,
        /// What the system said.
        cause: std::io::Error,
    },
}

impl From<avocet_files::FileError> for WhisperModelError {
    fn from(error: avocet_files::FileError) -> Self {
        Self::io(&error.path)(error.cause)
    }
}

impl WhisperModelError {
    pub(super) fn io(path: &Path) -> impl FnOnce(std::io::Error) -> Self {
        move |cause| Self::Io {
            path: path.to_owned(),
            cause,
        }
    }

    pub(super) fn model(path: &Path, part: &str, reason: impl Into<String>) -> Self {
        Self::Model {
            path: path.to_owned(),
            // It may be a name out of the file, with line ends in it.
            part: part.escape_debug().to_string(),
            reason: reason.into(),
        }
    }
}
