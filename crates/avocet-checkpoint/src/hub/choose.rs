//! Which files of a repository a model needs.

use super::{HubError, HubId};
use crate::formats::gguf::part_names;

/// Longest configuration, tokenizer or index that is fetched.
pub(super) const MAX_TEXT_BYTES: u64 = 256 << 20;

/// Longest file of weights that is fetched.
const MAX_WEIGHTS_BYTES: u64 = 1 << 40;

/// Longest that a file of that name may be.
pub(super) fn limit(file: &str) -> u64 {
    if is_text(file) || is_index(file) {
        MAX_TEXT_BYTES
    } else {
        MAX_WEIGHTS_BYTES
    }
}

fn is_text(file: &str) -> bool {
    let tokenizer = file.starts_with("tokenizer") && file.ends_with(".json");
    let template =
        file.starts_with("chat_template") && (file.ends_with(".json") || file.ends_with(".jinja"));
    let config = [
        "config.json",
        "generation_config.json",
        "preprocessor_config.json",
        "special_tokens_map.json",
    ];
    tokenizer || template || config.contains(&file)
}

/// Whether a file says which shard holds which tensor.
pub(super) fn is_index(file: &str) -> bool {
    file.ends_with(".safetensors.index.json") || file == "pytorch_model.bin.index.json"
}

/// The files of weights among `files`, all of one kind: safetensors, else PyTorch's.
///
/// Where there are `model*.safetensors`, others (adapters, a second copy in one piece) are not
/// part of the model.
pub(super) fn weights<'a>(files: &[&'a str]) -> Vec<&'a str> {
    let kinds: [fn(&str) -> bool; 4] = [
        |file| file.starts_with("model") && file.ends_with(".safetensors"),
        |file| file.ends_with(".safetensors"),
        |file| file.starts_with("pytorch_model") && file.ends_with(".bin"),
        |file| file.ends_with(".pt"),
    ];
    kinds
        .iter()
        .map(|is_kind| files.iter().copied().filter(|file| is_kind(file)).collect())
        .find(|found: &Vec<&str>| !found.is_empty())
        .unwrap_or_default()
}

/// The file that an id names, with all parts of the same model if it is one of several.
pub(super) fn parts(file: &str) -> Vec<String> {
    let (folder, name) = file
        .rsplit_once('/')
        .map_or(("", file), |(folder, name)| (folder, name));
    match part_names(name) {
        Some(names) if folder.is_empty() => names,
        Some(names) => names
            .iter()
            .map(|name| format!("{folder}/{name}"))
            .collect(),
        None => vec![file.to_owned()],
    }
}

/// The index that belongs to those weights, if `files` has it.
pub(super) fn index<'a>(files: &[&'a str], weights: &[&str]) -> Option<&'a str> {
    let kind = match weights.first()? {
        file if file.ends_with(".safetensors") => ".safetensors.index.json",
        file if file.ends_with(".bin") => ".bin.index.json",
        _ => return None,
    };
    let has_kind = |file: &&str| is_index(file) && file.ends_with(kind);
    // model.safetensors.index.json goes before those of other copies.
    let mut found: Vec<&str> = files.iter().copied().filter(has_kind).collect();
    found.sort_by_key(|file| (!file.starts_with("model"), *file));
    found.first().copied()
}

/// What is fetched of a repository with those files, small files first.
///
/// Only files of its top folder, except a GGUF file that `id` names. Errors if there are no
/// weights.
pub(super) fn choose(files: &[String], id: &HubId) -> Result<Vec<String>, HubError> {
    let top: Vec<&str> = files
        .iter()
        .map(String::as_str)
        .filter(|file| !file.contains('/'))
        .collect();
    let incomplete = |missing: String| HubError::Incomplete {
        id: id.to_string(),
        missing: vec![missing],
    };
    let mut chosen: Vec<&str> = top.iter().copied().filter(|file| is_text(file)).collect();
    if let Some(file) = &id.file {
        let parts = parts(file);
        if let Some(absent) = parts.iter().find(|part| !files.contains(part)) {
            return Err(incomplete(absent.clone()));
        }
        chosen.extend(
            files
                .iter()
                .map(String::as_str)
                .filter(|one| parts.iter().any(|part| part == one)),
        );
    } else {
        let weights = weights(&top);
        if weights.is_empty() {
            return Err(incomplete(
                "weights (*.safetensors, pytorch_model*.bin, *.pt; name a .gguf to get it)".into(),
            ));
        }
        chosen.extend(index(&top, &weights));
        chosen.extend(weights);
    }
    Ok(chosen.into_iter().map(str::to_owned).collect())
}
