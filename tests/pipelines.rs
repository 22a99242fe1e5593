//! Pipelines as whole programs: killed at any point they lose and double nothing, and
//! ranks share the work out.

use std::path::Path;
use std::process::{Command, Stdio};

use anyhow::Result;
use avocet_data::Sample;
use avocet_data::shard::Reader;
use tempfile::TempDir;

use crate::command::{binary, fails, path};
use crate::kills::{WRITING, lose_nothing};

/// Samples of a run: about ten shards of a MiB.
const COUNT: &str = "2000";

fn command(output: &Path, more: &[&str]) -> Command {
    let manifest = Path::new(env!("CARGO_MANIFEST_DIR")).join("../assets/manifest.toml");
    let mut command = Command::new(binary());
    command
        .args([
            "data",
            "named-pictures",
            "--kind",
            "shapes",
            "--count",
            COUNT,
            "--seed",
            "5",
        ])
        .args(["--shard-mib", "1", "--manifest"])
        .arg(manifest)
        .arg("-o")
        .arg(output)
        .args(more)
        .stdin(Stdio::null())
        .stdout(Stdio::null());
    command
}

fn finished(output: &Path, more: &[&str]) -> Result<()> {
    let status = command(output, more).status()?;
    anyhow::ensure!(status.success(), "{}: {status}", output.display());
    Ok(())
}

#[test]
fn a_pipeline_killed_again_and_again_ends_with_the_bytes_of_a_clean_run() -> Result<()> {
    let folder = TempDir::new()?;
    // In the middle of ten shards too.
    let places = [&WRITING[..2], &["shard written 3"], &WRITING[2..]].concat();
    lose_nothing(folder.path(), &places, |output, jobs| {
        command(output, &["--jobs", jobs])
    })
}

#[test]
fn the_shares_of_all_ranks_are_the_samples_of_a_single_run() -> Result<()> {
    let folder = TempDir::new()?;
    let samples = |dataset: &Path| -> Result<Vec<Sample>> {
        let reader = Reader::open(dataset)?;
        (0..reader.len())
            .map(|index| Ok(reader.get(index)?))
            .collect()
    };
    let (whole, shared) = (folder.path().join("whole"), folder.path().join("shared"));
    finished(&whole, &[])?;
    let mut merged = Vec::new();
    for rank in ["0", "1", "2"] {
        finished(&shared, &["--rank", rank, "--world", "3"])?;
        merged.extend(samples(&shared.join(format!("part-{rank}-of-3")))?);
    }
    assert!(merged == samples(&whole)?, "{} samples", merged.len());
    Ok(())
}

#[test]
fn what_cannot_be_made_is_refused_in_one_line() -> Result<()> {
    let folder = TempDir::new()?;
    let out = path(&folder, "out");
    let run = |more: &[&str]| -> Vec<String> {
        let words = [
            "data",
            "named-pictures",
            "--manifest",
            "none.toml",
            "-o",
            &out,
        ];
        words
            .iter()
            .chain(more)
            .map(|word| (*word).to_owned())
            .collect()
    };
    fails(run(&["--kind", "shapes"]), &["none.toml"])?;
    fails(
        run(&["--rank", "2", "--world", "2"]),
        &["--rank is 2", "which is 2"],
    )?;
    fails(run(&["--max-chars", "0"]), &["--max-chars is 0", "1 to 64"])
}
