//! The commands that read whole files of records or models: score, eval, inspect.

use std::ffi::OsStr;

use anyhow::{Context, Result};
use serde_json::Value;
use tempfile::TempDir;

use crate::command::{fails, picture, succeeds};
use crate::tiny_model;

#[test]
fn a_bad_record_to_score_fails_alone() -> Result<()> {
    let folder = TempDir::new()?;
    let file = picture(&folder, "circle.png")?;
    let records = [
        r#"{"id":"a","text":"<|user|>Why?<|assistant|>yes<|end|>"}"#.to_owned(),
        "nonsense".to_owned(),
        format!(r#"{{"id":"b","text":"<|user|><|image|>What?<|assistant|>","images":["{file}"]}}"#),
        r#"{"id":"c","text":"<|image|>"}"#.to_owned(),
        r#"{"id":4,"token_ids":[1,99999999]}"#.to_owned(),
        r#"{"id":"e","token_ids":[7,8,9]}"#.to_owned(),
    ];
    let input = folder.path().join("in.jsonl");
    std::fs::write(&input, records.join("\n"))?;
    let logits = folder.path().join("logits.safetensors");
    let said = succeeds([
        OsStr::new("score"),
        OsStr::new("--input"),
        input.as_os_str(),
        OsStr::new("--greedy"),
        OsStr::new("3"),
        OsStr::new("--logits"),
        logits.as_os_str(),
    ])?;
    let lines: Vec<Value> = said
        .lines()
        .map(serde_json::from_str)
        .collect::<Result<_, _>>()?;
    let failed: Vec<bool> = lines
        .iter()
        .map(|line| line.get("error").is_some())
        .collect();
    assert_eq!(failed, [false, true, false, true, true, false], "{said}");
    assert_eq!(lines[4]["id"], 4);
    for line in [&lines[0], &lines[2], &lines[5]] {
        let (ids, logprobs) = (line["token_ids"].as_array(), line["logprobs"].as_array());
        let (ids, logprobs) = (ids.context("ids")?, logprobs.context("logprobs")?);
        assert_eq!(ids.len(), logprobs.len());
        assert!(logprobs[0].is_null());
        assert!(
            logprobs[1..]
                .iter()
                .all(|p| p.as_f64().is_some_and(|p| p <= 0.0)),
            "{line}"
        );
        assert_eq!(line["greedy_ids"].as_array().map(Vec::len), Some(3));
    }
    let tensors = candle_core::safetensors::load(&logits, &candle_core::Device::Cpu)?;
    assert_eq!(tensors.len(), 3);
    assert_eq!(tensors["e"].dim(0)?, 3);
    Ok(())
}

#[test]
fn eval_prints_a_table_and_keeps_every_answer() -> Result<()> {
    let folder = TempDir::new()?;
    picture(&folder, "circle.png")?;
    let task = folder.path().join("task.jsonl");
    let line = r#"{"images":["circle.png"],"question":"What is this?","answer":"a circle"}"#;
    std::fs::write(&task, format!("{line}\n{line}\n"))?;
    let task = task.display().to_string();
    let table = succeeds(["eval", "--task", &task, "--max-tokens", "4"])?;
    assert!(table.contains("exact"), "{table}");
    let value: Value = serde_json::from_str(&succeeds([
        "eval",
        "--json",
        "--task",
        &task,
        "--max-tokens",
        "4",
    ])?)?;
    assert_eq!(value["questions"], 2, "{value}");
    let kept = std::fs::read_to_string(value["answers"].as_str().context("a path")?)?;
    assert_eq!(kept.lines().count(), 2);
    fails(["eval", "--task", "/no/such/task"], &["/no/such/task"])?;
    Ok(())
}

#[test]
fn inspect_counts_the_described_system() -> Result<()> {
    let said = succeeds(["inspect", "gpt4"])?;
    assert!(
        said.contains("1.834 T") && said.contains("280.0 B"),
        "{said}"
    );
    let value: Value = serde_json::from_str(&succeeds(["inspect", "mini", "--json"])?)?;
    assert!(
        value["parameters"]["total"].as_u64().is_some_and(|n| n > 0),
        "{value}"
    );
    Ok(())
}

#[test]
fn an_exported_model_answers_and_takes_half_the_space() -> Result<()> {
    let (from, to) = (tiny_model::folder()?, TempDir::new()?);
    let (from, to) = (from.path().display().to_string(), to.path().join("out"));
    let to = to.display().to_string();
    succeeds(["models", "export", &from, "-o", &to])?;
    succeeds(["ask", "--model", &to, "--max-tokens", "3", "Why?"])?;
    let bytes = |folder: &str| -> Result<u64> {
        Ok(std::fs::metadata(format!("{folder}/model.safetensors"))?.len())
    };
    let (before, after) = (bytes(&from)?, bytes(&to)?);
    assert!(after * 10 < before * 7, "{before} bytes became {after}");
    let listed: Value = serde_json::from_str(&succeeds(["models", "list", "--json"])?)?;
    assert_eq!(listed[0]["name"], "mini");
    Ok(())
}
