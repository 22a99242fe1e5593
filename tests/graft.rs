//! Models made of the files of others: with closed gates, or experts that are all the same, they
//! compute what their parts did; damaged ones are refused in one line.

use std::collections::HashMap;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};
use avocet_checkpoint::{GraftOptions, ModelFiles, PartSource, UpcycleOptions, graft, upcycle};
use avocet_infer::{Engine, Score, ScoreOptions};
use candle_core::{Device, Tensor};
use tempfile::TempDir;

use crate::command::{fails, path, picture, succeeds};

const TEXT: &str = "The quick brown fox jumps over 13 lazy dogs.";
const SCORE: ScoreOptions = ScoreOptions {
    logits: true,
    greedy: 6,
};

fn golden(family: &str) -> PathBuf {
    let families = Path::new(env!("CARGO_MANIFEST_DIR")).join("golden/families");
    families.join(family).join("model")
}

/// The files of the built-in model.
fn mini() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../assets/mini")
}

fn engine(folder: &Path) -> Result<Engine> {
    Ok(Engine::load(&ModelFiles::open(folder)?)?)
}

fn grafted(decoder: &Path, vision: &Path, latents: Option<usize>, output: &Path) -> Result<()> {
    let options = GraftOptions {
        latents,
        seed: 3,
        ..GraftOptions::default()
    };
    let (decoder, vision) = (PartSource::Path(decoder), PartSource::Path(vision));
    graft(&decoder, &vision, &options, output)?;
    Ok(())
}

fn upcycled(decoder: &Path, output: &Path) -> Result<()> {
    let options = UpcycleOptions {
        num_experts: 4,
        top_k: 2,
        seed: 3,
    };
    upcycle(&PartSource::Path(decoder), &options, output)?;
    Ok(())
}

fn score(engine: &Engine, text: &str, images: &[&[u8]]) -> Result<Score> {
    let ids = engine.encode_as_written(text)?;
    let images = images.iter().map(|bytes| engine.read_image(bytes));
    let images = images.collect::<Result<Vec<_>, _>>()?;
    Ok(engine.score(&ids, &images, SCORE)?)
}

fn bits(score: &Score) -> Result<Vec<u32>> {
    let logits = score.logits.as_ref().context("asked for")?;
    let numbers = logits.flatten_all()?.to_vec1::<f32>()?;
    Ok(numbers.into_iter().map(f32::to_bits).collect())
}

fn worst(a: &Score, b: &Score) -> Result<f32> {
    let (a, b) = (a.logits.as_ref(), b.logits.as_ref());
    let difference = (a.context("asked for")? - b.context("asked for")?)?.abs()?;
    Ok(difference.flatten_all()?.max(0)?.to_scalar()?)
}

/// Sets every gate of a model to `value`, as training would.
fn open_gates(folder: &Path, value: f64) -> Result<()> {
    let weights = folder.join("model.safetensors");
    let mut tensors = candle_core::safetensors::load(&weights, &Device::Cpu)?;
    let gates = tensors
        .iter_mut()
        .filter(|(name, _)| name.ends_with("_gate"));
    for (_, gate) in gates {
        *gate = gate.affine(0.0, value)?;
    }
    Ok(candle_core::safetensors::save(&tensors, weights)?)
}

#[test]
fn a_grafted_model_has_its_decoders_logits_to_the_last_bit() -> Result<()> {
    let folder = TempDir::new()?;
    let (clip, siglip) = (golden("clip_vision"), golden("siglip_vision"));
    let cases = [
        ("llama", clip.clone(), None),
        ("llama", mini(), None),
        ("qwen3_moe", siglip, Some(3)),
        ("mpt", clip, Some(2)),
    ];
    for (index, (family, vision, latents)) in cases.into_iter().enumerate() {
        let output = folder.path().join(index.to_string());
        grafted(&golden(family), &vision, latents, &output).context(family)?;
        let (alone, joined) = (engine(&golden(family))?, engine(&output)?);
        ensure!(joined.config().sees() && joined.config().num_cross_layers() > 0);
        let (wanted, found) = (score(&alone, TEXT, &[])?, score(&joined, TEXT, &[])?);
        ensure!(bits(&wanted)? == bits(&found)?, "{family}: logits differ");
        ensure!(wanted.logprobs == found.logprobs, "{family}");
        ensure!(wanted.greedy_ids == found.greedy_ids, "{family}");
    }
    Ok(())
}

