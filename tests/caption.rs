//! `avocet caption` and videos in `avocet ask`, on the bundled clip: what is seen, what is written,
//! and what bad files are told.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result};
use avocet_media::Picture;
use avocet_media::video::probe;
use avocet_video::caption::{Film, Progress, caption};
use avocet_video::frames::{Budget, Choice};
use serde_json::Value;
use tempfile::TempDir;

use crate::command::{avocet, fails, path, picture, stderr, stdout, succeeds};

const CLIP: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../assets/samples/clip.mp4");

fn keys(value: &Value) -> Vec<&str> {
    let object = value.as_object();
    object
        .map(|o| o.keys().map(String::as_str).collect())
        .unwrap_or_default()
}

/// Sound alone: a WAV file of a tenth of a second.
fn sound(folder: &TempDir, name: &str) -> Result<String> {
    let samples = 1600u32;
    let mut wav = b"RIFF".to_vec();
    wav.extend((36 + 2 * samples).to_le_bytes());
    wav.extend(b"WAVEfmt \x10\0\0\0\x01\0\x01\0");
    wav.extend(16_000u32.to_le_bytes());
    wav.extend(32_000u32.to_le_bytes());
    wav.extend(b"\x02\0\x10\0data");
    wav.extend((2 * samples).to_le_bytes());
    wav.extend((0..samples).flat_map(|n| ((n * 997 % 2000) as i16 - 1000).to_le_bytes()));
    let path = path(folder, name);
    fs::write(&path, wav)?;
    Ok(path)
}

#[test]
fn the_pictures_of_the_clip_are_named_in_order() -> Result<()> {
    let output = avocet(["caption", CLIP, "--no-speech", "--format", "json"])?;
    let said = stderr(&output);
    assert!(output.status.success(), "{said}");
    assert!(said.contains("budget: at most 240 frames"), "{said}");
    let value: Value = serde_json::from_str(&stdout(&output))?;
    assert_eq!(keys(&value), ["duration_s", "frames", "segments", "source"]);
    assert_eq!(value["segments"], Value::Array(vec![]));
    let frames = value["frames"].as_array().context("a list")?;
    assert_eq!(keys(&frames[0]), ["caption", "image", "time_s"]);
    let captions: Vec<&str> = frames
        .iter()
        .filter_map(|f| f["caption"].as_str())
        .collect();
    assert_eq!(
        captions,
        ["Hello there", "penguin", "dragon", "owl", "Good day"]
    );
    let times: Vec<f64> = frames.iter().filter_map(|f| f["time_s"].as_f64()).collect();
    assert!(times.is_sorted() && times.len() == 5, "{times:?}");
    let image = frames[1]["image"].as_str().context("a text")?;
    assert!(
        image.starts_with("data:image/jpeg;base64,/9j/"),
        "{}",
        &image[..40]
    );
    Ok(())
}

#[test]
fn whoever_captions_a_film_is_shown_each_frame_once() -> Result<()> {
    let path = Path::new(CLIP);
    let info = probe(path)?;
    let film = Film {
        path,
        info: &info,
        segments: &[],
    };
    let budget = Budget {
        max_frames: 9,
        max_pixels: 20_000,
        max_tokens: usize::MAX,
        tokens_per_frame: 0,
    };
    let (mut shown, mut last) = (0, None);
    let say = |picture: &Picture| -> Result<Option<String>> {
        shown += 1;
        assert!(picture.width * picture.height <= budget.max_pixels);
        Ok((shown != 4).then(|| format!("number\n {shown}")))
    };
    let captioned = caption(&film, Choice::Scenes, &budget, say, |at| last = Some(at))?;
    let frames = captioned.timeline.frames.iter();
    let captions: Vec<&str> = frames.map(|frame| frame.caption.as_str()).collect();
    // Of the fourth nothing is known: it is left out.
    assert_eq!(captions, ["number 1", "number 2", "number 3", "number 5"]);
    assert_eq!(captioned.unsure, 1);
    assert_eq!(last, Some(Progress::Describing { done: 5, all: 5 }));
    let jpegs = captioned.images.iter();
    assert_eq!(
        jpegs.filter(|file| file.starts_with(&[0xff, 0xd8])).count(),
        4
    );

    let refused = |_: &Picture| -> Result<Option<String>> { anyhow::bail!("I see nothing") };
    let error = caption(&film, Choice::Scenes, &budget, refused, |_| {});
    assert_eq!(error.map(drop).unwrap_err().to_string(), "I see nothing");
    Ok(())
}

