//! A MEDIA argument as pictures: one of an image, a few of a video.

use std::ffi::OsStr;
use std::path::Path;

use anyhow::{Context, Result, bail};
use avocet_infer::Engine;
use avocet_media::named::find;
use avocet_media::video::probe;
use avocet_video::WatchError;
use avocet_video::frames::Budget;
use avocet_video::watch::{Still, has_video_ending, spread};

use super::media::{self, Source};
use crate::features::Feature;

/// Frames that one video gives a question: few, as the model attends to all of them at once.
const MOST_FRAMES: usize = 4;
/// The most pixels of one frame.
const MOST_PIXELS: usize = 230_400;

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
    let budget = Budget {
        max_frames: MOST_FRAMES,
        max_pixels: MOST_PIXELS,
        max_tokens: usize::MAX,
        tokens_per_frame: 0,
    };
    let source = |still: Result<Still, WatchError>| {
        let still = still?;
        let image = engine
            .preprocess(&still.picture)
            .with_context(|| name.to_string())?;
        Ok(Source {
            name: format!("{name}#t={}", (still.time_s * 1000.0).round() / 1000.0),
            image,
        })
    };
    let stills = spread(path, &info, &budget)?;
    let sources: Vec<Source> = stills.map(source).collect::<Result<_>>()?;
    match sources.is_empty() {
        true => bail!("{name}: no frame could be read"),
        false => Ok(sources),
    }
}
