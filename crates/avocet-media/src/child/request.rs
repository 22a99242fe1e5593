//! What the worker can be asked for.

use std::ffi::OsString;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

/// One request. The reply's headers and payloads are described with each kind.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Request {
    /// One [`crate::video::MediaInfo`], no payload.
    Probe(ProbeRequest),
    /// A [`crate::video::FrameHeader`] and RGB bytes for each time.
    Frames(FramesRequest),
    /// A [`crate::video::FrameHeader`] and RGB bytes for each frame of the file.
    Scan(ScanRequest),
    /// A [`crate::audio::BlockHeader`] and little-endian f32 samples for each block.
    Audio(AudioRequest),
    /// [`crate::still::PartHeader`]s and RGB bytes for each of the coded pictures, which follow the
    /// request.
    Still(StillRequest),
    /// One [`crate::still::DrawnHeader`] and RGB bytes; the SVG follows the request.
    Svg,
    /// One [`crate::speech::Heard`], no payload; the samples follow the request.
    Speech(SpeechRequest),
}

/// What is in a file?
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ProbeRequest {
    /// The file.
    pub path: FilePath,
}

/// Which frames are shown at these times?
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FramesRequest {
    /// The file.
    pub path: FilePath,
    /// Seconds from the file's start; replies come in this order.
    pub times_s: Vec<f64>,
    /// Frames with a longer side are scaled down to it.
    pub max_side: u32,
}

/// Every frame in order.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ScanRequest {
    /// The file.
    pub path: FilePath,
    /// Frames with a longer side are scaled down to it.
    pub max_side: u32,
}

/// All that is heard, as 16 kHz mono.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AudioRequest {
    /// The file.
    pub path: FilePath,
    /// Which of its sound tracks, from 1; the container's default when absent.
    pub track: Option<u32>,
}

/// What do these coded pictures show?
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StillRequest {
    /// How they are coded.
    pub coding: Coding,
    /// What the decoder has to know first; may be empty.
    pub setup: Vec<u8>,
    /// What the container says about colours, which wins over the codec's own words.
    pub colours: Option<Colours>,
    /// Most pixels of one picture.
    pub max_pixels: u64,
}

/// How pictures in HEIC and AVIF files are coded.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Coding {
    /// As in HEIC.
    Hevc,
    /// As in AVIF.
    Av1,
}

/// What a container says about colours, in the numbers of ISO/IEC 23091-2.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Colours {
    /// How light becomes numbers.
    pub transfer: u16,
    /// How red, green and blue become brightness and colour.
    pub matrix: u16,
    /// Whether black is 0.
    pub full_range: bool,
}

/// Asks for the words in one window, whose samples follow as one block of little-endian f32.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SpeechRequest {
    /// The ggml file; the worker keeps the last one loaded.
    pub model: FilePath,
    /// Two-letter code of the language; found out when absent.
    pub language: Option<String>,
    /// Threads that compute.
    pub num_threads: u32,
    /// Hypotheses that are kept while decoding.
    pub beam_size: u32,
}

/// A path, whose bytes need not be UTF-8.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "Vec<u8>", into = "Vec<u8>")]
pub struct FilePath(PathBuf);

impl FilePath {
    /// The path.
    pub fn as_path(&self) -> &Path {
        &self.0
    }
}

impl From<&Path> for FilePath {
    fn from(path: &Path) -> Self {
        Self(path.to_path_buf())
    }
}

impl From<Vec<u8>> for FilePath {
    fn from(bytes: Vec<u8>) -> Self {
        Self(OsString::from_vec(bytes).into())
    }
}

impl From<FilePath> for Vec<u8> {
    fn from(path: FilePath) -> Self {
        path.0.as_os_str().as_bytes().to_vec()
    }
}
