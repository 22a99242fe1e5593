//! New folders of models, and what they take over from others.

use crate::error::{CheckpointError, Result};
use avocet_files::NewFolder;
use std::fs;
use std::path::Path;

/// Endings of files of weights, in any of the forms that they are published in.
const WEIGHT_ENDINGS: &[&str] = &[
    "safetensors",
    "bin",
    "pt",
    "pth",
    "ckpt",
    "gguf",
    "h5",
    "msgpack",
    "onnx",
    "partial",
];

/// Starts what will be the folder `place`.
///
/// Errors if `place` exists and is not an empty folder.
pub(crate) fn new_folder(place: &Path) -> Result<NewFolder> {
    let not_empty = || CheckpointError::NotEmpty {
        folder: place.to_owned(),
    };
    if place.exists() {
        let mut inside = fs::read_dir(place).map_err(CheckpointError::io(place))?;
        if inside.next().is_some() {
            return Err(not_empty());
        }
    }
    place.file_name().ok_or_else(not_empty)?;
    Ok(NewFolder::create(place)?)
}

/// Copies the files of `from` that are neither weights nor hidden; folders in it are left out.
pub(crate) fn copy_settings(from: &Path, to: &Path) -> Result<()> {
    for entry in fs::read_dir(from).map_err(CheckpointError::io(from))? {
        let path = entry.map_err(CheckpointError::io(from))?.path();
        let Some(name) = path.file_name() else {
            continue;
        };
        if path.is_file() && !is_weights(&path) && !name.to_string_lossy().starts_with('.') {
            let into = to.join(name);
            fs::copy(&path, &into).map_err(CheckpointError::io(&path))?;
        }
    }
    Ok(())
}

fn is_weights(path: &Path) -> bool {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let ending = path.extension().unwrap_or_default().to_string_lossy();
    WEIGHT_ENDINGS.contains(&ending.as_ref()) || name.ends_with(".index.json")
}
