//! Names that are no UTF-8, or spelled with other letters of the same look, name the file that is
//! there, in every command that reads or writes one.

use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::OsStringExt;
use std::path::Path;

use anyhow::{Context, Result, ensure};
use serde_json::Value;
use tempfile::TempDir;

use crate::command::{avocet, avocet_reading, stderr, stdout, succeeds};
use crate::tables::circle;

const QUESTION: &str = "What color is the circle?";
const RED: [u8; 3] = [220, 20, 20];

/// `é` as one byte, as old systems wrote it.
fn latin(ending: &str) -> OsString {
    OsString::from_vec([b"latin\xe9", ending.as_bytes()].concat())
}

fn words<'a>(words: &[&'a str]) -> Vec<&'a OsStr> {
    words.iter().map(|&word| OsStr::new(word)).collect()
}

#[test]
fn names_that_are_no_utf_8_are_read_and_written() -> Result<()> {
    let folder = TempDir::new()?;
    let path = folder.path().join(latin(".png"));
    circle(RED).save_with_format(&path, image::ImageFormat::Png)?;
    let ask = [
        OsStr::new("ask"),
        OsStr::new("--json"),
        path.as_os_str(),
        OsStr::new(QUESTION),
    ];
    let report: Value = serde_json::from_str(&succeeds(ask)?)?;
    ensure!(
        report["answer"]
            .as_str()
            .is_some_and(|answer| answer.trim() == "red"),
        "{report}"
    );
    let source = report["images"][0]["source"].as_str().context("a name")?;
    ensure!(source.ends_with("latin\u{fffd}.png"), "{source}");
    let chat = [
        b"/image ",
        path.as_os_str().as_encoded_bytes(),
        b"\n",
        QUESTION.as_bytes(),
    ];
    let output = avocet_reading(&["chat"], &chat.concat())?;
    ensure!(
        stdout(&output).trim() == "red",
        "{} {}",
        stdout(&output),
        stderr(&output)
    );

    // A dataset of a folder of that name, in one of another.
    let data = folder.path().join(latin(""));
    std::fs::create_dir(&data)?;
    circle(RED).save(data.join("a.png"))?;
    let table = format!("file_name,question,answer\na.png,{QUESTION},red\n");
    std::fs::write(data.join("metadata.csv"), table)?;
    let mut eval = words(&["eval", "--json", "--task"]);
    eval.push(data.as_os_str());
    let report: Value = serde_json::from_str(&succeeds(eval)?)?;
    ensure!(report["kinds"]["all"]["exact_match"] == 1.0, "{report}");
    let run = folder.path().join(latin(" run"));
    let mut learn = words(&["finetune", "--steps", "1", "--batch", "1", "--data"]);
    learn.extend([data.as_os_str(), OsStr::new("-o"), run.as_os_str()]);
    succeeds(learn)?;
    ensure!(run.join("data/manifest.json").is_file());
    let mut merge = words(&["data", "merge"]);
    let (part, whole) = (run.join("data"), folder.path().join(latin(" whole")));
    merge.extend([part.as_os_str(), OsStr::new("-o"), whole.as_os_str()]);
    succeeds(merge)?;
    ensure!(whole.join("manifest.json").is_file());
    let mut question = words(&["ask"]);
    let latin = latin("?");
    question.push(&latin);
    let output = avocet(question)?;
    ensure!(
        output.status.code() == Some(1) && stderr(&output).contains("not UTF-8"),
        "{}",
        stderr(&output)
    );
    Ok(())
}

#[test]
fn a_name_in_another_normal_form_names_the_file_that_is_there() -> Result<()> {
    const COMPOSED: &str = "M\u{fc}ller.png";
    const DECOMPOSED: &str = "Mu\u{308}ller.png";
    for (there, named) in [(COMPOSED, DECOMPOSED), (DECOMPOSED, COMPOSED)] {
        let folder = TempDir::new()?;
        let data = folder.path().join(there).with_extension("d");
        std::fs::create_dir(&data)?;
        circle(RED).save(data.join(there))?;
        let table = format!("file_name,question,answer\n{named},{QUESTION},red\n");
        std::fs::write(data.join("metadata.csv"), table)?;
        let as_named = Path::new(named).with_extension("d");
        let task = folder.path().join(&as_named).display().to_string();
        let report = succeeds(["eval", "--json", "--task", &task])?;
        let report: Value = serde_json::from_str(&report)?;
        ensure!(report["kinds"]["all"]["exact_match"] == 1.0, "{report}");
        let picture = folder
            .path()
            .join(as_named)
            .join(named)
            .display()
            .to_string();
        let answer = succeeds(["ask", &picture, QUESTION])?;
        ensure!(answer.trim() == "red", "{answer}");
        let record =
            serde_json::json!({"id": 1, "text": "<|user|><|image|>?", "images": [picture]});
        let input = folder.path().join("in.jsonl");
        std::fs::write(&input, record.to_string())?;
        let scored = succeeds(["score", "--input", &input.display().to_string()])?;
        ensure!(!scored.contains("error"), "{scored}");
    }
    Ok(())
}
