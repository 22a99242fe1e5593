//! A MEDIA argument as pictures: one of an image, a few of a video.

use std::path::Path;

use anyhow::{Context, Result, bail};
use avocet_infer::Engine;
use avocet_media::video::{frames_at, probe};
use video::frames::{Budget, Choice, Look, LookAt, choose};
use video::has_video_ending;
use video::watch::{duration_s, stills};

use crate::media::{self, Source};

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
pub fn read(engine: &Engine, name: &str) -> Result<Vec<Source>> {
    let path = Path::new(name);
    match has_video_ending(path) && path.exists() {
        true => frames(engine, name),
        false => Ok(vec![media::read(engine, name)?]),
    }
}

fn frames(engine: &Engine, name: &str) -> Result<Vec<Source>> {
    let path = Path::new(name);
    if path.is_dir() {
        bail!("{name}: is a folder, not a video file");
    }
    let info = probe(path)?;
    if info.video.is_none() {
        bail!("{name}: has no picture, only sound");
    }
    let length_s = duration_s(&info, &[]);
    let number = MOST_FRAMES * LOOKED_AT;
    let step_s = length_s / number as f64;
    let times: Vec<f64> = (0..number).map(|n| (n as f64 + 0.5) * step_s).collect();
    let mut looks: Vec<LookAt> = Vec::new();
    for frame in frames_at(path, &times, LOOK_SIDE)? {
        let frame = frame?;
        let picture = &frame.picture;
        let look = Look::of(picture.width, picture.height, &picture.rgb);
        // A film of few frames shows one of them several times.
        let is_new = looks.last().is_none_or(|last| last.time_s < frame.time_s);
        if let Some(look) = look.filter(|_| is_new) {
            looks.push(LookAt {
                time_s: frame.time_s,
                look,
            });
        }
    }
    let budget = Budget {
        max_frames: MOST_FRAMES,
        max_pixels: MOST_PIXELS,
        max_tokens: usize::MAX,
        tokens_per_frame: 0,
    };
    let choice = Choice::Every(step_s.max(0.001));
    let chosen = choose(&looks, length_s, &[], choice, &budget);
    let stills = stills(path, &info, &chosen.times_s, &budget, |_| {})?;
    let source = |still: video::watch::Still| {
        let image = engine
            .read_image(&still.jpeg)
            .with_context(|| name.to_owned())?;
        Ok(Source {
            name: format!("{name}#t={}", (still.time_s * 1000.0).round() / 1000.0),
            image,
        })
    };
    let sources: Vec<Source> = stills.into_iter().map(source).collect::<Result<_>>()?;
    match sources.is_empty() {
        true => bail!("{name}: no frame could be read"),
        false => Ok(sources),
    }
}
