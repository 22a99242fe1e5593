//! What can go wrong while pictures are made.

/// Why a run of the pipeline stopped.
#[derive(Debug, thiserror::Error)]
pub enum NamedPicturesError {
    /// A file inside a package is of no use.
    #[error(transparent)]
    Package(#[from] drawing::PackageError),
    /// There is no run of that number.
    #[error(transparent)]
    Rank(#[from] pipeline::RankError),
    /// A setting outside its range.
    #[error("--{flag} is {got}, but must be {range}")]
    Flag {
        /// The flag.
        flag: &'static str,
        /// What was given.
        got: usize,
        /// What is allowed.
        range: String,
    },
    /// A kind that does not exist in the split asked for.
    #[error("--kind {kind} has no --split {split}")]
    NoSplit {
        /// The kind.
        kind: &'static str,
        /// The split.
        split: &'static str,
    },
    /// Fewer packages than the kind is drawn from.
    #[error("{kind} is drawn from {wanted} packages; {got} were given")]
    Packages {
        /// The kind.
        kind: &'static str,
        /// How many it has.
        wanted: usize,
        /// How many there are.
        got: usize,
    },
    /// A picture could not be written as PNG.
    #[error("cannot write a picture as PNG: {0}")]
    Png(#[from] image::ImageError),
    /// A package could not be fetched.
    #[error(transparent)]
    Source(#[from] avocet_fetch::SourceError),
    /// The dataset could not be written.
    #[error(transparent)]
    Data(#[from] avocet_data::DataError),
    /// A sample's parts do not agree.
    #[error(transparent)]
    Sample(#[from] avocet_data::SampleError),
    /// The browser did not do what it is for.
    #[error(transparent)]
    Browser(#[from] avocet_browser::BrowserError),
    /// A page for the browser could not be written.
    #[error("cannot write a page for the browser: {0}")]
    Scratch(std::io::Error),
    /// The threads could not be started.
    #[error("cannot start threads: {0}")]
    Threads(#[from] rayon::ThreadPoolBuildError),
}
