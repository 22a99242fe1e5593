//! What can be wrong with a sample or a dataset on disk.

use std::path::{Path, PathBuf};

/// Why a sample is not a sample.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SampleError {
    /// The text speaks of more or fewer images than there are.
    #[error("{markers} <image> markers but {images} images")]
    MarkerCount {
        /// Markers in the user's turns or the document.
        markers: usize,
        /// Images given.
        images: usize,
    },
    /// Each image has one truth or none, in order.
    #[error("{truths} truths but {images} images")]
    TruthCount {
        /// Truths given.
        truths: usize,
        /// Images given.
        images: usize,
    },
    /// Nothing to learn.
    #[error("no assistant turn with text and no document: nothing to learn")]
    NothingToLearn,
    /// A field that must say something says nothing.
    #[error("field `{0}` is empty")]
    EmptyField(&'static str),
    /// The stored description does not parse.
    #[error("its description does not parse: {0}")]
    Description(String),
    /// The members of a stored sample do not belong together.
    #[error("its files do not form a sample: {0}")]
    Members(String),
    /// A picture does not decode.
    #[error("image {index}: {reason}")]
    Image {
        /// Which of the sample's images.
        index: usize,
        /// What is wrong with it.
        reason: String,
    },
    /// The model's language has no form for what is said.
    #[error("it cannot be put into the model's form: {0}")]
    Unsaid(String),
    /// The description was changed after the sample was named.
    #[error("named {found} but its content hashes to {expected}")]
    Id {
        /// Name computed from the content.
        expected: String,
        /// Name stored.
        found: String,
    },
}

/// Why a dataset could not be written or read; names the file.
#[derive(Debug, thiserror::Error)]
pub enum DataError {
    /// The system refused.
    #[error("{path:?}: {cause}")]
    Io {
        /// File or folder.
        path: PathBuf,
        /// What the system said.
        cause: std::io::Error,
    },
    /// A file of the dataset is not what it should be.
    #[error("{path:?}: {reason}")]
    Broken {
        /// File at fault.
        path: PathBuf,
        /// What is wrong, with both values when two disagree.
        reason: String,
    },
    /// A sample could not be written or read.
    #[error("{path:?}, sample {index}: {cause}")]
    Sample {
        /// Dataset or shard.
        path: PathBuf,
        /// Position in the dataset, or in its input.
        index: usize,
        /// What is wrong with it.
        cause: SampleError,
    },
    /// The folder holds the work of a different recipe.
    #[error(
        "{path:?} was begun with other settings; choose another folder or the same settings \
         (found {found}, asked for {asked})"
    )]
    OtherRecipe {
        /// Output folder.
        path: PathBuf,
        /// Recipe in the folder.
        found: String,
        /// Recipe asked for.
        asked: String,
    },
    /// Another process writes here.
    #[error("{path:?} is being written by another process")]
    Busy {
        /// Output folder.
        path: PathBuf,
    },
    /// An option that cannot be followed.
    #[error("{option}: {reason}")]
    Option {
        /// The flag or argument.
        option: &'static str,
        /// What is wrong with it.
        reason: String,
    },
    /// Threads that could not be started.
    #[error("threads: {0}")]
    Threads(String),
    /// Datasets that cannot be mixed.
    #[error(transparent)]
    Mixture(#[from] crate::MixtureError),
    /// An index past the end.
    #[error("{path:?} has {samples} samples; there is no sample {index}")]
    NoSuchSample {
        /// Dataset folder.
        path: PathBuf,
        /// Samples in it.
        samples: usize,
        /// Sample asked for.
        index: usize,
    },
}

impl From<avocet_files::FileError> for DataError {
    fn from(error: avocet_files::FileError) -> Self {
        Self::io(&error.path)(error.cause)
    }
}

impl DataError {
    /// Joins a system error to the path it speaks of.
    pub(crate) fn io(path: &Path) -> impl FnOnce(std::io::Error) -> Self {
        let path = path.to_path_buf();
        move |cause| Self::Io { path, cause }
    }

    /// Says what is wrong with a flag or argument.
    pub(crate) fn option(option: &'static str, reason: impl ToString) -> Self {
        let reason = reason.to_string();
        Self::Option { option, reason }
    }

    /// Says what is wrong with a file.
    pub(crate) fn broken(path: &Path, reason: impl ToString) -> Self {
        Self::Broken {
            path: path.to_path_buf(),
            reason: reason.to_string(),
        }
    }
}
