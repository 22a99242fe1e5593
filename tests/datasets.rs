//! Datasets made from datasets, as whole programs: killed at any point they end with the same
//! bytes, and what is wrong is said in one line.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result};
use avocet_data::Sample;
use avocet_data::shard::{Reader, Recipe, Writer};
use avocet_media::Picture;
use avocet_text::Turn;
use tempfile::TempDir;

use crate::command::{binary, fails, path, succeeds};
use crate::kills::{WRITING, files, lose_nothing};

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

#[test]
fn merge_split_and_dedup_killed_at_any_point_end_with_the_same_bytes() -> Result<()> {
    let folder = TempDir::new()?;
    for rank in 0..3 {
        let part = folder.path().join(format!("made/part-{rank}-of-3"));
        dataset(&part, rank * 200..(rank + 1) * 200)?;
    }
    let made = path(&folder, "made");
    let commands = [
        ("merge", &[][..]),
        ("split", &["--test", "0.3"][..]),
        ("dedup", &[][..]),
    ];
    for (command, more) in commands {
        lose_nothing(&folder.path().join(command), &WRITING, |output, jobs| {
            let mut run = Command::new(binary());
            run.args(["data", command, &made, "--jobs", jobs, "-o"]);
            run.arg(output).args(more);
            run
        })?;
    }
    let count = |command: &str| -> Result<usize> {
        Ok(Reader::open(&folder.path().join(command).join("clean"))?.len())
    };
    assert!(count("dedup")? < count("merge")?);
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
