//! Datasets made from datasets, as whole programs: killed at any point they end with the same
//! bytes, and what is wrong is said in one line.
//!
//! `AVOCET_DATASET_KILLS` raises the number of kills of each command from 3.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};
use std::thread::sleep;
use std::time::Duration;

use anyhow::{Context, Result};
use avocet_data::Sample;
use avocet_data::shard::{Reader, Recipe, Writer};
use avocet_media::Picture;
use avocet_text::Turn;
use tempfile::TempDir;

use crate::command::{binary, fails, path, succeeds};

fn kills() -> usize {
    let asked = std::env::var("AVOCET_DATASET_KILLS").ok();
    asked.and_then(|text| text.parse().ok()).unwrap_or(3)
}

/// Twelve MB of pictures that barely compress, some of them twice, and some texts.
fn dataset(folder: &Path, numbers: std::ops::Range<u64>) -> Result<()> {
    let recipe = Recipe {
        shard_bytes: 1 << 20,
        ..Recipe::new("test", "train", 3, serde_json::json!({}))
    };
    let mut writer = Writer::open(folder, recipe)?;
    for n in numbers {
        let from = ("picture", &*format!("source {}", n % 50), "CC0-1.0");
        let mut state = n % 300 + 1;
        let mut noise = || {
            state = state
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1_442_695_040_888_963_407);
            (state >> 56) as u8
        };
        let sample = if n % 5 == 4 {
            let words: Vec<String> = (0..60).map(|_| format!("w{}", noise())).collect();
            Sample::document(from, &format!("{} {}", words.join(" "), n % 7))?
        } else {
            let rgb = (0..100 * 80 * 3).map(|_| noise()).collect();
            let image = Picture::from_rgb(100, 80, rgb)?.to_png()?;
            Sample::question(from, image, None, "What?", Turn::assistant("noise"))?
        };
        writer.keep(&format!("{n:04}"), &[sample])?;
    }
    writer.finish()?;
    Ok(())
}

/// Every file below a folder.
fn files(folder: &Path) -> Result<BTreeMap<String, Vec<u8>>> {
    let mut files = BTreeMap::new();
    let mut folders = vec![folder.to_path_buf()];
    while let Some(next) = folders.pop() {
        for entry in fs::read_dir(&next)? {
            let at = entry?.path();
            if at.is_dir() {
                folders.push(at);
            } else {
                let bytes = fs::read(&at).with_context(|| at.display().to_string())?;
                files.insert(at.strip_prefix(folder)?.display().to_string(), bytes);
            }
        }
    }
    Ok(files)
}

/// Shards below a folder that is being written.
fn num_shards(folder: &Path) -> usize {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    let count = |at: std::path::PathBuf| match at.is_dir() {
        true => num_shards(&at),
        false => usize::from(at.extension().is_some_and(|ending| ending == "tar")),
    };
    entries.map(|entry| count(entry.path())).sum()
}

