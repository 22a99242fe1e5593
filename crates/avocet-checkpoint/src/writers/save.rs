//! Writing a model folder, or what is new of a model made of parts.

use crate::composite::PartList;
use crate::error::{CheckpointError, Result};
use crate::files::ModelFiles;
use crate::layout::{CONFIG, PARTS, TOKENIZER, WEIGHTS};
use avocet_config::ModelConfig;
use avocet_files::write_all;
use avocet_model::parameter_specs;
use candle_core::{DType, Tensor};
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

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
) -> Result<()> {
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
    Ok(write_all(folder, &files)?)
}

/// The bytes of a file of these tensors, in the precision that they are stored in.
pub(super) fn serialised(
    config: &ModelConfig,
    tensors: &BTreeMap<String, Tensor>,
    format: WeightFormat,
    path: &Path,
) -> Result<Vec<u8>> {
    let stored = in_format(config, tensors, format)?;
    safetensors::serialize(&stored, None).map_err(unwritable(path))
}

fn unwritable(path: &Path) -> impl FnOnce(safetensors::SafeTensorError) -> CheckpointError {
    move |error| CheckpointError::Unwritable {
        path: path.to_owned(),
        reason: error.to_string(),
    }
}

/// Writes what is not of a part, opens the whole and checks it.
pub(super) fn save_composite(
    output: &Path,
    config: &ModelConfig,
    list: &PartList,
    tensors: &BTreeMap<String, Tensor>,
) -> Result<ModelFiles> {
    let weights = output.join(WEIGHTS);
    let bytes = safetensors::serialize(tensors, None).map_err(unwritable(&weights))?;
    let (parts, config) = (list.to_toml()?, config.to_toml());
    let files = [
        (weights, bytes.as_slice()),
        (output.join(PARTS), parts.as_bytes()),
        (output.join(CONFIG), config.as_bytes()),
    ];
    write_all(output, &files)?;
    let written = ModelFiles::open(output)?;
    written.check()?;
    Ok(written)
}

fn in_format<'a>(
    config: &ModelConfig,
    tensors: &'a BTreeMap<String, Tensor>,
    format: WeightFormat,
) -> Result<BTreeMap<&'a str, Tensor>> {
    let specs = parameter_specs(config)?.into_iter();
    let sensitive = specs.filter(|spec| spec.sensitive).map(|spec| spec.name);
    let sensitive: BTreeSet<String> = sensitive.collect();
    let dtype = |name: &str| match format {
        WeightFormat::Bf16 if !sensitive.contains(name) => DType::BF16,
        WeightFormat::F32 | WeightFormat::Bf16 => DType::F32,
    };
    let convert =
        |(name, tensor): (&'a String, &Tensor)| Ok((name.as_str(), tensor.to_dtype(dtype(name))?));
    tensors.iter().map(convert).collect()
}
