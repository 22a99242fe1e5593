//! Drives the built binary for the tests of the command line.

use std::ffi::OsStr;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use anyhow::{Context, Result, ensure};
use tempfile::TempDir;

use crate::pictures;

/// The binary that the same `cargo test --workspace` built.
pub fn binary() -> PathBuf {
    let test = std::env::current_exe().expect("a running test has a path");
    let folder = test
        .parent()
        .and_then(Path::parent)
        .expect("tests run from target/PROFILE/deps");
    let binary = folder.join(format!("avocet{}", std::env::consts::EXE_SUFFIX));
    assert!(
        binary.is_file(),
        "{} is missing: run cargo test --workspace",
        binary.display()
    );
    binary
}

/// The binary, kept away from any network.
pub fn offline() -> Command {
    let mut command = Command::new(binary());
    command.env("HF_HUB_OFFLINE", "1");
    command
}

/// Runs the binary with nothing on its stdin.
pub fn avocet<S: AsRef<OsStr>>(arguments: impl IntoIterator<Item = S>) -> Result<Output> {
    Ok(offline().args(arguments).stdin(Stdio::null()).output()?)
}

/// Runs the binary with `input` on its stdin.
pub fn avocet_reading(arguments: &[&str], input: &[u8]) -> Result<Output> {
    let mut child = offline()
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()?;
    child
        .stdin
        .take()
        .context("stdin is piped")?
        .write_all(input)?;
    Ok(child.wait_with_output()?)
}

/// What it printed.
pub fn stdout(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned()
}

/// What it complained of.
pub fn stderr(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// Runs what must succeed, and returns what it printed.
pub fn succeeds<S: AsRef<OsStr>>(arguments: impl IntoIterator<Item = S>) -> Result<String> {
    let output = avocet(arguments)?;
    ensure!(
        output.status.success(),
        "exit {:?}: {}",
        output.status.code(),
        stderr(&output)
    );
    Ok(stdout(&output))
}

/// Runs what must fail: exit 1, nothing on stdout, one line on stderr that holds all of `words`.
pub fn fails<S: AsRef<OsStr>>(
    arguments: impl IntoIterator<Item = S>,
    words: &[&str],
) -> Result<()> {
    let output = avocet(arguments)?;
    let said = stderr(&output);
    ensure!(
        output.status.code() == Some(1),
        "exit {:?}: {said}",
        output.status.code()
    );
    ensure!(stdout(&output).is_empty(), "stdout: {}", stdout(&output));
    ensure!(
        said.trim_end().lines().count() == 1,
        "one line expected: {said}"
    );
    ensure!(
        !said.contains("panicked") && !said.contains("internal error"),
        "{said}"
    );
    for word in words {
        ensure!(said.contains(word), "{word:?} is missing in: {said}");
    }
    Ok(())
}

/// A file's path in a temporary folder.
pub fn path(folder: &TempDir, name: &str) -> String {
    folder.path().join(name).display().to_string()
}

/// Draws a picture into a temporary folder, in the format its name says.
pub fn picture(folder: &TempDir, name: &str) -> Result<String> {
    let path = path(folder, name);
    pictures::circle(48, 32).save(&path)?;
    Ok(path)
}
