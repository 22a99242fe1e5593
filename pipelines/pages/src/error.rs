//! What can go wrong with a run of the pipeline.

use std::path::PathBuf;

use avocet_browser::BrowserError;

/// Why a run of the pipeline stopped.
#[derive(Debug, thiserror::Error)]
pub enum PagesError {
    /// There is no run of that number.
    #[error(transparent)]
    Rank(#[from] pipeline::RankError),
    /// A setting outside its range.
    #[error("--{flag} is {got}, but must be {range}")]
    Flag {
        /// The flag.
        flag: &'static str,
        /// What was given.
        got: String,
        /// What is allowed.
        range: String,
    },
    /// Nothing to render.
    #[error("nothing to render: give URLs, HTML files or folders, --manuals N or --synthetic N")]
    NoInput,
    /// An input that is neither URL, page nor folder.
    #[error("{input}: {reason}")]
    Input {
        /// As given.
        input: String,
        /// What is wrong with it.
        reason: String,
    },
    /// A folder could not be listed.
    #[error("{path:?}: {cause}")]
    Io {
        /// The file or folder.
        path: PathBuf,
        /// What the system said.
        cause: std::io::Error,
    },
    /// The browser does not run at all.
    #[error(transparent)]
    Browser(#[from] BrowserError),
    /// A typeface could not be fetched.
    #[error(transparent)]
    Source(#[from] avocet_fetch::SourceError),
    /// A manual's pages could not be listed.
    #[error(transparent)]
    Package(#[from] drawing::PackageError),
    /// The dataset could not be written.
    #[error(transparent)]
    Data(#[from] avocet_data::DataError),
    /// A sample's parts do not agree.
    #[error("{input}: {cause}")]
    Sample {
        /// The input it was made from.
        input: String,
        /// What is wrong with it.
        cause: avocet_data::SampleError,
    },
}
