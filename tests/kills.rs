//! Kill and resume: a program that dies at any place of its writing, and is run again, ends as one
//! that never died.
//!
//! The places are in the writers (`avocet_files::kill_point`), so that each is met in every run of
//! the tests. `AVOCET_KILLS` adds so many kills at random times (`make resume-25`).

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

/// The places in the writer of a dataset, in the order in which a run passes them.
pub const WRITING: [&str; 6] = [
    "input accounted 3",
    "file complete 2",
    "shard written 1",
    "part closed 1",
    "index complete 1",
    "manifest written 1",
];

/// Runs `command`, which must die at `place`.
pub fn dies_at(mut command: Command, place: &str) -> Result<()> {
    command.env("AVOCET_KILL_POINT", place);
    let output = command.output()?;
    let said = String::from_utf8_lossy(&output.stderr);
    ensure!(
        output.status.signal() == Some(6),
        "{place}: {}, {said}; a build with debug assertions dies there",
        output.status
    );
    Ok(())
}

/// How many kills at random times were asked for.
pub fn num_random() -> u64 {
    let asked = std::env::var("AVOCET_KILLS").ok();
    asked.and_then(|text| text.parse().ok()).unwrap_or(0)
}

/// Runs `command` and kills it at a time within `whole` that `seed` draws.
pub fn killed_within(mut command: Command, whole: Duration, seed: u64) -> Result<()> {
    let share = ChaCha8Rng::seed_from_u64(seed).random_range(0.0..1.0);
    let mut child = command.stderr(Stdio::null()).spawn()?;
    std::thread::sleep(whole.mul_f64(share));
    child.kill()?;
    child.wait()?;
    Ok(())
}

/// Makes a dataset in `folder/clean` at once and another in `folder/broken` by a run that dies at
/// every one of `places`; both must hold the same bytes. `make` gives the command for a folder and
/// a number of jobs.
pub fn lose_nothing(
    folder: &Path,
    places: &[&str],
    make: impl Fn(&Path, &str) -> Command,
) -> Result<()> {
    let (clean, broken) = (folder.join("clean"), folder.join("broken"));
    let began = Instant::now();
    ends_well(make(&clean, "1"))?;
    let whole = began.elapsed();
    for (kill, place) in places.iter().enumerate() {
        dies_at(make(&broken, ["2", "1"][kill % 2]), place)?;
    }
    ends_well(make(&broken, "2"))?;
    ensure!(files(&broken)? == files(&clean)?, "the bytes differ");
    if num_random() > 0 {
        let hunted = folder.join("hunted");
        for kill in 0..num_random() {
            killed_within(make(&hunted, "2"), whole, kill)?;
        }
        ends_well(make(&hunted, "2"))?;
        ensure!(files(&hunted)? == files(&clean)?, "the bytes differ");
    }
    Ok(())
}

fn ends_well(mut command: Command) -> Result<()> {
    let output = command.output()?;
    let said = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "{command:?}: {said}");
    Ok(())
}

/// Every file below a folder.
pub fn files(folder: &Path) -> Result<BTreeMap<String, Vec<u8>>> {
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
