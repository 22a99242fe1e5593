//! One model in several GGUF files, as llama.cpp's `llama-gguf-split` writes them:
//! `NAME-00001-of-00003.gguf` and so on, the metadata in the first and tensors in all.

use super::Gguf;
use crate::error::{CheckpointError, Result};
use avocet_fetch::gguf_parts;
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

/// How many files there are, in each of them.
const COUNT: &str = "split.count";
/// Which of them a file is, from 0.
const NUMBER: &str = "split.no";
/// Tensors of all files together.
const TENSORS: &str = "split.tensors.count";
/// Keys that say of a file that it is a part, and of which.
pub(crate) const SPLIT_KEYS: [&str; 3] = [COUNT, NUMBER, TENSORS];

/// The file `path` and, if it is a part of a model by its name, the others that lie beside it.
pub(crate) fn part_paths(path: &Path) -> Vec<PathBuf> {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let names = gguf_parts(&name).unwrap_or_else(|| vec![name.into_owned()]);
    let paths = names.iter().map(|name| path.with_file_name(name));
    paths.filter(|path| path.is_file()).collect()
}

/// Opens the file `path` and, if it is a part of a model, all other parts, which lie beside it;
/// the one with the metadata first.
///
/// Errors name the file: a part that is missing or that says it is another, a tensor that two
/// parts have, fewer or more tensors than there should be.
pub(crate) fn open_all(path: &Path) -> Result<Vec<Gguf>> {
    let named = Gguf::open(path)?;
    let refuse = |path: &Path, reason: String| CheckpointError::Family {
        path: path.to_owned(),
        reason,
    };
    let number = |file: &Gguf, key: &str| file.metadata().get(key)?.as_u64();
    let Some(count @ 2..) = number(&named, COUNT) else {
        return Ok(vec![named]);
    };
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let Some(names) = gguf_parts(&name).filter(|names| names.len() as u64 == count) else {
        let reason = format!(
            "{COUNT}: is {count}, but a file's name that does not end in -00001-of-{count:05}.gguf \
             does not say what the other parts are called"
        );
        return Err(refuse(path, reason));
    };
    let mut parts: Vec<Gguf> = Vec::with_capacity(names.len());
    for (index, name) in names.iter().enumerate() {
        let place = path.with_file_name(name);
        if !place.is_file() {
            let reason = format!("{COUNT}: is {count}, but {name} is not beside this file");
            return Err(refuse(path, reason));
        }
        let part = Gguf::open(&place)?;
        let said = (number(&part, NUMBER), number(&part, COUNT));
        if said != (Some(index as u64), Some(count)) {
            let shown = |said: Option<u64>| said.map_or("missing".to_owned(), |n| n.to_string());
            let reason = format!(
                "{NUMBER} is {} and {COUNT} is {}, where {index} and {count} should be",
                shown(said.0),
                shown(said.1)
            );
            return Err(refuse(&place, reason));
        }
        parts.push(part);
    }
    let mut seen = BTreeSet::new();
    for (part, name) in parts.iter().zip(&names) {
        if let Some(twice) = part.tensors().find(|t| !seen.insert(t.name.clone())) {
            let reason = format!("tensor {:?} stands in an earlier part too", twice.name);
            return Err(refuse(&path.with_file_name(name), reason));
        }
    }
    match number(&parts[0], TENSORS) {
        Some(all) if all != seen.len() as u64 => {
            let reason = format!("{TENSORS}: is {all}, but the parts hold {}", seen.len());
            Err(refuse(&path.with_file_name(&names[0]), reason))
        }
        _ => Ok(parts),
    }
}
