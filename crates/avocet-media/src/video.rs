//! Video files: what they hold, and their frames with times, decoded by the worker.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::Picture;
use crate::child::{
    Child, ChildError, ChildLimits, FramesRequest, ProbeRequest, Request, ScanRequest,
};

/// The longest side that frames can be asked for.
pub const MAX_SIDE: u32 = 4096;

/// Processor time that finding out what a file holds may take.
const PROBE_CPU_S: u64 = 60;

/// What a media file holds.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct MediaInfo {
    /// Name of the container, in FFmpeg's words.
    pub container: String,
    /// Length; none if neither header nor index says.
    pub duration_s: Option<f64>,
    /// The picture, if there is one.
    pub video: Option<VideoInfo>,
    /// The sound that is heard unless another is asked for, if there is some.
    pub audio: Option<AudioInfo>,
    /// All sound tracks, in the file's order.
    pub audio_tracks: Vec<AudioInfo>,
}

/// The video stream that is read: the one that FFmpeg calls best, cover pictures left out.
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
}

/// A sound track.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct AudioInfo {
    /// Which of the file's sound tracks it is, from 1.
    pub track: u32,
    /// Name of the codec, in FFmpeg's words.
    pub codec: String,
    /// Samples a second as stored.
    pub sample_rate_hz: u32,
    /// Channels as stored.
    pub channels: u32,
    /// Language tag of the stream, if it has one that says something.
    pub language: Option<String>,
    /// What the container calls it, if it says.
    pub title: Option<String>,
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

/// A frame that a video shows.
#[derive(Debug, Clone, PartialEq)]
pub struct Frame {
    /// When it begins to be shown, from the start of the file.
    pub time_s: f64,
    /// Upright, with square pixels.
    pub picture: Picture,
}

/// Finds out what a file holds.
///
/// Errors if it is not media, or holds neither pictures nor sound.
pub fn probe(path: &Path) -> Result<MediaInfo, ChildError> {
    let mut child = Child::spawn(ChildLimits {
        cpu_s: Some(PROBE_CPU_S),
        ..ChildLimits::default()
    })?;
    let request = ProbeRequest { path: path.into() };
    child.ask(path, &Request::Probe(request))?;
    match child.receive::<MediaInfo>()? {
        Some(message) => Ok(message.header),
        None => Err(silent(path)),
    }
}

/// The frames shown at `times_s`, in their order, with sides of at most `max_side` pixels.
///
/// Each is the last frame that begins no later than its time, exactly as decoding the whole file
/// would show it; before the first frame it is the first. Ascending times are the fastest.
/// Errors if the worker does not start; what is wrong with the file is an item.
pub fn frames_at(path: &Path, times_s: &[f64], max_side: u32) -> Result<Frames, ChildError> {
    let request = FramesRequest {
        path: path.into(),
        times_s: times_s.to_vec(),
        max_side,
    };
    Frames::ask(path, Request::Frames(request))
}

/// Every frame in the order shown, with sides of at most `max_side` pixels: one pass over the file.
///
/// Errors if the worker does not start; what is wrong with the file is an item.
pub fn scan(path: &Path, max_side: u32) -> Result<Frames, ChildError> {
    let request = ScanRequest {
        path: path.into(),
        max_side,
    };
    Frames::ask(path, Request::Scan(request))
}

/// Frames as the worker gives them; ends after the last, or after an error.
pub struct Frames {
    /// None once it has ended.
    child: Option<Child>,
    path: PathBuf,
}

impl Frames {
    fn ask(path: &Path, request: Request) -> Result<Self, ChildError> {
        let mut child = Child::spawn(ChildLimits::default())?;
        child.ask(path, &request)?;
        Ok(Self {
            child: Some(child),
            path: path.to_path_buf(),
        })
    }

    /// The process id of the worker, while there is one.
    pub fn worker_id(&self) -> Option<u32> {
        self.child.as_ref().map(Child::id)
    }

    fn receive(&mut self) -> Result<Option<Frame>, ChildError> {
        let Some(child) = &mut self.child else {
            return Ok(None);
        };
        let Some(message) = child.receive::<FrameHeader>()? else {
            return Ok(None);
        };
        let FrameHeader {
            time_s,
            width,
            height,
        } = message.header;
        let picture = Picture::from_rgb(width as usize, height as usize, message.payload).map_err(
            |error| ChildError::Protocol {
                subject: self.path.clone(),
                reason: error.to_string(),
            },
        )?;
        Ok(Some(Frame { time_s, picture }))
    }
}

impl Iterator for Frames {
    type Item = Result<Frame, ChildError>;

    fn next(&mut self) -> Option<Self::Item> {
        let received = self.receive();
        if !matches!(received, Ok(Some(_))) {
            self.child = None;
        }
        received.transpose()
    }
}

fn silent(path: &Path) -> ChildError {
    ChildError::Protocol {
        subject: path.to_path_buf(),
        reason: "no answer where one was due".to_owned(),
    }
}
