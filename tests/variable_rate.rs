//! A film of one frame a slide and the same film at a constant rate are one film: the same scenes,
//! the same frames, captions, answers and samples.

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, ensure};
use avocet_data::shard::Reader;
use avocet_media::video::probe;
use avocet_video::frames::{Budget, Choice, choose};
use avocet_video::watch::{duration_s, look_through};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::clips::ffmpeg;
use crate::command::succeeds;

const SIDES: (usize, usize) = (320, 180);
const FREE: Budget = Budget {
    max_frames: 1000,
    max_pixels: 1 << 20,
    max_tokens: usize::MAX,
    tokens_per_frame: 0,
};

/// A bar on a ground, both of other colours on each slide.
fn slide(number: usize) -> Vec<u8> {
    let shade = |k: usize| (40 + number * k % 180) as u8;
    let (ground, bar) = (
        [shade(67), shade(101), shade(151)],
        [shade(31), 250, shade(89)],
    );
    let (left, top) = (20 + number * 37 % 200, 30 + number * 23 % 90);
    let pixel = |at: usize| {
        let (x, y) = (at % SIDES.0, at / SIDES.0);
        let inside = (left..left + 80).contains(&x) && (top..top + 40).contains(&y);
        if inside { bar } else { ground }
    };
    (0..SIDES.0 * SIDES.1).flat_map(pixel).collect()
}

/// Writes a frame for each slide, shown from its millisecond on; with `length_s`, silence as long.
fn one_frame_a_slide(
    file: &Path,
    starts_ms: &[usize],
    length_s: Option<f64>,
    codec: &str,
) -> Result<()> {
    let stamps = starts_ms.iter().enumerate();
    let stamps: Vec<String> = stamps.map(|(n, ms)| format!("{ms}*eq(N\\,{n})")).collect();
    let stamps = format!("settb=1/1000,setpts={}", stamps.join("+"));
    let mut command = Command::new("ffmpeg");
    command.args(["-hide_banner", "-loglevel", "error", "-y", "-f", "rawvideo"]);
    command.args(["-pix_fmt", "rgb24", "-r", "25"]);
    command.args(["-s", &format!("{}x{}", SIDES.0, SIDES.1), "-i", "-"]);
    if let Some(length_s) = length_s {
        let silence = format!("anullsrc=sample_rate=16000:channel_layout=mono:duration={length_s}");
        command.args(["-f", "lavfi", "-i", &silence, "-c:a", "flac"]);
    }
    command
        .args([
            "-vf",
            &stamps,
            "-fps_mode",
            "passthrough",
            "-enc_time_base",
            "1:1000",
        ])
        .args(codec.split_whitespace())
        .args(["-strict", "experimental"]);
    if file.extension().is_some_and(|ending| ending == "mp4") {
        // The edit list of newer FFmpegs drops a last frame that lasts no time.
        command.args(["-bf", "0", "-use_editlist", "0"]);
    }
    command.arg(file).stdin(Stdio::piped());
    let mut process = command
        .spawn()
        .context("these tests need the ffmpeg command")?;
    let mut input = process.stdin.take().context("stdin is piped")?;
    for number in 0..starts_ms.len() {
        input.write_all(&slide(number))?;
    }
    drop(input);
    ensure!(
        process.wait()?.success(),
        "{} was not written",
        file.display()
    );
    Ok(())
}

/// The same film, so many frames a second, under any name; newer FFmpegs would show the last slide
/// for as long as the one before.
fn at_rate(film: &Path, rate: usize, twin: &Path) -> Result<()> {
    let frames = STARTS_MS[STARTS_MS.len() - 1] * rate / 1000 + 1;
    let rate = format!("-vf fps={rate}:round=up,trim=end_frame={frames}");
    ffmpeg(
        &["-i"],
        film,
        &format!("{rate} -c:a copy {X264} -f matroska"),
        twin,
    )
}

const X264: &str = "-c:v libx264 -preset veryfast -qp 4 -pix_fmt yuv420p";
/// Slides of every length; the last for no time, where the container does not say.
const STARTS_MS: [usize; 8] = [0, 2000, 2480, 3200, 7000, 7520, 15_000, 18_000];

/// Each film, and its twins of 25 and 50 frames a second, in folders of their own.
fn films(folder: &TempDir) -> Result<Vec<[PathBuf; 3]>> {
    let vp9 = "-c:v libvpx-vp9 -deadline realtime -cpu-used 8 -b:v 2M -c:a libopus";
    let mut films = Vec::new();
    for (name, codec) in [("a.mp4", X264), ("b.mkv", X264), ("c.webm", vp9)] {
        let paths = ["slides", "25", "50"].map(|kind| folder.path().join(kind).join(name));
        for path in &paths {
            fs::create_dir_all(path.parent().context("a folder")?)?;
        }
        one_frame_a_slide(&paths[0], &STARTS_MS, Some(20.0), codec)?;
        at_rate(&paths[0], 25, &paths[1])?;
        at_rate(&paths[0], 50, &paths[2])?;
        films.push(paths);
    }
    Ok(films)
}

