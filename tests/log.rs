//! What `-v` and `--log-format` tell on stderr: what was done and how long it took, never what
//! somebody wrote, and nothing unless asked.

use anyhow::{Context, Result};
use serde_json::Value;
use tempfile::TempDir;

use crate::command::{offline, picture, stderr, stdout};

/// The answer to a question about a picture, and stderr.
fn asked(flags: &[&str]) -> Result<(String, String)> {
    let folder = TempDir::new()?;
    let file = picture(&folder, "circle.png")?;
    let output = offline()
        .args(["ask", "--max-tokens", "4"])
        .args(flags)
        .args([&file, "Is zebra-crossing a secret word?"])
        .env("HF_TOKEN", "hf_secret")
        .output()?;
    Ok((stdout(&output), stderr(&output)))
}

#[test]
fn what_took_how_long_is_told_on_stderr_when_asked_for() -> Result<()> {
    let (answer, silence) = asked(&[])?;
    assert_eq!(silence, "");
    for flags in [&["-v"][..], &["-vv"], &["--log-format", "json"]] {
        let (same, told) = asked(flags)?;
        assert_eq!(same, answer, "{flags:?}");
        for event in ["model loaded", "picture read", "image encoded", "answered"] {
            assert!(told.contains(event), "{flags:?}: {event}: {told}");
        }
        assert!(told.contains("seconds"), "{told}");
        for private in ["zebra", "secret"] {
            assert!(!told.contains(private), "{flags:?}: {private}: {told}");
        }
    }
    Ok(())
}

#[test]
fn every_line_for_machines_is_an_object_with_a_level_and_a_message() -> Result<()> {
    let output = offline()
        .args(["ask", "none.png", "Why?", "--log-format", "json"])
        .output()?;
    assert_eq!(output.status.code(), Some(1));
    let said = stderr(&output);
    let lines: Vec<Value> = (said.lines().map(serde_json::from_str))
        .collect::<Result<_, _>>()
        .with_context(|| said.clone())?;
    for line in &lines {
        assert!(
            line["level"].is_string() && line["message"].is_string(),
            "{line}"
        );
    }
    let last = lines.last().context("a line")?;
    assert_eq!(last["level"], "ERROR");
    assert!(
        last["message"]
            .as_str()
            .is_some_and(|m| m.starts_with("none.png")),
        "{last}"
    );
    Ok(())
}