#[test]
fn a_picture_matters_once_gates_are_open_and_not_before() -> Result<()> {
    let folder = TempDir::new()?;
    let output = folder.path().join("seeing");
    let one = fs::read(picture(&folder, "a.png")?)?;
    let other = path(&folder, "b.png");
    image::RgbImage::from_pixel(30, 40, image::Rgb([9, 200, 90])).save(&other)?;
    let other = fs::read(other)?;
    let text = format!("<image>{TEXT}");
    for (vision, latents) in [(golden("clip_vision"), Some(2)), (mini(), None)] {
        grafted(&golden("llama"), &vision, latents, &output)?;
        let closed = engine(&output)?;
        let image_token = closed.tokenizer().image_token().context("it sees")?;
        ensure!(image_token as usize == closed.config().decoder.vocab_size - 1);
        let (a, b) = (
            score(&closed, &text, &[&one])?,
            score(&closed, &text, &[&other])?,
        );
        ensure!(bits(&a)? == bits(&b)?, "closed gates let something through");
        drop(closed);
        open_gates(&output, 0.7)?;
        let open = engine(&output)?;
        let (a, b) = (
            score(&open, &text, &[&one])?,
            score(&open, &text, &[&other])?,
        );
        ensure!(worst(&a, &b)? > 1e-3, "{}", worst(&a, &b)?);
        fs::remove_dir_all(&output)?;
    }
    Ok(())
}

#[test]
fn an_upcycled_model_computes_what_the_dense_one_did() -> Result<()> {
    let folder = TempDir::new()?;
    for family in ["llama", "llama_gqa_scaled"] {
        let output = folder.path().join(family);
        upcycled(&golden(family), &output)?;
        let (dense, sparse) = (engine(&golden(family))?, engine(&output)?);
        let moe = sparse.config().decoder.moe.as_ref().context("experts")?;
        ensure!((moe.num_experts, moe.top_k) == (4, 2));
        let (wanted, found) = (score(&dense, TEXT, &[])?, score(&sparse, TEXT, &[])?);
        let worst = worst(&wanted, &found)?;
        ensure!(worst <= 1e-5, "{family}: {worst:e} apart");
        ensure!(wanted.greedy_ids == found.greedy_ids, "{family}");
    }
    Ok(())
}

#[test]
fn parts_may_themselves_be_made_of_parts() -> Result<()> {
    let folder = TempDir::new()?;
    let at = |name: &str| folder.path().join(name);
    let dense = engine(&golden("llama"))?;
    upcycled(&golden("llama"), &at("experts"))?;
    grafted(
        &at("experts"),
        &golden("clip_vision"),
        None,
        &at("experts-seeing"),
    )?;
    grafted(&golden("llama"), &mini(), Some(2), &at("seeing"))?;
    upcycled(&at("seeing"), &at("seeing-experts"))?;
    let wanted = score(&dense, TEXT, &[])?;
    for name in ["experts-seeing", "seeing-experts"] {
        let model = engine(&at(name)).context(name)?;
        let worst = worst(&wanted, &score(&model, TEXT, &[])?)?;
        ensure!(worst <= 1e-5, "{name}: {worst:e} apart");
        ensure!(model.config().sees(), "{name}");
    }
    Ok(())
}

#[test]
fn the_same_seed_writes_the_same_model() -> Result<()> {
    let folder = TempDir::new()?;
    let at = |name: &str| folder.path().join(name);
    for name in ["a", "b"] {
        grafted(
            &golden("llama"),
            &golden("siglip_vision"),
            Some(2),
            &at(name),
        )?;
    }
    let weights = |name: &str| fs::read(at(name).join("model.safetensors"));
    ensure!(weights("a")? == weights("b")?);
    Ok(())
}

#[test]
fn every_command_takes_a_grafted_model() -> Result<()> {
    let folder = TempDir::new()?;
    let decoder = golden("llama").display().to_string();
    let (picture, output) = (picture(&folder, "a.png")?, path(&folder, "seeing"));
    let said = succeeds([
        "graft",
        "--decoder",
        &decoder,
        "--vision",
        "mini",
        "--every",
        "1",
        "-o",
        &output,
    ])?;
    ensure!(said.contains("parameters"), "{said}");
    let answer = [
        "ask",
        "--model",
        &output,
        "--max-tokens",
        "4",
        "--json",
        &picture,
        "What?",
    ];
    let answer: serde_json::Value = serde_json::from_str(&succeeds(answer)?)?;
    ensure!(
        answer["usage"]["vision_tokens"].as_u64() > Some(0),
        "{answer}"
    );
    let shape: serde_json::Value =
        serde_json::from_str(&succeeds(["inspect", &output, "--json"])?)?;
    ensure!(
        shape["gates"].as_array().map(Vec::len) == Some(2),
        "{shape}"
    );
    let records = path(&folder, "records.jsonl");
    let record = serde_json::json!({"id": "a", "text": "<image>A dog", "images": [&picture]});
    fs::write(&records, format!("{record}\n"))?;
    let scored = succeeds(["score", "--model", &output, "--input", &records])?;
    ensure!(scored.contains("logprobs"), "{scored}");

    let experts = path(&folder, "experts");
    succeeds([
        "upcycle",
        "--decoder",
        &decoder,
        "--experts",
        "3",
        "--top-k",
        "1",
        "-o",
        &experts,
    ])?;
    succeeds(["ask", "--model", &experts, "--max-tokens", "4", "What?"])?;
    fails(
        ["ask", "--model", &experts, &picture, "What?"],
        &["no vision tower"],
    )
}

