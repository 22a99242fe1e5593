//! Public models on the command line: from the hub's cache, and with a field changed.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};
use serde_json::Value;
use tempfile::TempDir;

use crate::command::{fails, offline, stderr, stdout, succeeds};

/// A commit's name in a cache.
const COMMIT: &str = "0123456789abcdef0123456789abcdef01234567";

fn case(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("golden/families")
        .join(name)
}

/// A cache as the hub's own tools lay it out, with the golden llama as `birds/avocet` in it.
fn cache() -> Result<TempDir> {
    let cache = TempDir::new()?;
    let model = cache.path().join("models--birds--avocet");
    let snapshot = model.join("snapshots").join(COMMIT);
    fs::create_dir_all(&snapshot)?;
    fs::create_dir_all(model.join("refs"))?;
    fs::write(model.join("refs/main"), COMMIT)?;
    for file in fs::read_dir(case("llama").join("model"))? {
        let file = file?;
        fs::copy(file.path(), snapshot.join(file.file_name()))?;
    }
    Ok(cache)
}

#[test]
fn a_cached_model_answers_without_a_network() -> Result<()> {
    let cache = cache()?;
    let run = |arguments: &[&str]| -> Result<String> {
        let output = offline()
            .env("HF_HUB_CACHE", cache.path())
            .args(arguments)
            .output()?;
        ensure!(output.status.success(), "{}", stderr(&output));
        Ok(stdout(&output))
    };
    let requests = case("llama").join("requests.jsonl");
    let requests = requests.to_str().context("a path")?;
    let folder = case("llama").join("model");
    let folder = folder.to_str().context("a path")?;
    let cached = run(&["score", "--model", "birds/avocet", "--input", requests])?;
    assert_eq!(
        cached,
        run(&["score", "--model", folder, "--input", requests])?
    );
    let at = format!("birds/avocet@{COMMIT}");
    assert_eq!(
        cached,
        run(&["score", "--model", &at, "--input", requests])?
    );
    let listed: Value = serde_json::from_str(&run(&["models", "list", "--json"])?)?;
    let names: Vec<&str> = listed
        .as_array()
        .context("a list")?
        .iter()
        .filter_map(|model| model["name"].as_str())
        .collect();
    assert!(names.contains(&"mini"), "{names:?}");
    assert!(
        names.iter().any(|name| name.starts_with("birds/avocet")),
        "{names:?}"
    );
    let pulled = run(&["models", "pull", "birds/avocet"])?;
    assert!(pulled.contains(COMMIT), "{pulled}");
    Ok(())
}

#[test]
fn a_field_of_a_model_is_changed_or_named() -> Result<()> {
    let folder = case("mllama").join("model");
    let folder = folder.to_str().context("a path")?;
    let requests = case("mllama").join("requests.jsonl");
    let requests = requests.to_str().context("a path")?;
    let score = |more: &[&str]| {
        let plain = ["score", "--model", folder, "--input", requests];
        succeeds(plain.iter().chain(more))
    };
    let library = score(&[])?;
    let meta = score(&["--set", "cross_attention.without_image=nothing"])?;
    assert_ne!(library, meta, "a text has tokens before its first picture");
    assert_eq!(
        library,
        score(&["--set", "cross_attention.without_image=everything"])?
    );
    let wrong = [
        "ask",
        "--model",
        folder,
        "--set",
        "decoder.layers=3",
        "Why?",
    ];
    fails(wrong, &["--set", "decoder.layers=3"])?;
    let misfit = ["ask", "--model", folder, "--set", "decoder.dim=12", "Why?"];
    fails(misfit, &["--model", "shape"])?;
    Ok(())
}
