//! A film becomes a time line: frames that stand for it are chosen, and whoever calls says what each
//! shows.

use std::path::Path;

use avocet_media::Picture;
use avocet_media::video::MediaInfo;

use crate::error::WatchError;
use crate::frames::{Budget, Choice, Chosen, choose};
use crate::speech::Segment;
use crate::timeline::{Frame, Timeline};
use crate::watch::{Still, duration_s, jpeg, look_through, stills};

/// The longest caption, in characters.
const LONGEST: usize = 400;

/// A film, with what is said in it.
#[derive(Debug, Clone, Copy)]
pub struct Film<'a> {
    /// Its file.
    pub path: &'a Path,
    /// What the file holds.
    pub info: &'a MediaInfo,
    /// What is said, in order.
    pub segments: &'a [Segment],
}

/// A film with captions.
#[derive(Debug, Clone)]
pub struct Captioned {
    /// What is said and what is seen; no frame names its image yet.
    pub timeline: Timeline,
    /// Each frame as a JPEG file.
    pub images: Vec<Vec<u8>>,
    /// How the frames were chosen.
    pub chosen: Chosen,
    /// Frames that were chosen and left out, since nobody could say what they show.
    pub unsure: usize,
}

/// How far captioning has come.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Progress {
    /// The film was looked at until here.
    Looking {
        /// Seconds from its start.
        time_s: f64,
    },
    /// Frames are described.
    Describing {
        /// So many of them are.
        done: usize,
        /// So many were chosen.
        all: usize,
    },
}

/// Captions a film: `say` is asked what each chosen frame shows, `at` is told the progress. A frame
/// of which it knows nothing is left out.
///
/// Errors if the file does not decode or has no picture, or as `say` does.
///
/// ```no_run
/// use avocet_media::video::probe;
/// use avocet_video::caption::{Film, caption};
/// use avocet_video::frames::{Budget, Choice};
/// use avocet_video::{WatchError, timeline};
///
/// # fn main() -> Result<(), WatchError> {
/// let path = "talk.mp4".as_ref();
/// let info = probe(path)?;
/// let film = Film { path, info: &info, segments: &[] };
/// let budget = Budget {
///     max_frames: 20,
///     max_pixels: 230_400,
///     max_tokens: usize::MAX,
///     tokens_per_frame: 0,
/// };
/// // A model would be asked here.
/// let size = |picture: &avocet_media::Picture| {
///     Ok::<_, WatchError>(Some(format!("{} x {}", picture.width, picture.height)))
/// };
/// let captioned = caption(&film, Choice::Scenes, &budget, size, |_| {})?;
/// println!("{}", timeline::to_text(&captioned.timeline));
/// # Ok(())
/// # }
/// ```
pub fn caption<E: From<WatchError>>(
    film: &Film<'_>,
    choice: Choice,
    budget: &Budget,
    mut say: impl FnMut(&Picture) -> Result<Option<String>, E>,
    mut at: impl FnMut(Progress),
) -> Result<Captioned, E> {
    let Film {
        path,
        info,
        segments,
    } = *film;
    let looks = look_through(path, info, |time_s| at(Progress::Looking { time_s }))?;
    let length_s = duration_s(info, &looks);
    let spoken: Vec<(f64, f64)> = segments.iter().map(|s| (s.start_s, s.end_s)).collect();
    let chosen = choose(&looks, length_s, &spoken, choice, budget);
    let all = chosen.times_s.len();
    at(Progress::Describing { done: 0, all });
    let (mut frames, mut images) = (Vec::with_capacity(all), Vec::with_capacity(all));
    let mut unsure = 0;
    for still in stills(path, info, &chosen.times_s, budget)? {
        let Still { time_s, picture } = still?;
        match say(&picture)? {
            Some(caption) => {
                frames.push(Frame {
                    time_s: round(time_s),
                    caption: one_line(&caption),
                    image: String::new(),
                });
                images.push(jpeg(&picture)?);
            }
            None => unsure += 1,
        }
        let done = frames.len() + unsure;
        at(Progress::Describing { done, all });
    }
    let timeline = Timeline {
        source: path.display().to_string(),
        duration_s: round(length_s),
        segments: segments.to_vec(),
        frames,
    };
    Ok(Captioned {
        timeline,
        images,
        chosen,
        unsure,
    })
}

/// Milliseconds are as fine as the JSON gets.
fn round(time_s: f64) -> f64 {
    (time_s * 1000.0).round() / 1000.0
}

/// A caption is one line, and not endless.
fn one_line(text: &str) -> String {
    let line = text.split_whitespace().collect::<Vec<_>>().join(" ");
    match line.char_indices().nth(LONGEST) {
        Some((end, _)) => format!("{}…", &line[..end]),
        None => line,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_caption_is_one_line_of_bounded_length() {
        assert_eq!(one_line(" a\n\nred  circle "), "a red circle");
        let long = one_line(&"ü ".repeat(1000));
        assert_eq!(long.chars().count(), LONGEST + 1);
    }
}
