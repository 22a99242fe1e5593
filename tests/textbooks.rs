//! `avocet data textbooks` as a whole program, with a model that knows nothing.

use std::fs;

use anyhow::Result;
use tempfile::TempDir;

use crate::command::{fails, path, succeeds};
use crate::tiny_model;

/// A passage of 65 words.
fn story() -> String {
    "The miller put a red lantern on the wall when the river rose. ".repeat(5)
}

#[test]
fn every_question_is_accounted_for_and_a_finished_dataset_stays() -> Result<()> {
    let folder = TempDir::new()?;
    fs::write(path(&folder, "story.txt"), story())?;
    let model = tiny_model::folder()?;
    let (text, output) = (path(&folder, "story.txt"), path(&folder, "out"));
    let model = model.path().display().to_string();
    let arguments = ["data", "textbooks", &text, "--model", &model, "-o", &output];
    // Its context of 96 tokens holds no prompt.
    let said = succeeds(arguments)?;
    assert!(
        said.contains("0 samples; 3 inputs = 0 kept + 3 rejected"),
        "{said}"
    );
    assert!(
        said.contains("3 rejected: passage: the model cannot take it"),
        "{said}"
    );
    let ledger = fs::read_to_string(folder.path().join("out/ledger.jsonl"))?;
    assert!(
        ledger.starts_with("{\"input\":\"file/story.txt/0000@0-309/0\""),
        "{ledger}"
    );
    let manifest: serde_json::Value =
        serde_json::from_slice(&fs::read(folder.path().join("out/manifest.json"))?)?;
    let sha256 = &manifest["recipe"]["settings"]["model"]["sha256"];
    assert_eq!(sha256.as_str().map(str::len), Some(64));
    assert_eq!(succeeds(arguments)?, said);
    Ok(())
}

#[test]
fn what_cannot_be_taken_fails_with_one_line_that_names_it() -> Result<()> {
    let folder = TempDir::new()?;
    fs::write(path(&folder, "story.txt"), story())?;
    let output = path(&folder, "out");
    let (text, gone) = (path(&folder, "story.txt"), path(&folder, "gone.txt"));
    let run = |file: &str, model: &str, words: &[&str]| {
        fails(
            ["data", "textbooks", file, "--model", model, "-o", &output],
            words,
        )
    };
    run(&gone, "mini", &["gone.txt"])?;
    run("picture.png", "mini", &["picture.png", ".html"])?;
    run(&text, &gone, &["--model", "gone.txt"])?;
    Ok(())
}
