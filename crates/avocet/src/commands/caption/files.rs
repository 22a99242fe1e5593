//! What `avocet caption` writes: one text a format, and the frames beside.

use std::fs;
use std::path::Path;

use anyhow::Result;
use avocet_report::to_data_uri;
use avocet_video::caption::Captioned;
use avocet_video::captions::cues;
use avocet_video::page::{About, address, to_html};
use avocet_video::subtitles::{srt, vtt};
use avocet_video::timeline::{Timeline, to_text};

use super::args::{CaptionArgs, CaptionFormat};
use crate::ui::output;

/// What the page says about its making.
#[derive(Debug, Clone)]
pub(super) struct MadeWith {
    /// Paragraphs below the page.
    pub(super) notes: Vec<String>,
    /// The language spoken.
    pub(super) language: Option<String>,
}

/// Writes every format into `folder`, the frames into a folder of theirs, and prints the paths.
pub(super) fn write(
    folder: &Path,
    captioned: &Captioned,
    formats: &[CaptionFormat],
    args: &CaptionArgs,
    made_with: &MadeWith,
) -> Result<()> {
    fs::create_dir_all(folder)?;
    let stem = (args.video.file_stem()).map_or_else(|| "video".into(), |s| s.to_string_lossy());
    let mut timeline = captioned.timeline.clone();
    // Only the JSON names the frames' files.
    if formats.contains(&CaptionFormat::Json) {
        let frames = format!("{stem}.frames");
        fs::create_dir_all(folder.join(&frames))?;
        for (index, (frame, image)) in timeline
            .frames
            .iter_mut()
            .zip(&captioned.images)
            .enumerate()
        {
            frame.image = format!("{frames}/{:04}.jpg", index + 1);
            output::save(&folder.join(&frame.image), image)?;
        }
    }
    let video = beside(folder, &args.video);
    let mut printed = String::new();
    for format in formats {
        let path = folder.join(format!("{stem}.{}", format.ending()));
        let text = match format {
            CaptionFormat::Json => json(&timeline)?,
            _ => render(*format, captioned, made_with, video.as_deref())?,
        };
        output::save(&path, text.as_bytes())?;
        printed.push_str(&format!("{}\n", path.display()));
    }
    output::print(&printed)
}

/// The text of one format, whose frames are part of it.
pub(super) fn render(
    format: CaptionFormat,
    captioned: &Captioned,
    made_with: &MadeWith,
    video: Option<&str>,
) -> Result<String> {
    let timeline = &captioned.timeline;
    Ok(match format {
        CaptionFormat::Txt => to_text(timeline),
        CaptionFormat::Srt => srt(&cues(timeline)),
        CaptionFormat::Vtt => vtt(&cues(timeline)),
        CaptionFormat::Json => json(&with_data(captioned))?,
        CaptionFormat::Html => {
            let title = Path::new(&timeline.source).file_name();
            let about = About {
                title: title.map_or_else(|| "video".into(), |t| t.to_string_lossy().into_owned()),
                video: video.map(str::to_owned),
                language: made_with.language.clone(),
                notes: made_with.notes.clone(),
            };
            to_html(&with_data(captioned), &about)
        }
    })
}

fn json(timeline: &Timeline) -> Result<String> {
    Ok(format!("{}\n", serde_json::to_string(timeline)?))
}

/// The time line with the frames themselves in it.
fn with_data(captioned: &Captioned) -> Timeline {
    let mut timeline = captioned.timeline.clone();
    for (frame, image) in timeline.frames.iter_mut().zip(&captioned.images) {
        frame.image = to_data_uri(image).expect("each is a JPEG file");
    }
    timeline
}

/// Where the video lies, seen from the page in `folder`.
///
/// None if there is no way from one to the other, as between two drives.
fn beside(folder: &Path, video: &Path) -> Option<String> {
    let (folder, video) = (folder.canonicalize().ok()?, video.canonicalize().ok()?);
    let shared = (folder.components().zip(video.components()))
        .take_while(|(a, b)| a == b)
        .count();
    if shared == 0 {
        return None;
    }
    let up = folder.components().skip(shared).map(|_| "..".to_owned());
    let down =
        (video.components().skip(shared)).map(|part| part.as_os_str().to_str().map(str::to_owned));
    let parts: Vec<String> = up.map(Some).chain(down).collect::<Option<_>>()?;
    Some(address(&parts.join("/")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_video_is_found_from_the_page() {
        let dir = tempfile::tempdir().unwrap();
        fs::create_dir_all(dir.path().join("out/pages")).unwrap();
        fs::create_dir_all(dir.path().join("in")).unwrap();
        let video = dir.path().join("in/a b.mp4");
        fs::write(&video, b"").unwrap();
        let pages = dir.path().join("out/pages");
        assert_eq!(
            beside(&pages, &video).as_deref(),
            Some("../../in/a%20b.mp4")
        );
        assert_eq!(
            beside(&dir.path().join("in"), &video).as_deref(),
            Some("a%20b.mp4")
        );
        assert_eq!(beside(&pages, &dir.path().join("none.mp4")), None);
    }
}
