//! What can go wrong while samples are made of videos.

use std::path::PathBuf;

use avocet_video::WatchError;
use avocet_video::speech::TranscribeError;
use avocet_video::whisper_model::WhisperModelError;

/// Why a video gave no samples, or a run of the pipeline stopped.
#[derive(Debug, thiserror::Error)]
pub enum VideoError {
    /// A video could not be watched.
    #[error(transparent)]
    Watch(#[from] WatchError),
    /// An input that is not there, or a transcript that does not read.
    #[error("{}: {reason}", .path.display())]
    Input {
        /// The file or folder.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
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
    /// The speech model cannot be had.
    #[error("--whisper: {0}")]
    Model(Box<WhisperModelError>),
    /// What is said cannot be heard.
    #[error(transparent)]
    Hearing(Box<TranscribeError>),
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