#[test]
fn every_slide_is_a_scene_however_many_frames_it_has() -> Result<()> {
    let folder = TempDir::new()?;
    let expected = [2.0, 2.5, 3.2, 7.0, 7.6, 15.0, 18.0];
    for films in films(&folder)? {
        for film in films {
            let info = probe(&film)?;
            let looks = look_through(&film, &info, |_| {})?;
            let length_s = duration_s(&info, &looks);
            let chosen = choose(&looks, length_s, &[], Choice::Scenes, &FREE);
            let found: Vec<f64> = chosen.changes.iter().map(|change| change.time_s).collect();
            let same = found.len() == expected.len()
                && found
                    .iter()
                    .zip(expected)
                    .all(|(a, b)| (a - b).abs() < 0.101);
            ensure!(same, "{}: {found:?}", film.display());
            ensure!(
                chosen.times_s.len() == STARTS_MS.len(),
                "{:?}",
                chosen.times_s
            );
        }
    }
    Ok(())
}

/// What three commands say about a film.
fn answers(folder: &TempDir, film: &Path) -> Result<[Value; 3]> {
    let film = film.display().to_string();
    let caption = |more: &[&str]| -> Result<Value> {
        let mut arguments = vec!["caption", &film, "--no-speech", "--format", "json"];
        arguments.extend(["--question", "What is in the picture?", "--max-tokens", "3"]);
        // A frame counts here whatever is known of it.
        arguments.extend(["--threshold", "0"]);
        arguments.extend(more);
        let mut value: Value = serde_json::from_str(&succeeds(arguments)?)?;
        let frames = value["frames"].as_array_mut().context("frames")?;
        for frame in frames.iter_mut() {
            // The codec's noise.
            frame.as_object_mut().context("an object")?.remove("image");
        }
        Ok(value["frames"].take())
    };
    let ask = [
        "ask",
        "--json",
        "--max-tokens",
        "2",
        &film,
        "What is in the picture?",
    ];
    let ask: Value = serde_json::from_str(&succeeds(ask)?)?;
    let images = ask["images"].as_array().context("images")?.iter();
    let times: Vec<&str> = images
        .filter_map(|image| image["source"].as_str()?.split_once("#t="))
        .map(|(_, time)| time)
        .collect();
    let stem = Path::new(&film).file_stem().context("a name")?;
    let said = folder.path().join("said");
    fs::create_dir_all(&said)?;
    let segments: Vec<Value> = (0..20)
        .map(|n| json!({"start_s": n, "end_s": n as f64 + 0.8, "text": format!("w{n}"), "words": []}))
        .collect();
    let name = format!("{}.json", stem.to_string_lossy());
    fs::write(said.join(name), json!({ "segments": segments }).to_string())?;
    let out = folder.path().join("out");
    let (said, shards) = (said.display().to_string(), out.display().to_string());
    succeeds([
        "data",
        "video",
        &film,
        "--transcripts",
        &said,
        "-o",
        &shards,
    ])?;
    let reader = Reader::open(&out)?;
    let samples: Vec<[String; 2]> = (0..reader.len())
        .map(|index| {
            let sample = reader.get(index)?;
            let text = sample.text();
            Ok([sample.source, text])
        })
        .collect::<Result<_>>()?;
    fs::remove_dir_all(&out)?;
    let scenes = caption(&["--scenes"])?;
    Ok([scenes, json!(times), json!(samples)])
}

#[test]
fn captions_questions_and_samples_are_those_of_the_twin() -> Result<()> {
    let folder = TempDir::new()?;
    let films = films(&folder)?;
    let [slides, constant, _] = films.first().context("films")?;
    let [scenes, times, samples] = answers(&folder, slides)?;
    ensure!(
        scenes.as_array().is_some_and(|frames| frames.len() == 8),
        "{scenes}"
    );
    ensure!(
        times.as_array().is_some_and(|times| times.len() == 4),
        "{times}"
    );
    ensure!(
        !samples.as_array().context("samples")?.is_empty(),
        "no sample"
    );
    let twin = answers(&folder, constant)?;
    for (film, twin) in [scenes, times].iter().zip(&twin) {
        ensure!(film == twin, "{film}\n{twin}");
    }
    ensure!(twin[2] == samples, "{samples}\n{}", twin[2]);
    Ok(())
}

#[test]
fn a_film_of_few_slides_shows_each_of_them_to_a_question() -> Result<()> {
    let folder = TempDir::new()?;
    // Without sound nothing says how long the last slide stays; as a recorder writes it, nothing
    // says how long the film is.
    for (name, more) in [("a.mp4", ""), ("b.mkv", ""), ("live.mkv", "-live 1")] {
        let film = folder.path().join(name);
        one_frame_a_slide(
            &film,
            &[0, 3000, 6000, 9000],
            None,
            &format!("{X264} {more}"),
        )?;
        let film = film.display().to_string();
        let ask = [
            "ask",
            "--json",
            "--max-tokens",
            "2",
            &film,
            "What is in the picture?",
        ];
        let value: Value = serde_json::from_str(&succeeds(ask)?)?;
        let images = value["images"].as_array().context("images")?;
        ensure!(images.len() == 4, "{name}: {images:?}");
        let caption = [
            "caption",
            &film,
            "--no-speech",
            "--scenes",
            "--threshold",
            "0",
            "--format",
            "json",
        ];
        let value: Value = serde_json::from_str(&succeeds(caption)?)?;
        let frames = value["frames"].as_array().context("frames")?;
        ensure!(frames.len() == 4, "{name}: {value}");
    }
    Ok(())
}
