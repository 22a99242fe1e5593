//! Writing a model folder.

use crate::backend;
use crate::error::CheckpointError;
use crate::files::{CONFIG, TOKENIZER, WEIGHTS};
use avocet_model::ModelConfig;
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
    /// Large matrices in BF16; what is small and sensitive in single precision.
    Bf16,
}

/// Writes a model folder; what else lies in it stays.
///
/// Each file is written beside its place, flushed, and renamed, the configuration last, and then
/// the folder is flushed: a crash leaves whole files.
///
/// Errors if `config` is not a model's, or a file cannot be written.
pub fn save(
    folder: &Path,
    config: &str,
    tokenizer: &[u8],
    tensors: &BTreeMap<String, Tensor>,
    format: WeightFormat,
) -> Result<(), CheckpointError> {
    let weights = folder.join(WEIGHTS);
    let config_of = ModelConfig::from_toml(config).map_err(|source| CheckpointError::Config {
        path: folder.join(CONFIG),
        source,
    })?;
    let bytes = serialised(&config_of, tensors, format, &weights)?;
    let files = [
        (weights, bytes.as_slice()),
        (folder.join(TOKENIZER), tokenizer),
        (folder.join(CONFIG), config.as_bytes()),
    ];
    write_all(folder, &files)
}

/// Writes files into a folder, the last one last, so that a crash leaves whole files.
pub(crate) fn write_all(folder: &Path, files: &[(PathBuf, &[u8])]) -> Result<(), CheckpointError> {
    let new = !folder.exists();
    std::fs::create_dir_all(folder).map_err(CheckpointError::io(folder))?;
    let written = files
        .iter()
        .try_for_each(|(path, bytes)| write(&temporary(path), bytes));
    if let Err(error) = written {
        for (path, _) in files {
            // What could not be written may not be there; the first error is the one to tell.
            let _ = std::fs::remove_file(temporary(path));
        }
        return Err(error);
    }
    for (path, _) in files {
        std::fs::rename(temporary(path), path).map_err(CheckpointError::io(path))?;
    }
    sync_folder(folder)?;
    match folder.parent() {
        Some(parent) if new && parent.as_os_str().is_empty() => sync_folder(Path::new(".")),
        Some(parent) if new => sync_folder(parent),
        _ => Ok(()),
    }
}

/// The bytes of a file of these tensors, in the precision that they are stored in.
pub(crate) fn serialised(
    config: &ModelConfig,
    tensors: &BTreeMap<String, Tensor>,
    format: WeightFormat,
    path: &Path,
) -> Result<Vec<u8>, CheckpointError> {
    let stored = in_format(config, tensors, format)?;
    safetensors::serialize(&stored, None).map_err(|error| CheckpointError::Unwritable {
        path: path.to_owned(),
        reason: error.to_string(),
    })
}

fn in_format<'a>(
    config: &ModelConfig,
    tensors: &'a BTreeMap<String, Tensor>,
    format: WeightFormat,
) -> Result<BTreeMap<&'a str, Tensor>, CheckpointError> {
    let sensitive = backend::sensitive(config)?;
    let dtype = |name: &str| match format {
        WeightFormat::Bf16 if !sensitive.contains(name) => DType::BF16,
        WeightFormat::F32 | WeightFormat::Bf16 => DType::F32,
    };
    let convert =
        |(name, tensor): (&'a String, &Tensor)| Ok((name.as_str(), tensor.to_dtype(dtype(name))?));
    tensors.iter().map(convert).collect()
}

pub(crate) fn temporary(path: &Path) -> PathBuf {
    path.with_added_extension("tmp")
}

pub(crate) fn write(path: &Path, bytes: &[u8]) -> Result<(), CheckpointError> {
    let mut file = File::create(path).map_err(CheckpointError::io(path))?;
    file.write_all(bytes).map_err(CheckpointError::io(path))?;
    file.sync_all().map_err(CheckpointError::io(path))
}

pub(crate) fn sync_folder(path: &Path) -> Result<(), CheckpointError> {
    let folder = File::open(path).map_err(CheckpointError::io(path))?;
    folder.sync_all().map_err(CheckpointError::io(path))
}