#[test]
fn what_cannot_be_joined_is_refused_in_one_line() -> Result<()> {
    let folder = TempDir::new()?;
    let output = path(&folder, "output");
    let at = |family: &str| golden(family).display().to_string();
    let graft = |decoder: &str, vision: &str, words: &[&str]| {
        let arguments = [
            "graft",
            "--decoder",
            decoder,
            "--vision",
            vision,
            "-o",
            &output,
        ];
        fails(arguments, words)
    };
    graft("mini", &at("clip_vision"), &["sees images already"])?;
    graft(&at("idefics"), &at("clip_vision"), &["sees images already"])?;
    graft(&at("llama"), &at("llama"), &["has no vision tower"])?;
    graft(&at("clip_vision"), "mini", &["vision encoder alone"])?;
    let upcycle = |decoder: &str, experts: &str, words: &[&str]| {
        let size = ["--experts", experts, "--top-k", "2"];
        let rest = ["upcycle", "--decoder", decoder, "-o", &output];
        fails([rest.as_slice(), &size].concat(), words)
    };
    upcycle(&at("qwen3_moe"), "4", &["has experts already"])?;
    upcycle(&at("mpt"), "4", &["SwiGLU"])?;
    upcycle(&at("llama"), "1", &["top_k"])?;
    ensure!(!Path::new(&output).exists(), "something was written");
    fs::create_dir(&output)?;
    fs::write(Path::new(&output).join("note"), "mine")?;
    upcycle(&at("llama"), "4", &["holds files"])
}

/// Replaces a file that may be linked to a part's own.
fn replace(file: &Path, content: &[u8]) -> Result<()> {
    fs::remove_file(file)?;
    Ok(fs::write(file, content)?)
}

#[test]
fn damaged_parts_are_refused_in_one_line() -> Result<()> {
    let folder = TempDir::new()?;
    let whole = folder.path().join("whole");
    let refused = |damage: &dyn Fn() -> Result<()>, words: &[&str]| -> Result<()> {
        grafted(&golden("llama"), &golden("clip_vision"), None, &whole)?;
        damage()?;
        let model = whole.display().to_string();
        fails(["ask", "--model", &model, "Why?"], words)?;
        Ok(fs::remove_dir_all(&whole)?)
    };
    let edit = |file: &str, from: &str, to: &str| -> Result<()> {
        let text = fs::read_to_string(whole.join(file))?;
        ensure!(text.contains(from), "{text}");
        replace(&whole.join(file), text.replacen(from, to, 1).as_bytes())
    };
    refused(
        &|| edit("parts.toml", "\"decoder\"", "\"../x\""),
        &["parts.toml"],
    )?;
    refused(
        &|| edit("parts.toml", "\"graft\"", "\"glue\""),
        &["parts.toml"],
    )?;
    refused(
        &|| edit("parts.toml", "vision =", "eyes ="),
        &["parts.toml"],
    )?;
    refused(
        &|| edit("config.toml", "rope_theta = 1", "rope_theta = 2"),
        &["[decoder] of config.toml"],
    )?;
    refused(
        &|| Ok(fs::remove_file(whole.join("decoder/config.json"))?),
        &["decoder"],
    )?;
    refused(
        &|| replace(&whole.join("vision/model.safetensors"), b"\x08"),
        &["vision/model.safetensors"],
    )?;
    let without = |name: &str, instead: Option<Tensor>| -> Result<()> {
        let weights = whole.join("model.safetensors");
        let mut tensors: HashMap<_, _> = candle_core::safetensors::load(&weights, &Device::Cpu)?;
        tensors.remove(name).context("there")?;
        tensors.extend(instead.map(|tensor| (name.to_owned(), tensor)));
        Ok(candle_core::safetensors::save(&tensors, weights)?)
    };
    refused(
        &|| without("cross_attention.0.query", None),
        &["cross_attention.0.query", "missing"],
    )?;
    let row = Tensor::zeros((2, 24), candle_core::DType::F32, &Device::Cpu)?;
    refused(
        &|| without("image_row", Some(row.clone())),
        &["image_row", "decoder.embedding"],
    )
}
