//! Public models whose files lie: every one is used, or refused by the name of its file; none
//! panics or takes memory that the files do not account for.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result, ensure};
use avocet_checkpoint::ModelFiles;
use avocet_infer::{Engine, ScoreOptions};
use avocet_text::Turn;
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::hostile_input::Numbers;

/// What takes the place of every field of a JSON file.
fn lies() -> Vec<Value> {
    vec![
        json!(0),
        json!(-1),
        json!(1_u64 << 24),
        json!(1_000_000_000_000_000_000_u64),
        json!(u64::MAX),
        json!(1e300),
        json!(0.5),
        json!("../../../etc"),
        json!(null),
        json!([]),
        json!([3_u64 << 60, 1]),
        json!({}),
    ]
}

/// How often something was used or refused.
#[derive(Debug, Default)]
pub struct Tally {
    /// Models that were loaded.
    pub used: usize,
    /// Models that were refused.
    pub refused: usize,
}

impl Tally {
    /// Opens the model and scores a text; a refusal must name a file of `folder`.
    pub fn attempt(&mut self, folder: &Path, path: &Path, lie: &str) -> Result<()> {
        let named =
            |error: &dyn std::fmt::Display| error.to_string().contains(&*folder.to_string_lossy());
        let files = match ModelFiles::open(path) {
            Ok(files) => files,
            Err(error) => {
                self.refused += 1;
                ensure!(named(&error), "{lie}: opening says only: {error}");
                return Ok(());
            }
        };
        if let Err(error) = files.check() {
            ensure!(named(&error), "{lie}: checking says only: {error}");
        }
        if let Err(error) = files.language() {
            ensure!(named(&error), "{lie}: the language says only: {error}");
        }
        match Engine::load(&files) {
            Ok(engine) => {
                self.used += 1;
                use_it(&engine);
            }
            Err(error) => {
                self.refused += 1;
                ensure!(named(&error), "{lie}: loading says only: {error}");
            }
        }
        Ok(())
    }
}

/// What comes of it is of no matter: it must end.
fn use_it(engine: &Engine) {
    let turns = [Turn::user("a bird")];
    drop(engine.tokenizer().question(&turns));
    let options = ScoreOptions {
        greedy: 2,
        ..ScoreOptions::default()
    };
    if let Ok(ids) = engine.encode_as_written("a bird") {
        drop(engine.score(&ids[..ids.len().min(4)], &[], options));
    }
}

/// A copy of the golden model `case`.
fn copy(case: &str) -> Result<TempDir> {
    let from = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("golden/families")
        .join(case);
    let to = TempDir::new()?;
    let mut folders = vec![(from.join("model"), to.path().to_owned())];
    while let Some((from, to)) = folders.pop() {
        fs::create_dir_all(&to)?;
        for entry in fs::read_dir(&from)? {
            let path = entry?.path();
            let to = to.join(path.file_name().context("a name")?);
            if path.is_dir() {
                folders.push((path, to));
            } else {
                fs::copy(&path, &to)?;
            }
        }
    }
    Ok(to)
}

/// Pointers to all that is in `value`.
fn pointers(value: &Value, at: &str, found: &mut Vec<String>) {
    let mut add = |key: &str, value: &Value| {
        let key = key.replace('~', "~0").replace('/', "~1");
        found.push(format!("{at}/{key}"));
        pointers(value, &format!("{at}/{key}"), found);
    };
    match value {
        Value::Object(object) => object.iter().for_each(|(key, value)| add(key, value)),
        Value::Array(list) => {
            let few = list.iter().take(2).enumerate();
            few.for_each(|(key, value)| add(&key.to_string(), value));
        }
        _ => {}
    }
}

/// `whole` without what `pointer` points to.
fn without(whole: &Value, pointer: &str) -> Value {
    let mut value = whole.clone();
    let (parent, key) = pointer.rsplit_once('/').unwrap_or(("", pointer));
    match value.pointer_mut(parent) {
        Some(Value::Object(object)) => {
            drop(object.remove(&key.replace("~1", "/").replace("~0", "~")))
        }
        Some(Value::Array(list)) => list.clear(),
        _ => {}
    }
    value
}

/// Every lie in every place of a JSON file of a model; `every` leaves out all but each so-manieth.
fn lie(tally: &mut Tally, folder: &Path, file: &str, every: usize) -> Result<()> {
    let path = folder.join(file);
    let bytes = fs::read(&path)?;
    let whole: Value = serde_json::from_slice(&bytes)?;
    let mut places = Vec::new();
    pointers(&whole, "", &mut places);
    let mut count = 0;
    for place in &places {
        let mut versions = vec![without(&whole, place)];
        versions.extend(lies().into_iter().filter_map(|lie| {
            let mut value = whole.clone();
            *value.pointer_mut(place)? = lie;
            Some(value)
        }));
        for (which, version) in versions.into_iter().enumerate() {
            count += 1;
            if count % every == 0 {
                fs::write(&path, serde_json::to_vec(&version)?)?;
                let what = format!("{file}{place}, {which}");
                tally.attempt(folder, folder, &what)?;
            }
        }
    }
    fs::write(&path, bytes)?;
    Ok(())
}

