//! What can go wrong while formulas and texts are drawn.

use std::path::PathBuf;

/// Why a run of the pipeline stopped.
#[derive(Debug, thiserror::Error)]
pub enum FormulasError {
    /// A typeface of the renderer cannot be used.
    #[error("{file}: {reason}")]
    Face {
        /// The file.
        file: String,
        /// What is wrong with it.
        reason: String,
    },
    /// A file or folder could not be read.
    #[error("{path:?}: {cause}")]
    Io {
        /// The file or folder.
        path: PathBuf,
        /// What the system said.
        cause: std::io::Error,
    },
    /// The file is of no kind that formulas are looked for in.
    #[error("{path:?}: only .tex, .md and .txt files are taken")]
    Ending {
        /// The file.
        path: PathBuf,
    },
    /// A kind of samples that is made of files, without one.
    #[error("--kind {kind}: name at least one .tex, .md or .txt file")]
    NoFiles {
        /// The kind.
        kind: &'static str,
    },
    /// Files without a kind of samples that is made of them.
    #[error("{path:?}: none of the kinds asked for is made from files")]
    UnusedFiles {
        /// The first file.
        path: PathBuf,
    },
    /// None of the texts belongs to the split.
    #[error("--kind {kind}: the texts have nothing long enough for --split {split}")]
    NoText {
        /// The kind.
        kind: &'static str,
        /// The split.
        split: &'static str,
    },
    /// What is only to be had by fetching it, where nothing is to be fetched.
    #[error("--bundled: manuals and the programs of others come with packages that are fetched")]
    NoManuals,
    /// A kind of samples that only our own renderer draws.
    #[error("--renderer {renderer} sets formulas; --kind {kind} is drawn by our own")]
    OwnAlone {
        /// The renderer.
        renderer: &'static str,
        /// The kind.
        kind: &'static str,
    },
    /// A program of others is missing or failed.
    #[error(transparent)]
    Press(#[from] presses::PressError),
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
    /// A picture could not be written.
    #[error("cannot write a picture: {0}")]
    Picture(#[from] image::ImageError),
    /// A package could not be fetched.
    #[error(transparent)]
    Source(#[from] avocet_fetch::SourceError),
    /// A package's typefaces could not be read.
    #[error(transparent)]
    Package(#[from] drawing::PackageError),
    /// The dataset could not be written.
    #[error(transparent)]
    Data(#[from] avocet_data::DataError),
    /// A sample's parts do not agree.
    #[error(transparent)]
    Sample(#[from] avocet_data::SampleError),
    /// The threads could not be started.
    #[error("cannot start threads: {0}")]
    Threads(#[from] rayon::ThreadPoolBuildError),
}

impl FormulasError {
    pub(crate) fn io(path: &std::path::Path) -> impl FnOnce(std::io::Error) -> Self {
        move |cause| Self::Io {
            path: path.to_owned(),
            cause,
        }
    }
}
