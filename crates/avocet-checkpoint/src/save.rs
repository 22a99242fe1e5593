//! Writing a model folder.

use crate::error::CheckpointError;
use crate::files::{CONFIG, TOKENIZER, WEIGHTS};
use candle_core::{DType, Tensor};
use std::collections::BTreeMap;
use std::fs::File;
use std::io::Write;
use std::path::{Path, PathBuf};

/// How parameters are stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WeightFormat {
    /// Everything in single precision.
    F32,
    /// Matrices in BF16, vectors in single precision.
    Bf16,
}

impl WeightFormat {
    fn dtype(self, tensor: &Tensor) -> DType {
        match self {
            WeightFormat::Bf16 if tensor.rank() >= 2 => DType::BF16,
            WeightFormat::F32 | WeightFormat::Bf16 => DType::F32,
        }
    }
}

/// Writes a model folder; what else lies in it stays.
///
/// Each file is written beside its place, flushed, and renamed, the configuration last, and then
/// the folder is flushed: a crash leaves whole files.
pub fn save(
    folder: &Path,
    config: &str,
    tokenizer: &[u8],
    tensors: &BTreeMap<String, Tensor>,
    format: WeightFormat,
) -> Result<(), CheckpointError> {
    let weights = folder.join(WEIGHTS);
    let stored: BTreeMap<&str, Tensor> = tensors
        .iter()
        .map(|(name, tensor)| Ok((name.as_str(), tensor.to_dtype(format.dtype(tensor))?)))
        .collect::<Result<_, candle_core::Error>>()?;
    let bytes =
        safetensors::serialize(&stored, None).map_err(|error| CheckpointError::Unwritable {
            path: weights.clone(),
            reason: error.to_string(),
        })?;
    let new = !folder.exists();
    std::fs::create_dir_all(folder).map_err(CheckpointError::io(folder))?;
    let files = [
        (weights, bytes.as_slice()),
        (folder.join(TOKENIZER), tokenizer),
        (folder.join(CONFIG), config.as_bytes()),
    ];
    let written = files
        .iter()
        .try_for_each(|(path, bytes)| write(&temporary(path), bytes));
    if let Err(error) = written {
        for (path, _) in &files {
            // What could not be written may not be there; the first error is the one to tell.
            let _ = std::fs::remove_file(temporary(path));
        }
        return Err(error);
    }
    for (path, _) in &files {
        std::fs::rename(temporary(path), path).map_err(CheckpointError::io(path))?;
    }
    sync_folder(folder)?;
    match folder.parent() {
        Some(parent) if new && parent.as_os_str().is_empty() => sync_folder(Path::new(".")),
        Some(parent) if new => sync_folder(parent),
        _ => Ok(()),
    }
}

fn temporary(path: &Path) -> PathBuf {
    path.with_added_extension("tmp")
}

fn write(path: &Path, bytes: &[u8]) -> Result<(), CheckpointError> {
    let mut file = File::create(path).map_err(CheckpointError::io(path))?;
    file.write_all(bytes).map_err(CheckpointError::io(path))?;
    file.sync_all().map_err(CheckpointError::io(path))
}

fn sync_folder(path: &Path) -> Result<(), CheckpointError> {
    let folder = File::open(path).map_err(CheckpointError::io(path))?;
    folder.sync_all().map_err(CheckpointError::io(path))
}