#[test]
fn settings_that_lie_are_refused_by_file() -> Result<()> {
    let mut tally = Tally::default();
    for (case, file) in [
        ("llama_gqa_scaled", "config.json"),
        ("qwen3_moe", "config.json"),
        ("qwen2_moe", "config.json"),
        ("phimoe", "config.json"),
        ("mpt", "config.json"),
        ("gpt_neox", "config.json"),
        ("idefics", "config.json"),
        ("mllama", "config.json"),
        ("granitemoe", "config.json"),
        ("flamingo_mpt", "open_flamingo.json"),
        ("flamingo_mpt", "lang_encoder/config.json"),
        ("flamingo_llama", "vision_encoder/open_clip_config.json"),
    ] {
        let folder = copy(case)?;
        lie(&mut tally, folder.path(), file, 1).context(case)?;
        tally.attempt(folder.path(), folder.path(), "whole")?;
    }
    ensure!(tally.used > 500 && tally.refused > 1000, "{tally:?}");
    Ok(())
}

#[test]
fn files_beside_a_tokenizer_that_lie_are_refused_by_file() -> Result<()> {
    let mut tally = Tally::default();
    for (case, file, every) in [
        ("llama", "generation_config.json", 1),
        ("llama", "tokenizer_config.json", 1),
        ("llama", "special_tokens_map.json", 1),
        ("llama", "tokenizer.json", 23),
        ("idefics", "preprocessor_config.json", 1),
        ("mllama", "preprocessor_config.json", 1),
        ("mllama", "tokenizer_config.json", 7),
    ] {
        let folder = copy(case)?;
        lie(&mut tally, folder.path(), file, every).context(case)?;
    }
    ensure!(tally.used > 200 && tally.refused > 200, "{tally:?}");
    Ok(())
}

#[test]
fn a_template_that_never_ends_is_stopped() -> Result<()> {
    let folder = copy("llama")?;
    let looping =
        "{% for a in range(100000) %}{% for b in range(100000) %}x{% endfor %}{% endfor %}";
    fs::write(folder.path().join("chat_template.jinja"), looping)?;
    let language = ModelFiles::open(folder.path())?.language()?;
    ensure!(language.question(&[Turn::user("a bird")]).is_err());
    Ok(())
}

#[test]
fn damaged_weights_are_refused_by_file() -> Result<()> {
    let mut tally = Tally::default();
    let mut numbers = Numbers(7);
    for (case, file) in [
        ("llama", "model.safetensors"),
        ("qwen2_moe", "model.safetensors"),
        ("flamingo_mpt", "checkpoint.pt"),
        ("flamingo_mpt", "vision_encoder/open_clip_pytorch_model.bin"),
    ] {
        let folder = copy(case)?;
        let path = folder.path().join(file);
        let whole = fs::read(&path)?;
        for which in 0..120 {
            let mut bytes = whole.clone();
            // Headers lie in front; what follows are numbers, which may be anything.
            let header = bytes.len().min(6000);
            match which % 3 {
                0 => numbers.damage(&mut bytes),
                1 => bytes[numbers.below(header)] ^= 1 << numbers.below(8),
                _ => {
                    let at = numbers.below(header);
                    bytes[at..].iter_mut().take(8).for_each(|byte| *byte = 0xff);
                }
            }
            fs::write(&path, &bytes)?;
            tally.attempt(folder.path(), folder.path(), file)?;
        }
    }
    ensure!(tally.used > 20 && tally.refused > 200, "{tally:?}");
    Ok(())
}

#[test]
fn an_index_of_shards_leads_nowhere_else() -> Result<()> {
    let folder = copy("llama")?;
    let shard = "model-00001-of-00001.safetensors";
    fs::rename(
        folder.path().join("model.safetensors"),
        folder.path().join(shard),
    )?;
    let index = folder.path().join("model.safetensors.index.json");
    for (map, wanted) in [
        (json!({"lm_head.weight": shard}), None),
        (
            json!({"lm_head.weight": format!("../{shard}")}),
            Some("is not a file name"),
        ),
        (
            json!({"lm_head.weight": "/etc/passwd"}),
            Some("is not a file name"),
        ),
        (json!({"lm_head.weight": ".."}), Some("is not a file name")),
        (json!({"lm_head.weight": ""}), Some("is not a file name")),
        (
            json!({"lm_head.weight": "absent.safetensors"}),
            Some("absent.safetensors"),
        ),
        (
            json!({"absent.weight": shard}),
            Some("is in none of the shards"),
        ),
        (json!(["lm_head.weight"]), Some("invalid type")),
    ] {
        fs::write(&index, json!({"weight_map": map}).to_string())?;
        let opened = ModelFiles::open(folder.path());
        match (opened, wanted) {
            (Ok(_), None) => {}
            (Err(error), Some(wanted)) => {
                let message = error.to_string();
                ensure!(message.contains(wanted), "{wanted:?} is not in {message:?}");
                ensure!(
                    message.contains(&*folder.path().to_string_lossy()),
                    "{message}"
                );
            }
            (Ok(_), Some(wanted)) => anyhow::bail!("opened, where {wanted:?} was to be said"),
            (Err(error), None) => return Err(error.into()),
        }
    }
    Ok(())
}
