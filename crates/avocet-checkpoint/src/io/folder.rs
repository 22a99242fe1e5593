//! Writing whole folders: beside their place first, and what they have in common with others by
//! link or copy.

use super::write::{sync_folder, sync_parent};
use crate::error::{CheckpointError, Result};
use std::fs;
use std::path::{Path, PathBuf};

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
    "tmp",
];

/// A folder that is being written; without [`Staged::finish`] nothing of it stays.
pub(crate) struct Staged {
    partial: PathBuf,
    place: PathBuf,
}

impl Staged {
    /// Starts what will be `place`.
    ///
    /// Errors if `place` exists and is not an empty folder.
    pub fn new(place: &Path) -> Result<Self> {
        if place.exists() {
            let mut inside = fs::read_dir(place).map_err(CheckpointError::io(place))?;
            if inside.next().is_some() {
                return Err(CheckpointError::NotEmpty {
                    folder: place.to_owned(),
                });
            }
        }
        let Some(name) = place.file_name() else {
            return Err(CheckpointError::NotEmpty {
                folder: place.to_owned(),
            });
        };
        // No name that anyone else would choose: what lies there already is not ours to remove.
        let name = format!(".{}.{}.partial", name.to_string_lossy(), std::process::id());
        let partial = place.with_file_name(name);
        if let Some(parent) = partial.parent() {
            fs::create_dir_all(parent).map_err(CheckpointError::io(parent))?;
        }
        fs::create_dir(&partial).map_err(CheckpointError::io(&partial))?;
        Ok(Self {
            partial,
            place: place.to_owned(),
        })
    }

    /// Where to write meanwhile.
    pub fn path(&self) -> &Path {
        &self.partial
    }

    /// Moves the folder to its place.
    pub fn finish(self) -> Result<()> {
        sync_folder(&self.partial)?;
        fs::rename(&self.partial, &self.place).map_err(CheckpointError::io(&self.place))?;
        sync_parent(&self.place)
    }
}

impl Drop for Staged {
    fn drop(&mut self) {
        // After `finish` there is nothing left to remove.
        let _ = fs::remove_dir_all(&self.partial);
    }
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
