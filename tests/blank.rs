//! Pictures, pages and films on which nothing is to be seen: that is said, and nothing made up; and
//! what has the least thing on it is answered as ever.

use std::fs;
use std::process::Command;

use anyhow::{Context, Result, ensure};
use image::{Rgb, RgbImage, Rgba, RgbaImage};
use serde_json::Value;
use tempfile::TempDir;

use crate::command::{avocet, avocet_reading, path, picture, stderr, stdout, succeeds};

const QUESTION: &str = "What is in the picture?";

fn even(folder: &TempDir, name: &str, colour: [u8; 3]) -> Result<String> {
    let path = path(folder, name);
    RgbImage::from_pixel(320, 200, Rgb(colour)).save(&path)?;
    Ok(path)
}

/// Pixels drawn by lot.
fn noise(folder: &TempDir, name: &str) -> Result<String> {
    let (path, mut state) = (path(folder, name), 1u32);
    let mut draw = || {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (state >> 24) as u8
    };
    RgbImage::from_fn(200, 160, |_, _| Rgb([draw(), draw(), draw()])).save(&path)?;
    Ok(path)
}

/// Three seconds of one colour.
fn film(folder: &TempDir, colour: &str) -> Result<String> {
    let path = path(folder, &format!("{colour}.mp4"));
    let source = format!("color=c={colour}:s=160x120:r=10:d=3");
    let made = Command::new("ffmpeg")
        .args([
            "-v", "error", "-f", "lavfi", "-i", &source, "-pix_fmt", "yuv420p", &path,
        ])
        .output()
        .context("ffmpeg")?;
    ensure!(made.status.success(), "{}", stderr(&made));
    Ok(path)
}

fn asked(media: &str) -> Result<Value> {
    let said = succeeds(["ask", "--json", media, QUESTION])?;
    Ok(serde_json::from_str(&said)?)
}

#[test]
fn where_nothing_is_to_be_seen_that_is_said() -> Result<()> {
    let folder = TempDir::new()?;
    let clear = path(&folder, "clear.png");
    RgbaImage::from_pixel(64, 64, Rgba([90, 20, 20, 0])).save(&clear)?;
    let hidden = path(&folder, "hidden.png");
    let part = |x: u32, _| Rgba([255, 255, 255, if x < 20 { 255 } else { 0 }]);
    RgbaImage::from_fn(64, 64, part).save(&hidden)?;
    let page = path(&folder, "page.html");
    fs::write(&page, "<!doctype html><title>Full of words</title><body>")?;
    let pale = path(&folder, "pale.html");
    fs::write(
        &pale,
        "<body style='color:white;background:white'><h1>Nobody reads this</h1>",
    )?;
    for (media, why) in [
        (even(&folder, "white.png", [255; 3])?, "all of it is white"),
        (even(&folder, "black.jpg", [0; 3])?, "all of it is black"),
        (
            even(&folder, "red.png", [200, 30, 40])?,
            "one colour, #c81e28",
        ),
        (clear, "all of it is transparent"),
        (hidden, "white on a transparent ground"),
        (noise(&folder, "noise.png")?, "all of it is noise"),
        (page, "all of it is white"),
        (pale, "all of it is white"),
        (film(&folder, "black")?, "all of it is black"),
    ] {
        let said = asked(&media)?;
        let answer = said["answer"].as_str().unwrap_or_default();
        assert!(
            answer.starts_with("Nothing is to be seen") && answer.contains(why),
            "{said}"
        );
        assert_eq!(said["blank"], true, "{said}");
        assert_eq!(
            (&said["sure"], said.get("confidence")),
            (&false.into(), None)
        );
        assert!(
            said["images"][0]["blank"]
                .as_str()
                .is_some_and(|said| said.contains(why)),
            "{said}"
        );
        assert_eq!(said["finish_reason"], "stop");
    }
    Ok(())
}

#[test]
fn the_least_thing_is_something() -> Result<()> {
    let folder = TempDir::new()?;
    let line = path(&folder, "line.png");
    let pixel = |x: u32, y: u32| {
        Rgb(if y == 90 && (30..90).contains(&x) {
            [120; 3]
        } else {
            [255; 3]
        })
    };
    RgbImage::from_fn(320, 200, pixel).save(&line)?;
    let word = path(&folder, "word.html");
    fs::write(&word, "<body style='font:11px serif;color:#999'>Yes")?;
    for media in [line, word, picture(&folder, "circle.png")?] {
        let said = asked(&media)?;
        assert_eq!(said.get("blank"), None, "{said}");
        assert_eq!(said["images"][0].get("blank"), None, "{said}");
        assert!(
            !said["answer"]
                .as_str()
                .unwrap_or_default()
                .starts_with("Nothing is"),
            "{said}"
        );
    }
    // One of two is blank: it is asked about, and said.
    let (white, circle) = (
        even(&folder, "white.png", [255; 3])?,
        picture(&folder, "circle.png")?,
    );
    let output = avocet([
        "ask",
        "--json",
        &white,
        &circle,
        "What color is the circle?",
    ])?;
    let said: Value = serde_json::from_str(&stdout(&output))?;
    assert_eq!(
        (said.get("blank"), &said["images"][0]["blank"]),
        (None, &"all of it is white".into())
    );
    assert!(
        stderr(&output).contains("white.png: nothing is to be seen"),
        "{}",
        stderr(&output)
    );
    // Without a picture there is nothing blank.
    let said: Value = serde_json::from_str(&succeeds(["ask", "--json", "Which?"])?)?;
    assert_eq!(said.get("blank"), None);
    Ok(())
}

#[test]
fn a_conversation_and_a_caption_say_it_too() -> Result<()> {
    let folder = TempDir::new()?;
    let (white, circle) = (
        even(&folder, "white.png", [255; 3])?,
        picture(&folder, "circle.png")?,
    );
    let talk = format!("What is this?\n/image {circle}\nWhat color is the circle?\n/quit\n");
    let output = avocet_reading(&["chat", &white], talk.as_bytes())?;
    let said = stdout(&output);
    let lines: Vec<&str> = said.lines().collect();
    assert_eq!(
        lines.first(),
        Some(&"Nothing is to be seen: all of it is white."),
        "{said}"
    );
    assert!(
        lines.len() == 2 && !lines[1].starts_with("Nothing"),
        "{said}"
    );
    let said = succeeds([
        "caption",
        &film(&folder, "black")?,
        "--no-speech",
        "--format",
        "json",
    ])?;
    let said: Value = serde_json::from_str(&said)?;
    let caption = said["frames"][0]["caption"].as_str().context("a caption")?;
    assert_eq!(caption, "(nothing is to be seen: all of it is black)");
    Ok(())
}
