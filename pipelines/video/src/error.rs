//! What can go wrong while a video is watched, or samples are made of many.

use std::path::PathBuf;

use avocet_media::child::ChildError;

use crate::speech::TranscribeError;
use crate::whisper_model::WhisperModelError;

/// Why a video gave nothing, or a run of the pipeline stopped.
#[derive(Debug, thiserror::Error)]
pub enum VideoError {
    /// The decoder could not be asked, or refused the file.
    #[error(transparent)]
    Media(Box<ChildError>),
    /// A file of sound alone.
    #[error("{}: has no picture, only sound", .path.display())]
    NoPicture {
        /// The file.
        path: PathBuf,
    },
    /// A picture could not be written as JPEG.
    #[error("cannot write a picture as JPEG: {0}")]
    Jpeg(#[from] image::ImageError),
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