#[test]
fn merge_split_and_dedup_killed_at_any_point_end_with_the_same_bytes() -> Result<()> {
    let folder = TempDir::new()?;
    for rank in 0..3 {
        let part = folder.path().join(format!("made/part-{rank}-of-3"));
        dataset(&part, rank * 200..(rank + 1) * 200)?;
    }
    let made = path(&folder, "made");
    for (command, more) in [
        ("merge", &[][..]),
        ("split", &["--test", "0.3"][..]),
        ("dedup", &[][..]),
    ] {
        let run = |output: &Path, jobs: &str| -> Result<Command> {
            let mut run = Command::new(binary());
            run.args(["data", command, &made, "--jobs", jobs, "-o"]);
            run.arg(output).args(more);
            run.stdin(Stdio::null()).stdout(Stdio::null());
            Ok(run)
        };
        let whole = folder.path().join(format!("{command}-whole"));
        anyhow::ensure!(run(&whole, "1")?.status()?.success(), "{command}");
        let shards = num_shards(&whole);
        assert!(shards >= 5, "{command}: {shards}");
        let broken = folder.path().join(format!("{command}-broken"));
        let mut killed = 0;
        for kill in 0..kills() {
            let mut child = run(&broken, ["1", "2"][kill % 2])?.spawn()?;
            // Every second kill meets the run before its first new shard.
            let wanted = num_shards(&broken) + kill % 2;
            while child.try_wait()?.is_none() && num_shards(&broken) < wanted {
                sleep(Duration::from_micros(200));
            }
            sleep(Duration::from_millis(kill as u64 * 7 % 23));
            killed += usize::from(child.try_wait()?.is_none());
            child.kill()?;
            child.wait()?;
        }
        assert!(killed > 0, "{command}: no kill met a running command");
        anyhow::ensure!(run(&broken, "2")?.status()?.success(), "{command}");
        assert!(files(&broken)? == files(&whole)?, "{command}");
    }
    let (merged, dedup) = (
        folder.path().join("merge-whole"),
        folder.path().join("dedup-whole"),
    );
    let count = |at: &Path| Ok::<_, anyhow::Error>(Reader::open(at)?.len());
    assert!(count(&dedup)? < count(&merged)?);
    Ok(())
}

#[test]
fn what_is_wrong_with_a_dataset_or_an_option_is_said_in_one_line() -> Result<()> {
    let folder = TempDir::new()?;
    dataset(&folder.path().join("in"), 0..20)?;
    let (input, output) = (path(&folder, "in"), path(&folder, "out"));
    let list = path(&folder, "list");
    fs::write(&list, "fine\n0123456789abcdef01\n")?;
    for (arguments, word) in [
        (
            vec!["split", &input, "--parts", "a=0.5,b=0.4"],
            "add up to 0.9",
        ),
        (vec!["dedup", &input, "--opt-out", &list], "line 2"),
        (vec!["dedup", &input, "--opt-out", "gone"], "gone"),
        (vec!["dedup", &input, "--against", "gone"], "gone"),
        (vec!["merge", "gone"], "gone"),
        (vec!["merge", &list], "list"),
    ] {
        fails(
            [&["data"], &arguments[..], &["-o", &output]].concat(),
            &[word],
        )?;
    }
    let shard = folder.path().join("in/train-00000.tar");
    let mut bytes = fs::read(&shard)?;
    bytes[5000] ^= 1;
    fs::write(&shard, bytes)?;
    for command in ["merge", "dedup"] {
        let output = path(&folder, command);
        fails(
            ["data", command, &input, "-o", &output],
            &["train-00000.tar"],
        )?;
    }
    Ok(())
}

#[test]
fn the_ranks_of_a_pipeline_merge_to_its_single_run() -> Result<()> {
    let folder = TempDir::new()?;
    let manifest = concat!(env!("CARGO_MANIFEST_DIR"), "/../assets/manifest.toml");
    let make = |output: &str, more: &[&str]| {
        let output = path(&folder, output);
        let start = [
            "data",
            "named-pictures",
            "--kind",
            "shapes",
            "--count",
            "300",
        ];
        let end = ["--shard-mib", "1", "--manifest", manifest, "-o", &output];
        succeeds([&start[..], &end, more].concat())
    };
    make("single", &[])?;
    for rank in ["0", "1", "2", "3"] {
        make("parts", &["--rank", rank, "--world", "4"])?;
    }
    let (parts, merged) = (path(&folder, "parts"), path(&folder, "merged"));
    let said = succeeds(["data", "merge", &parts, "-o", &merged])?;
    assert!(
        said.contains("300 samples; 300 inputs = 300 kept"),
        "{said}"
    );
    let whole = |name: &str| -> Result<BTreeMap<String, Vec<u8>>> {
        let mut files = files(&folder.path().join(name))?;
        files.remove("manifest.json").context("a manifest")?;
        Ok(files)
    };
    assert!(whole("merged")? == whole("single")?);
    Ok(())
}