#[test]
fn a_folder_gets_every_format_and_no_name_writes_markup() -> Result<()> {
    let folder = TempDir::new()?;
    let clip = path(&folder, "a <img src=x onerror=alert(1)> & b.mp4");
    fs::copy(CLIP, &clip)?;
    let out = path(&folder, "out");
    let printed = succeeds(["caption", &clip, "--no-speech", "--scenes", "-o", &out])?;
    let written: Vec<&Path> = printed.lines().map(Path::new).collect();
    let endings: Vec<_> = written.iter().filter_map(|path| path.extension()).collect();
    assert_eq!(endings, ["txt", "srt", "vtt", "json", "html"]);
    let read = |at: usize| fs::read_to_string(written[at]);
    assert!(read(0)?.contains("seen  [penguin]"), "{}", read(0)?);
    assert!(read(1)?.contains(" --> ") && read(1)?.contains("\n[dragon]\n"));
    assert!(read(2)?.starts_with("WEBVTT\n") && read(2)?.contains("<c.seen>[owl]</c>"));
    let json: Value = serde_json::from_str(&read(3)?)?;
    let image = json["frames"][0]["image"].as_str().context("a name")?;
    assert_eq!(
        fs::read(Path::new(&out).join(image))?[..3],
        [0xff, 0xd8, 0xff]
    );
    let page = read(4)?;
    assert!(
        !page.contains("<img src=x") && page.contains("a &lt;img src=x"),
        "{page}"
    );
    assert!(
        page.contains("src=\"..&#x2f;a%20%3Cimg%20src%3Dx")
            || page.contains("src=\"../a%20%3Cimg%20src%3Dx")
    );
    assert_eq!(page.matches("<script").count(), 1);
    // Five frames, the first of them twice: it also stands for the film.
    assert_eq!(page.matches("data:image&#x2f;jpeg;base64,").count(), 6);
    Ok(())
}

#[test]
fn the_budget_is_the_users() -> Result<()> {
    let frames = |more: &[&str]| -> Result<usize> {
        let mut arguments = vec!["caption", CLIP, "--no-speech", "--format", "json"];
        arguments.extend(more);
        arguments.extend(["--question", "What is in the picture?", "--max-tokens", "2"]);
        let value: Value = serde_json::from_str(&succeeds(arguments)?)?;
        Ok(value["frames"].as_array().context("a list")?.len())
    };
    assert_eq!(frames(&["--max-frames", "2"])?, 2);
    // A frame takes 144 tokens at most.
    assert_eq!(frames(&["--max-vision-tokens", "400"])?, 2);
    let none = ["caption", CLIP, "--no-speech", "--max-vision-tokens", "5"];
    fails(none, &["--max-vision-tokens is 5", "one frame takes"])
}

#[test]
fn what_cannot_be_captioned_is_refused_in_one_line() -> Result<()> {
    let folder = TempDir::new()?;
    let words = path(&folder, "words.mp4");
    fs::write(&words, "just words")?;
    let missing = path(&folder, "missing.mp4");
    let wav = sound(&folder, "sound.wav")?;
    let caption = |file: &str| ["caption", file, "--no-speech"].map(str::to_owned);
    fails(caption(&words), &["words.mp4"])?;
    fails(caption(&missing), &["missing.mp4"])?;
    fails(caption(&wav), &["sound.wav", "no picture"])?;
    let formats = ["caption", CLIP, "--no-speech", "--format", "srt,json"];
    fails(formats, &["--format", "-o"])?;
    fails(
        ["caption", CLIP, "--whisper", "/no/such/model"],
        &["/no/such/model", "--no-speech"],
    )?;
    let wrong = avocet(["caption", CLIP, "--every", "2", "--scenes"])?;
    assert_eq!(wrong.status.code(), Some(2));
    Ok(())
}

#[test]
fn a_question_can_be_about_a_video() -> Result<()> {
    let folder = TempDir::new()?;
    let still = picture(&folder, "circle.png")?;
    let arguments = [
        "ask",
        "--json",
        "--max-tokens",
        "3",
        &still,
        CLIP,
        "What is in the picture?",
    ];
    let value: Value = serde_json::from_str(&succeeds(arguments)?)?;
    let images = value["images"].as_array().context("a list")?;
    assert_eq!(images.len(), 5, "{images:?}");
    let sources: Vec<&str> = images.iter().filter_map(|i| i["source"].as_str()).collect();
    assert_eq!(sources[0], still);
    let times: Vec<f64> = (sources[1..].iter())
        .map(|source| Ok(source.rsplit_once("#t=").context("a time")?.1.parse()?))
        .collect::<Result<_>>()?;
    assert!(times.is_sorted() && times[3] - times[0] > 8.0, "{times:?}");
    assert_eq!(images[1]["width"], 320);
    let words = path(&folder, "words.mp4");
    fs::write(&words, "just words")?;
    fails(["ask", &words, "What is this?"], &["words.mp4"])?;
    let wav = sound(&folder, "sound.mp4")?;
    fails(["ask", &wav, "What is this?"], &["sound.mp4", "no picture"])
}
