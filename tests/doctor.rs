//! `avocet doctor` on every golden family, and on models that were damaged.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::command::{avocet, stderr, stdout, succeeds};
use crate::tiny_model;

const CONFIG: &str = "config.json";
const WEIGHTS: &str = "model.safetensors";

fn golden() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("golden/families")
}

/// A copy of a golden model that may be damaged.
fn copy(case: &str) -> Result<TempDir> {
    let folder = TempDir::new()?;
    for entry in fs::read_dir(golden().join(case).join("model"))? {
        let entry = entry?;
        fs::copy(entry.path(), folder.path().join(entry.file_name()))?;
    }
    Ok(folder)
}

/// Examines what would not run: exit 1, a report that says so, one line with all of `words`.
fn refused(folder: &Path, words: &[&str]) -> Result<Value> {
    let arguments = [
        "doctor".as_ref(),
        folder.as_os_str(),
        "--json".as_ref() as &std::ffi::OsStr,
    ];
    let output = avocet(arguments)?;
    let said = stderr(&output);
    ensure!(output.status.code() == Some(1), "{output:?}");
    ensure!(said.trim_end().lines().count() == 1, "one line: {said}");
    ensure!(!said.contains("internal error"), "{said}");
    for word in words {
        ensure!(said.contains(word), "{word:?} is missing in: {said}");
    }
    let report: Value = serde_json::from_str(&stdout(&output))?;
    ensure!(report["verdict"] == "does_not_run", "{report}");
    let text = avocet(&arguments[..2])?;
    ensure!(text.status.code() == Some(1), "{text:?}");
    ensure!(stdout(&text).contains("does not run"), "{text:?}");
    Ok(report)
}

/// Changes one field of a JSON file.
fn set(path: &Path, field: &str, value: Value) -> Result<()> {
    let mut config: Value = serde_json::from_slice(&fs::read(path)?)?;
    config[field] = value;
    Ok(fs::write(path, config.to_string())?)
}

/// Calls a tensor otherwise, by a name as long: the header's length stays.
fn rename_tensor(path: &Path, name: &str, other: &str) -> Result<()> {
    ensure!(name.len() == other.len(), "{name}, {other}");
    let mut bytes = fs::read(path)?;
    let quoted = format!("\"{name}\"");
    let at = bytes
        .windows(quoted.len())
        .position(|window| window == quoted.as_bytes())
        .context("the tensor")?;
    bytes[at + 1..at + 1 + other.len()].copy_from_slice(other.as_bytes());
    Ok(fs::write(path, bytes)?)
}

#[test]
fn every_family_runs_and_accounts_for_every_tensor() -> Result<()> {
    let mut seen = 0;
    for entry in fs::read_dir(golden())? {
        let folder = entry?.path();
        if !folder.join("requests.jsonl").is_file() {
            continue;
        }
        seen += 1;
        let model = folder.join("model");
        let model = model.to_str().context("a path")?;
        let report: Value = serde_json::from_str(&succeeds(["doctor", model, "--json"])?)?;
        let tensors = &report["tensors"];
        let number = |field: &str| tensors[field].as_u64().context(field.to_owned());
        ensure!(report["verdict"] == "fits", "{report}");
        ensure!(number("num_problems")? == 0, "{report}");
        ensure!(
            number("stored")? == number("used")? + number("ignored")?,
            "{report}"
        );
        ensure!(number("renamed")? > 0, "names of ours: {report}");
        let sees = report["prompts"]["picture"].is_string();
        ensure!(sees == (report["memory"]["images"] == 1), "{report}");
        let example = report["prompts"]["example"].as_str().context("text")?;
        ensure!(example.contains("What is this?"), "{example}");
        let text = succeeds(["doctor", model])?;
        let longest = text.lines().map(|line| line.chars().count()).max();
        ensure!(longest <= Some(100), "{text}");
    }
    ensure!(seen >= 16, "only {seen} cases");
    Ok(())
}

#[test]
fn the_built_in_model_and_a_folder_of_our_own_run() -> Result<()> {
    ensure!(succeeds(["doctor", "mini"])?.contains("fits"));
    let folder = tiny_model::folder()?;
    let path = folder.path().to_str().context("a path")?;
    let report = succeeds(["doctor", path, "--context", "8", "--images", "3", "--json"])?;
    let report: Value = serde_json::from_str(&report)?;
    ensure!(report["memory"]["context"] == 8 && report["memory"]["images"] == 3);
    Ok(())
}

#[test]
fn truncated_weights_do_not_run() -> Result<()> {
    let folder = copy("llama")?;
    let path = folder.path().join(WEIGHTS);
    let bytes = fs::read(&path)?;
    fs::write(&path, &bytes[..bytes.len() - 100])?;
    refused(folder.path(), &[WEIGHTS, "does not run"])?;
    fs::write(&path, &bytes[..100])?;
    refused(folder.path(), &[WEIGHTS])?;
    fs::remove_file(&path)?;
    refused(folder.path(), &[WEIGHTS])?;
    Ok(())
}

