//! A MEDIA argument as pictures: one of an image, a few of a video.

use std::ffi::OsStr;
use std::path::Path;

use anyhow::{Context, Result, bail};
use avocet_infer::Engine;
use avocet_media::named::find;
use avocet_media::video::{frames_at, probe};
use video::frames::{Budget, Look, LookAt, choose_at};
use video::watch::{Still, duration_s, look_through, stills};
use video::{VideoError, has_video_ending};

use super::media::{self, Source};
use crate::features::Feature;

/// Frames that one video gives a question: few, as the model attends to all of them at once.
const MOST_FRAMES: usize = 4;
/// The most pixels of one frame.
const MOST_PIXELS: usize = 230_400;
/// Frames that are looked at for each that is chosen.
const LOOKED_AT: usize = 6;
/// They are looked at this small.
const LOOK_SIDE: u32 = 96;

/// The pictures of one MEDIA argument, in order; errors name it.
///
/// A video, known by its ending, gives up to four frames spread over it that differ from each
/// other; each is named by the video and its time, such as `talk.mp4#t=12.5`.
pub fn read(engine: &Engine, name: &OsStr) -> Result<Vec<Source>> {
    let path = find(Path::new(name));
    match has_video_ending(&path) && path.exists() {
        true => frames(engine, &path),
        false => Ok(vec![media::read(engine, name)?]),
    }
}

fn frames(engine: &Engine, path: &Path) -> Result<Vec<Source>> {
    let name = path.display();
    if path.is_dir() {
        bail!("{name}: is a folder, not a video file");
    }
    Feature::Video.needed_for(path)?;
    let info = probe(path)?;
    if info.video.is_none() {
        bail!("{name}: has no picture, only sound");
    }
    let length_s = match info.duration_s {
        Some(_) => duration_s(&info, &[]),
        // As recorders leave it: nothing but the whole film says how long it is.
        None => duration_s(&info, &look_through(path, &info, |_| {})?),
    };
    let number = MOST_FRAMES * LOOKED_AT;
    let step_s = length_s / number as f64;
    let mut times: Vec<f64> = (0..number).map(|n| (n as f64 + 0.5) * step_s).collect();
    // The last frame too: in a film of one frame a slide it may be shown for no time at all.
    times.push(length_s);
    let mut looks: Vec<LookAt> = Vec::new();
    for (time_s, frame) in times.iter().zip(frames_at(path, &times, LOOK_SIDE)?) {
        let picture = frame?.picture;
        if let Some(look) = Look::of(picture.width, picture.height, &picture.rgb) {
            let time_s = *time_s;
            looks.push(LookAt { time_s, look });
        }
    }
    let budget = Budget {
        max_frames: MOST_FRAMES,
        max_pixels: MOST_PIXELS,
        max_tokens: usize::MAX,
        tokens_per_frame: 0,
    };
    let mut chosen = choose_at(&looks, &times[..number - 1], &budget);
    // Where there is room left, the end is worth a picture of its own.
    if chosen.times_s.len() < MOST_FRAMES {
        chosen = choose_at(&looks, &times, &budget);
    }
    let source = |still: Result<Still, VideoError>| {
        let still = still?;
        let image = engine
            .preprocess(&still.picture)
            .with_context(|| name.to_string())?;
        Ok(Source {
            name: format!("{name}#t={}", (still.time_s * 1000.0).round() / 1000.0),
            image,
        })
    };
    let stills = stills(path, &info, &chosen.times_s, &budget)?;
    let sources: Vec<Source> = stills.map(source).collect::<Result<_>>()?;
    match sources.is_empty() {
        true => bail!("{name}: no frame could be read"),
        false => Ok(sources),
    }
}
