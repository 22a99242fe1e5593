//! Why no dataset was made.

use std::path::{Path, PathBuf};

/// Why the pipeline stopped.
#[derive(Debug, thiserror::Error)]
pub enum TextbooksError {
    /// The dataset could not be written.
    #[error(transparent)]
    Data(#[from] avocet_data::DataError),
    /// A sample is inconsistent.
    #[error("{input}: {cause}")]
    Sample {
        /// The question it was made from.
        input: String,
        /// What is wrong with it.
        cause: avocet_data::SampleError,
    },
    /// A file could not be read, or what the model said could not be kept for a later run.
    #[error("{path:?}: {cause}")]
    Io {
        /// The file.
        path: PathBuf,
        /// What the system said.
        cause: std::io::Error,
    },
    /// The text is neither plain nor Markdown nor a page by its name.
    #[error("{path:?}: only .txt, .md and .html files are taken")]
    Ending {
        /// The file.
        path: PathBuf,
    },
    /// The name of a file says where a sample comes from and to which part it belongs.
    #[error("{path:?}: another file is called {name} too; rename one")]
    SameName {
        /// The second file.
        path: PathBuf,
        /// What both are called.
        name: String,
    },
    /// All files belong to the other part.
    #[error("--split {asked}: by their names all files belong to --split {other}")]
    Split {
        /// The part asked for.
        asked: &'static str,
        /// The part that they belong to.
        other: &'static str,
    },
    /// There is no run of that number.
    #[error(transparent)]
    Rank(#[from] pipeline::RankError),
    /// A licence is the least that is said about a text.
    #[error("--licence is empty: name it, or leave the flag away")]
    Licence,
    /// The model failed.
    #[error("--model {model}: {reason}")]
    Model {
        /// As it was asked for.
        model: String,
        /// What it said.
        reason: String,
    },
}

impl TextbooksError {
    pub(crate) fn io(path: &Path) -> impl FnOnce(std::io::Error) -> Self {
        move |cause| Self::Io {
            path: path.to_owned(),
            cause,
        }
    }
}
