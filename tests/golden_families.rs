//! Every public family against its reference implementation: tiny random models with clearly
//! open gates and norms, in the very files that people hold.
//!
//! The models and what the reference libraries compute of them are written by
//! `golden/make_families.py`; versions stand in each case's `expected.json`. Sums are taken in
//! another order here, hence the tolerances.

use std::fs;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};
use avocet_checkpoint::{ModelFiles, VisionFiles, VisionShape};
use avocet_infer::{Engine, Image, SamplingOptions, ScoreOptions};
use avocet_media::{Limits, decode};
use avocet_model::{ClipEncoder, Images};
use avocet_text::Turn;
use candle_core::{Device, IndexOp, Tensor};
use serde_json::Value;

/// Largest difference of a logit.
const LOGITS: f32 = 2e-4;
/// Largest difference of a log-probability.
const LOGPROBS: f64 = 2e-4;

fn golden() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("golden/families")
}

/// The cases that have a whole model, by name.
fn cases() -> Result<Vec<(String, PathBuf)>> {
    let mut cases = Vec::new();
    for entry in fs::read_dir(golden())? {
        let folder = entry?.path();
        if folder.join("requests.jsonl").is_file() {
            let name = folder.file_name().context("a name")?;
            cases.push((name.to_string_lossy().into_owned(), folder));
        }
    }
    cases.sort();
    Ok(cases)
}

fn engine(folder: &Path) -> Result<Engine> {
    Ok(Engine::load(&ModelFiles::open(&folder.join("model"))?)?)
}

fn images(engine: &Engine, folder: &Path, request: &Value) -> Result<Vec<Image>> {
    let paths = request["images"].as_array().into_iter().flatten();
    let read = |path: &Value| {
        let path = folder.join(path.as_str().context("a path")?);
        Ok(engine.read_image(&fs::read(path)?)?)
    };
    paths.map(read).collect()
}

fn integers(value: &Value) -> Vec<u32> {
    let items = value.as_array().into_iter().flatten();
    items.filter_map(|id| Some(id.as_u64()? as u32)).collect()
}

fn check(folder: &Path) -> Result<()> {
    let engine = engine(folder)?;
    let expected: Value = serde_json::from_slice(&fs::read(folder.join("expected.json"))?)?;
    let tensors =
        candle_core::safetensors::load(folder.join("expected.safetensors"), &Device::Cpu)?;
    for line in fs::read_to_string(folder.join("requests.jsonl"))?.lines() {
        let request: Value = serde_json::from_str(line)?;
        let id = request["id"].as_str().context("an id")?;
        let wanted = &expected["requests"][id];
        let ids = match request["text"].as_str() {
            Some(text) => engine.encode_as_written(text)?,
            None => integers(&request["token_ids"]),
        };
        ensure!(ids == integers(&wanted["token_ids"]), "{id}: {ids:?}");
        let greedy = integers(&wanted["greedy_ids"]);
        let options = ScoreOptions {
            logits: true,
            greedy: greedy.len(),
        };
        let score = engine.score(&ids, &images(&engine, folder, &request)?, options)?;
        compare(id, &score.logits.context("asked for")?, &tensors[id])?;
        ensure!(score.greedy_ids == greedy, "{id}: {:?}", score.greedy_ids);
        let logprobs = wanted["logprobs"].as_array().context("logprobs")?;
        for (place, (ours, theirs)) in score.logprobs.iter().zip(logprobs).enumerate() {
            let difference = match (ours, theirs.as_f64()) {
                (Some(ours), Some(theirs)) => (ours - theirs).abs(),
                (None, None) => 0.0,
                _ => f64::INFINITY,
            };
            ensure!(difference <= LOGPROBS, "{id}, {place}: {ours:?}, {theirs}");
        }
    }
    Ok(())
}

/// Heads whose last rows are random at each load of the reference are compared without them.
fn compare(id: &str, ours: &Tensor, theirs: &Tensor) -> Result<()> {
    let (rows, columns) = theirs.dims2()?;
    let (our_rows, our_columns) = ours.dims2()?;
    ensure!(
        our_rows == rows && our_columns >= columns,
        "{id}: {:?}, not {:?}",
        ours.dims(),
        theirs.dims()
    );
    let difference = (ours.narrow(1, 0, columns)? - theirs)?.abs()?;
    let worst: f32 = difference.flatten_all()?.max(0)?.to_scalar()?;
    ensure!(worst <= LOGITS, "{id}: {worst:e} apart, allowed {LOGITS:e}");
    Ok(())
}

#[test]
fn every_family_agrees_with_its_reference() -> Result<()> {
    let cases = cases()?;
    ensure!(cases.len() >= 16, "only {} cases", cases.len());
    for (name, folder) in cases {
        check(&folder).context(name)?;
    }
    Ok(())
}

#[test]
fn every_family_answers_a_question() -> Result<()> {
    for (name, folder) in cases()? {
        let engine = engine(&folder).context(name.clone())?;
        let pictures = fs::read_dir(folder.join("pictures")).ok();
        let picture = pictures.and_then(|mut pictures| pictures.next());
        let mut images = Vec::new();
        if let Some(picture) = picture.filter(|_| engine.config().sees()) {
            images.push(engine.read_image(&fs::read(picture?.path())?)?);
        }
        let turns = [Turn::about(images.len(), "What is it?")];
        let options = SamplingOptions::greedy(5);
        let answer = engine.answer(&images, &turns, &options, |_| ControlFlow::Continue(()));
        let answer = answer.context(name.clone())?;
        ensure!(answer.usage.completion_tokens > 0, "{name}: {answer:?}");
        ensure!(
            (answer.usage.vision_tokens > 0) != images.is_empty(),
            "{name}: {answer:?}"
        );
    }
    Ok(())
}

#[test]
fn vision_encoders_alone_agree_with_their_reference() -> Result<()> {
    for family in ["clip_vision", "siglip_vision"] {
        let folder = golden().join(family);
        let expected: Value = serde_json::from_slice(&fs::read(folder.join("expected.json"))?)?;
        let picture = expected["picture"].as_str().context("a picture")?;
        let picture = decode(&fs::read(folder.join(picture))?, &Limits::default())?;
        let files = VisionFiles::open(&folder.join("model"))?;
        let patches = files.processor().patches(&picture);
        let rows = patches.rows * patches.cols;
        let width = patches.data.len() / rows;
        let images = Images {
            grids: vec![(patches.rows, patches.cols)],
            patches: Tensor::from_vec(patches.data, (rows, width), &Device::Cpu)?,
        };
        let VisionShape::Clip(shape) = files.shape() else {
            anyhow::bail!("{family}: {:?}", files.shape());
        };
        let encoder = ClipEncoder::new(shape, files.builder()?.pp("vision"))?;
        let ours = encoder.forward(&images)?.rows;
        let theirs =
            candle_core::safetensors::load(folder.join("expected.safetensors"), &Device::Cpu)?;
        // Text attends to patches; the class row before them is CLIP's alone.
        let theirs = theirs["last_hidden_state"].i(usize::from(shape.class_token)..)?;
        compare(family, &ours, &theirs)?;
    }
    Ok(())
}
