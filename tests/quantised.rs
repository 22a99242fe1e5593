//! Models in blocks: every family is read back as itself, and answers as before but for rounding.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result, ensure};
use avocet_checkpoint::{BlockFormat, ModelFiles};
use avocet_infer::{Engine, Image, ScoreOptions};
use serde_json::Value;
use tempfile::TempDir;

use crate::command::{avocet, fails, path, succeeds};

/// Scores the first request of a golden case.
fn score(engine: &Engine, case: &Path) -> Result<Vec<Option<f64>>> {
    let requests = fs::read_to_string(case.join("requests.jsonl"))?;
    let request: Value = serde_json::from_str(requests.lines().next().context("a request")?)?;
    let paths = request["images"].as_array().into_iter().flatten();
    let read = |path: &Value| -> Result<Image> {
        let path = case.join(path.as_str().context("a path")?);
        Ok(engine.read_image(&fs::read(path)?)?)
    };
    let images: Vec<Image> = paths.map(read).collect::<Result<_>>()?;
    let text = request["text"].as_str().context("a text")?;
    let ids = engine.encode_as_written(text)?;
    Ok(engine
        .score(&ids, &images, ScoreOptions::default())?
        .logprobs)
}

#[test]
fn every_family_is_read_back_from_blocks() -> Result<()> {
    let families = Path::new(env!("CARGO_MANIFEST_DIR")).join("golden/families");
    let mut converted = 0;
    for entry in fs::read_dir(families)? {
        let case = entry?.path();
        if !case.join("requests.jsonl").is_file() {
            continue;
        }
        let name = case.display().to_string();
        let before = ModelFiles::open(&case.join("model"))?;
        let folder = TempDir::new()?;
        let small = folder.path().join("small");
        let count = before
            .quantise(BlockFormat::Q8_0, &small)
            .with_context(|| name.clone())?;
        converted += count.converted;
        ensure!(count.bytes_after <= count.bytes_before, "{name}: {count:?}");
        let after = ModelFiles::open(&small).with_context(|| name.clone())?;
        after.check().with_context(|| name.clone())?;
        assert_eq!(after.family(), before.family());
        assert_eq!(after.config().decoder, before.config().decoder, "{name}");
        let wanted = score(&Engine::load(&before)?, &case).with_context(|| name.clone())?;
        let found = score(&Engine::load(&after)?, &case).with_context(|| name.clone())?;
        for (one, other) in wanted.iter().zip(&found) {
            let apart = one.unwrap_or(0.0) - other.unwrap_or(0.0);
            ensure!(apart.abs() < 0.5, "{name}: {one:?} became {other:?}");
        }
    }
    ensure!(converted > 20, "only {converted} tensors were converted");
    Ok(())
}

#[test]
fn the_built_in_model_in_blocks_is_measured_and_written_anew() -> Result<()> {
    let folder = TempDir::new()?;
    let text = path(&folder, "text.txt");
    fs::write(&text, "A small dog ran over the green hill to its house.")?;
    let (small, smaller) = (path(&folder, "small"), path(&folder, "smaller"));
    let measured = |from: &str, to: &str, out: &str| -> Result<Value> {
        let flags = ["--to", to, "--text", &text, "--json", "-o", out];
        let said = succeeds([&["quantise", from][..], &flags].concat())?;
        Ok(serde_json::from_str(&said)?)
    };
    let first = measured("mini", "q8_0", &small)?;
    let number = |value: &Value| value.as_f64().context("a number");
    ensure!(number(&first["bits_before"])? > 16.0, "{first}");
    ensure!(number(&first["bits_after"])? < 9.0, "{first}");
    let before = number(&first["perplexity_before"])?;
    let after = number(&first["perplexity_after"])?;
    ensure!((after / before - 1.0).abs() < 0.05, "{first}");
    let second = measured(&small, "q4_k", &smaller)?;
    ensure!(number(&second["bits_after"])? < 7.0, "{second}");
    assert_eq!(second["bytes_before"], first["bytes_after"]);
    succeeds(["ask", "--model", &smaller, "--max-tokens", "3", "Who?"])?;
    Ok(())
}

#[test]
fn wrong_ways_to_ask_for_blocks_are_refused() -> Result<()> {
    let folder = TempDir::new()?;
    let out = path(&folder, "out");
    let wrong = avocet(["quantise", "mini", "--to", "q3_k", "-o", &out])?;
    assert_eq!(wrong.status.code(), Some(2));
    fails(
        ["quantise", "/no/such", "--to", "q8_0", "-o", &out],
        &["no such file or folder"],
    )?;
    let here = folder.path().display().to_string();
    fs::write(folder.path().join("mine.txt"), "mine")?;
    fails(
        ["quantize", "mini", "--to", "q8_0", "-o", &here],
        &["not empty"],
    )?;
    let text = path(&folder, "none.txt");
    fails(
        [
            "quantise", "mini", "--to", "q8_0", "--text", &text, "-o", &out,
        ],
        &["--text", "none.txt"],
    )?;
    ensure!(!Path::new(&out).exists(), "something was left");
    Ok(())
}