#[test]
fn a_missing_tensor_does_not_run() -> Result<()> {
    let folder = copy("llama")?;
    let (name, other) = ("model.norm.weight", "model.nurm.weight");
    rename_tensor(&folder.path().join(WEIGHTS), name, other)?;
    let path = folder.path().display().to_string();
    let report = refused(folder.path(), &[&path, name, "missing", "1 more"])?;
    let tensors = &report["tensors"];
    ensure!(
        tensors["missing"] == 1 && tensors["unused"] == 1,
        "{report}"
    );
    Ok(())
}

#[test]
fn an_output_head_that_should_be_there_is_missed() -> Result<()> {
    let folder = copy("llama")?;
    let config = folder.path().join(CONFIG);
    let (name, other) = ("lm_head.weight", "lm_haed.weight");
    rename_tensor(&folder.path().join(WEIGHTS), name, other)?;
    set(&config, "tie_word_embeddings", json!(false))?;
    let report = refused(folder.path(), &[name, "missing"])?;
    ensure!(report["tensors"]["missing"] == 1, "{report}");
    // What a file does not say, or says to be the embedding, is no fault of its own.
    set(&config, "tie_word_embeddings", json!(true))?;
    let report = refused(folder.path(), &[other, "is not used"])?;
    ensure!(report["tensors"]["missing"] == 0, "{report}");
    Ok(())
}

#[test]
fn weights_in_one_piece_beside_an_index_of_others_do_not_run() -> Result<()> {
    let folder = copy("llama")?;
    let index = folder.path().join("model.safetensors.index.json");
    let shards = |file: &str| json!({"weight_map": {"model.norm.weight": file}}).to_string();
    fs::write(&index, shards("model-00001-of-00001.safetensors"))?;
    refused(
        folder.path(),
        &["model.safetensors.index.json", "beside it"],
    )?;
    fs::write(&index, shards(WEIGHTS))?;
    let folder = folder.path().to_str().context("a path")?;
    ensure!(succeeds(["doctor", folder])?.contains("fits"));
    Ok(())
}

#[test]
fn another_shape_in_the_configuration_does_not_run() -> Result<()> {
    let folder = copy("llama")?;
    let config = folder.path().join(CONFIG);
    set(&config, "intermediate_size", json!(56))?;
    let words = ["mlp.", "has shape", "is to be made of it"];
    let report = refused(folder.path(), &words)?;
    let wrong = report["tensors"]["wrong_shape"].as_u64();
    ensure!(wrong > Some(0), "{report}");
    set(&config, "intermediate_size", json!("wide"))?;
    refused(folder.path(), &[CONFIG, "intermediate_size"])?;
    Ok(())
}

#[test]
fn a_model_without_a_tokenizer_does_not_run() -> Result<()> {
    let folder = copy("llama")?;
    fs::remove_file(folder.path().join("tokenizer.json"))?;
    let report = refused(folder.path(), &["tokenizer.json"])?;
    ensure!(report["prompts"].is_null(), "{report}");
    ensure!(report["tensors"]["num_problems"] == 0, "{report}");
    Ok(())
}

#[test]
fn a_template_that_refuses_every_question_does_not_run() -> Result<()> {
    let folder = copy("llama")?;
    let template = |source: &str| fs::write(folder.path().join("chat_template.jinja"), source);
    for (source, word) in [
        (
            "{{ raise_exception('Only tools may speak.') }}",
            "Only tools may speak.",
        ),
        ("{{ messages | no_such_filter }}", "no_such_filter"),
        ("{% if tools %}x{% endif %}", "no tokens"),
    ] {
        template(source)?;
        let report = refused(folder.path(), &["every question is refused", word])?;
        ensure!(report["prompts"]["refused"]["all"] == true, "{report}");
    }
    // One that wants instructions first is no such template.
    template(
        "{% if messages[0].role != 'system' %}{{ raise_exception('no') }}{% endif %}{{ messages[1].content }}",
    )?;
    let report = succeeds(["doctor".as_ref(), folder.path().as_os_str()])?;
    ensure!(
        report.contains("What is this?") && report.contains("fits"),
        "{report}"
    );
    Ok(())
}

#[test]
fn a_template_that_shows_no_picture_is_told() -> Result<()> {
    let folder = copy("mllama")?;
    let source = "{{ bos_token }}{% for m in messages %}{% for part in m.content %}{{ part.text }}{% endfor %}{% endfor %}";
    fs::write(folder.path().join("chat_template.jinja"), source)?;
    let report = succeeds([
        "doctor".as_ref(),
        folder.path().as_os_str(),
        "--json".as_ref(),
    ])?;
    let report: Value = serde_json::from_str(&report)?;
    let reason = report["reason"].as_str().unwrap_or_default();
    ensure!(
        reason.contains("every question about a picture is refused"),
        "{report}"
    );
    ensure!(report["prompts"]["refused"]["all"] == false, "{report}");
    Ok(())
}

#[test]
fn what_a_model_cannot_be_used_for_is_refused() -> Result<()> {
    let model = golden().join("llama/model");
    let model = model.to_str().context("a path")?;
    crate::command::fails(["doctor", model, "--images", "1"], &["--images 1"])?;
    let most = ["doctor", model, "--context", "1000000000"];
    crate::command::fails(most, &["--context 1000000000", "holds"])
}
