//! Why no dataset was made.

use std::path::{Path, PathBuf};

/// Why the pipeline stopped.
#[derive(Debug, thiserror::Error)]
pub enum OtherHandsError {
    /// There is no run of that number.
    #[error(transparent)]
    Rank(#[from] pipeline::RankError),
    /// A package could not be had.
    #[error(transparent)]
    Source(#[from] avocet_fetch::SourceError),
    /// A file inside a package is of no use.
    #[error(transparent)]
    Package(#[from] drawing::PackageError),
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
    /// A picture could not be read or written.
    #[error("{name}: {cause}")]
    Picture {
        /// The picture.
        name: String,
        /// What is wrong with it.
        cause: image::ImageError,
    },
    /// A program that a set is made with is not on the machine, or failed.
    #[error(transparent)]
    Press(#[from] presses::PressError),
    /// A file for a program could not be written, or the program not be run.
    #[error("{path:?}: {cause}")]
    Io {
        /// The file or program.
        path: PathBuf,
        /// What the system said.
        cause: std::io::Error,
    },
    /// The threads could not be started.
    #[error("cannot start threads: {0}")]
    Threads(#[from] rayon::ThreadPoolBuildError),
}

impl OtherHandsError {
    pub(crate) fn io(path: &Path) -> impl FnOnce(std::io::Error) -> Self {
        move |cause| Self::Io {
            path: path.to_owned(),
            cause,
        }
    }

    pub(crate) fn picture(name: &str) -> impl FnOnce(image::ImageError) -> Self {
        move |cause| Self::Picture {
            name: name.to_owned(),
            cause,
        }
    }

    /// Whether a program that is missing is why.
    pub(crate) fn is_missing_tool(&self) -> bool {
        matches!(self, Self::Press(error) if error.is_missing_tool())
    }
}
