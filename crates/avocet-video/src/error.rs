//! What can go wrong while a video is watched.

use std::path::PathBuf;

use avocet_media::child::ChildError;

/// Why a video gave nothing to see.
#[derive(Debug, thiserror::Error)]
pub enum WatchError {
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
}

impl From<ChildError> for WatchError {
    fn from(error: ChildError) -> Self {
        Self::Media(Box::new(error))
    }
}
