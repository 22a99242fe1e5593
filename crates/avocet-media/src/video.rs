//! Video files: what they hold, and their frames with times, decoded by the worker.

use serde::{Deserialize, Serialize};

/// What a media file holds.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct MediaInfo {
    /// Name of the container, in FFmpeg's words.
    pub container: String,
    /// Length; none if neither header nor index says.
    pub duration_s: Option<f64>,
    /// The picture, if there is one.
    pub video: Option<VideoInfo>,
    /// The sound, if there is some.
    pub audio: Option<AudioInfo>,
}

/// The video stream that is read: the largest, cover pictures left out.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct VideoInfo {
    /// Name of the codec, in FFmpeg's words.
    pub codec: String,
    /// Pixels across as shown: turned upright, and with square pixels.
    pub width: u32,
    /// Pixels down as shown.
    pub height: u32,
    /// Clockwise quarter turns, in degrees, that make the stored picture upright.
    pub rotation_degrees: u32,
    /// Width of a stored pixel over its height; frames are stretched so that it becomes 1.
    pub pixel_aspect: f64,
    /// Average frames a second, if known.
    pub frame_rate: Option<f64>,
}

/// The audio stream that is read: the container's default.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct AudioInfo {
    /// Name of the codec, in FFmpeg's words.
    pub codec: String,
    /// Samples a second as stored.
    pub sample_rate_hz: u32,
    /// Channels as stored.
    pub channels: u32,
    /// Language tag of the stream, if it has one.
    pub language: Option<String>,
}

/// Describes one frame; the payload is `3 * width * height` bytes, RGB by rows.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct FrameHeader {
    /// When the frame begins to be shown, from the start of the file.
    pub time_s: f64,
    /// Pixels across.
    pub width: u32,
    /// Pixels down.
    pub height: u32,
}
