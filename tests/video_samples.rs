//! `avocet data video` as a whole program: killed at any point it loses and doubles nothing, and
//! neither threads nor ranks change what is made.

use std::fs;
use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};

use anyhow::{Context, Result, ensure};
use avocet_data::Sample;
use avocet_data::shard::Reader;
use tempfile::TempDir;

use crate::command::{binary, fails, path, stderr};
use crate::kills::{WRITING, lose_nothing};

/// Videos in the folder.
const VIDEOS: usize = 6;

/// Films of eight noisy pictures, half a second each, with what is said over them; a file that is
/// no video, one that does not decode, and one over which nobody speaks.
fn films() -> Result<TempDir> {
    let folder = TempDir::new()?;
    fs::create_dir_all(folder.path().join("in/more"))?;
    fs::create_dir_all(folder.path().join("said"))?;
    for number in 0..VIDEOS {
        let name = format!(
            "in/{}film-{number}.nut",
            if number < 2 { "more/" } else { "" }
        );
        film(&folder.path().join(name), number as u64)?;
        let words = |n: usize| {
            let start_s = 0.5 * n as f64 + 0.1;
            let word = format!("w{n}");
            serde_json::json!({
                "start_s": start_s, "end_s": start_s + 0.3, "text": word,
                "words": [{ "start_s": start_s, "end_s": start_s + 0.3, "word": word }],
            })
        };
        let segments: Vec<_> = (0..if number == 3 { 0 } else { 8 }).map(words).collect();
        let said = serde_json::json!({ "segments": segments });
        let name = format!("said/film-{number}.json");
        fs::write(folder.path().join(name), said.to_string())?;
    }
    fs::write(
        folder.path().join("in/broken.mp4"),
        b"\0\0\0\x18ftypmp42 and nothing more",
    )?;
    fs::write(folder.path().join("in/notes.txt"), "no video")?;
    Ok(folder)
}

/// A Y4M film of 20 frames at 5 a second; FFmpeg knows it by its first bytes.
fn film(path: &Path, seed: u64) -> Result<()> {
    const SIDES: (usize, usize) = (320, 180);
    let mut file = std::io::BufWriter::new(fs::File::create(path)?);
    writeln!(
        file,
        "YUV4MPEG2 W{} H{} F5:1 Ip A1:1 C420jpeg",
        SIDES.0, SIDES.1
    )?;
    for frame in 0..20u64 {
        let mut state = (frame / 2 * 100 + seed * 7919 + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        let mut noise = |bytes: usize, from: u64| -> Vec<u8> {
            (0..bytes)
                .map(|_| {
                    state = state
                        .wrapping_mul(6_364_136_223_846_793_005)
                        .wrapping_add(1);
                    (from + (state >> 33) % 100) as u8
                })
                .collect()
        };
        let pixels = SIDES.0 * SIDES.1;
        writeln!(file, "FRAME")?;
        file.write_all(&noise(pixels, frame / 2 * 15))?;
        file.write_all(&noise(pixels / 2, 78))?;
    }
    Ok(file.flush()?)
}

fn command(films: &TempDir, output: &Path, more: &[&str]) -> Command {
    let mut command = Command::new(binary());
    command
        .args(["data", "video", "--every", "0.4", "--shard-mib", "1"])
        .args([
            "--licence",
            "CC0-1.0",
            "--max-seconds",
            "2",
            "--transcripts",
        ])
        .arg(films.path().join("said"))
        .arg(films.path().join("in"))
        .arg("-o")
        .arg(output)
        .args(more)
        .stdin(Stdio::null())
        .stdout(Stdio::null());
    command
}

fn finished(films: &TempDir, output: &Path, more: &[&str]) -> Result<()> {
    let run = command(films, output, more).output()?;
    ensure!(
        run.status.success(),
        "{}: {}",
        output.display(),
        stderr(&run)
    );
    Ok(())
}

fn samples(dataset: &Path) -> Result<Vec<Sample>> {
    let reader = Reader::open(dataset)?;
    (0..reader.len())
        .map(|index| Ok(reader.get(index)?))
        .collect()
}

#[test]
fn kills_and_threads_change_no_byte_and_every_input_is_accounted_for() -> Result<()> {
    let films = films()?;
    lose_nothing(films.path(), &WRITING, |output, jobs| {
        command(&films, output, &["--jobs", jobs])
    })?;

    let reader = Reader::open(&films.path().join("clean"))?;
    let manifest = reader.manifests().next().context("a manifest")?.clone();
    assert_eq!(
        (manifest.inputs, manifest.kept),
        (VIDEOS as u64 + 2, VIDEOS as u64 - 1)
    );
    let reasons: Vec<&str> = manifest.rejected.keys().map(String::as_str).collect();
    assert_eq!(
        reasons,
        ["does not decode", "not named as a video", "nothing is said"]
    );
    assert!(
        manifest.shards.len() >= 2,
        "{} shards",
        manifest.shards.len()
    );
    Ok(())
}

#[test]
fn samples_hold_pictures_with_their_words_and_ranks_share_them_out() -> Result<()> {
    let films = films()?;
    let (whole, shared) = (films.path().join("whole"), films.path().join("shared"));
    finished(&films, &whole, &[])?;
    let all = samples(&whole)?;
    let first = &all[0];
    assert_eq!(first.kind, "video");
    assert_eq!(first.licence, "CC0-1.0");
    assert!(
        first.source.starts_with("film-2.nut#t=0,"),
        "{}",
        first.source
    );
    assert!(first.text().starts_with("<image>w0"), "{}", first.text());
    assert_eq!(first.images.len(), first.text().matches("<image>").count());
    for sample in &all {
        assert!(
            (1..=8).contains(&sample.images.len()),
            "{}",
            sample.images.len()
        );
        for image in &sample.images {
            assert_eq!(image::load_from_memory(image)?.width(), 320);
        }
    }
    let mut merged = Vec::new();
    for rank in ["0", "1", "2", "3"] {
        finished(&films, &shared, &["--rank", rank, "--world", "4"])?;
        merged.extend(samples(&shared.join(format!("part-{rank}-of-4")))?);
    }
    assert!(merged == all, "{} and {}", merged.len(), all.len());
    Ok(())
}

#[test]
fn what_cannot_be_made_is_refused_in_one_line() -> Result<()> {
    let folder = TempDir::new()?;
    let out = path(&folder, "out");
    let run = |more: &[&str]| -> Vec<String> {
        let words = ["data", "video", "-o", &out];
        words
            .iter()
            .chain(more)
            .map(|word| (*word).to_owned())
            .collect()
    };
    fails(run(&["/no/such.mp4"]), &["/no/such.mp4"])?;
    let file = path(&folder, "a.mp4");
    fs::write(&file, "x")?;
    fails(
        run(&[&file, "--rank", "4", "--world", "4"]),
        &["--rank is 4", "which is 4"],
    )?;
    fails(
        run(&[&file, "--max-tokens", "100"]),
        &["--max-tokens is 100", "144"],
    )?;
    fails(run(&[&file, "--licence", ""]), &["--licence"])
}
