//! Frames of a file: every one seen from afar, and the chosen ones as pictures.

use std::path::Path;

use avocet_media::Picture;
use avocet_media::child::ChildError;
use avocet_media::video::{Frame, MediaInfo, VideoInfo, frames_at, scan};
use image::codecs::jpeg::JpegEncoder;

use crate::error::WatchError;
use crate::frames::{Budget, EvenLooks, FrameStats, LookAt, choose_at};

/// Endings of files that hold video.
const ENDINGS: [&str; 20] = [
    "3gp", "asf", "avi", "f4v", "flv", "m2ts", "m4v", "mkv", "mov", "mp4", "mpeg", "mpg", "mts",
    "mxf", "nut", "ogv", "ts", "vob", "webm", "wmv",
];
/// Frames are looked at this small: enough for the cells of a look.
const LOOK_SIDE: u32 = 96;
/// Frames that are looked at for each of a few that are chosen.
const LOOKED_AT: usize = 6;
/// Quality of the pictures written.
const JPEG_QUALITY: u8 = 90;

/// Whether a file is named as a video is.
pub fn has_video_ending(path: &Path) -> bool {
    let ending = path
        .extension()
        .map(|ending| ending.to_string_lossy().to_lowercase());
    ending.is_some_and(|ending| ENDINGS.contains(&ending.as_str()))
}

/// A chosen frame.
#[derive(Debug, Clone, PartialEq)]
pub struct Still {
    /// The moment that was asked for: when its frame began depends on how the file counts frames.
    pub time_s: f64,
    /// What is shown.
    pub picture: Picture,
}

/// Looks at what a file shows, ten times a second; `at` is told the time reached.
///
/// Errors if the file does not decode or has no picture.
pub fn look_through(
    path: &Path,
    info: &MediaInfo,
    mut at: impl FnMut(f64),
) -> Result<Vec<LookAt>, WatchError> {
    let mut looks = EvenLooks::default();
    for frame in scan(path, LOOK_SIDE)? {
        let frame = frame?;
        at(frame.time_s);
        looks.show(frame.time_s, frame.picture);
    }
    let looks = looks.finish(info.duration_s.unwrap_or(0.0));
    if looks.is_empty() {
        return Err(WatchError::NoPicture {
            path: path.to_path_buf(),
        });
    }
    Ok(looks)
}

/// The frames shown at `times_s`, ascending, within the budget's pixels, each decoded when it is
/// asked for.
///
/// Errors if the file has no picture; what else is wrong with it is an item.
pub fn stills(
    path: &Path,
    info: &MediaInfo,
    times_s: &[f64],
    budget: &Budget,
) -> Result<impl Iterator<Item = Result<Still, WatchError>> + use<>, WatchError> {
    let video = shown_in(path, info)?;
    let side = budget.longer_side(video.width as usize, video.height as usize);
    let side = u32::try_from(side.max(1))
        .unwrap_or(u32::MAX)
        .min(avocet_media::video::MAX_SIDE);
    // Without a time no worker is asked.
    let frames = match times_s {
        [] => None,
        _ => Some(frames_at(path, times_s, side)?),
    };
    let still = |(time_s, frame): (f64, Result<Frame, ChildError>)| {
        let picture = frame?.picture;
        Ok(Still { time_s, picture })
    };
    let times_s = times_s.to_vec();
    Ok(times_s
        .into_iter()
        .zip(frames.into_iter().flatten())
        .map(still))
}

/// A few frames spread over a film that differ from each other; where some of the budget is left,
/// the end has one of its own.
///
/// Errors if the file has no picture or does not decode.
pub fn spread(
    path: &Path,
    info: &MediaInfo,
    budget: &Budget,
) -> Result<impl Iterator<Item = Result<Still, WatchError>> + use<>, WatchError> {
    shown_in(path, info)?;
    let length_s = match info.duration_s {
        Some(_) => duration_s(info, &[]),
        // As recorders leave it: nothing but the whole film says how long it is.
        None => duration_s(info, &look_through(path, info, |_| {})?),
    };
    let number = budget.max_frames.max(1) * LOOKED_AT;
    let step_s = length_s / number as f64;
    let mut times: Vec<f64> = (0..number).map(|n| (n as f64 + 0.5) * step_s).collect();
    // The last frame too: in a film of one frame a slide it may be shown for no time at all.
    times.push(length_s);
    let mut looks: Vec<LookAt> = Vec::new();
    for (time_s, frame) in times.iter().zip(frames_at(path, &times, LOOK_SIDE)?) {
        let picture = frame?.picture;
        if let Some(look) = FrameStats::of(picture.width, picture.height, &picture.rgb) {
            let time_s = *time_s;
            looks.push(LookAt { time_s, look });
        }
    }
    let mut chosen = choose_at(&looks, &times[..number - 1], budget);
    if chosen.times_s.len() < budget.max_frames {
        chosen = choose_at(&looks, &times, budget);
    }
    stills(path, info, &chosen.times_s, budget)
}

/// What is shown, or the error that nothing is.
fn shown_in<'a>(path: &Path, info: &'a MediaInfo) -> Result<&'a VideoInfo, WatchError> {
    info.video.as_ref().ok_or_else(|| WatchError::NoPicture {
        path: path.to_path_buf(),
    })
}

/// How long a file is: as its header says, or else until its last look.
pub fn duration_s(info: &MediaInfo, looks: &[LookAt]) -> f64 {
    let last_s = looks.last().map_or(0.0, |look| look.time_s);
    info.duration_s
        .filter(|said| said.is_finite())
        .unwrap_or(0.0)
        .max(last_s)
}

/// The picture as a JPEG file; the same pixels give the same bytes.
pub fn jpeg(picture: &Picture) -> Result<Vec<u8>, WatchError> {
    let side = |side: usize| u32::try_from(side).unwrap_or(u32::MAX);
    let mut file = Vec::new();
    JpegEncoder::new_with_quality(&mut file, JPEG_QUALITY).encode(
        &picture.rgb,
        side(picture.width),
        side(picture.height),
        image::ExtendedColorType::Rgb8,
    )?;
    Ok(file)
}
