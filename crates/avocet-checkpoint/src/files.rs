//! The three files of a model, opened and checked.

use crate::backend::StoredBackend;
use crate::check;
use crate::error::CheckpointError;
use crate::weights::{StoredTensor, Weights};
use avocet_model::ModelConfig;
use avocet_text::Tokenizer;
use candle_core::{DType, Device};
use candle_nn::VarBuilder;
use std::borrow::Cow;
use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// The model's shape.
pub const CONFIG: &str = "config.toml";
/// The model's parameters.
pub const WEIGHTS: &str = "model.safetensors";
/// The model's tokenizer.
pub const TOKENIZER: &str = "tokenizer.json";

const MAX_CONFIG: u64 = 1 << 20;
const MAX_TOKENIZER: u64 = 64 << 20;

/// A model on disk or in the binary: its configuration read, its weights mapped and their header
/// checked, its tokenizer still bytes.
pub struct ModelFiles {
    folder: PathBuf,
    config: ModelConfig,
    weights: Arc<Weights>,
    tokenizer: Cow<'static, [u8]>,
}

impl ModelFiles {
    /// Opens the model folder `folder`; the weights are memory-mapped.
    ///
    /// Errors name the file, and the field or tensor in it.
    pub fn open(folder: &Path) -> Result<Self, CheckpointError> {
        let path = folder.join(CONFIG);
        let text = String::from_utf8_lossy(&read(&path, MAX_CONFIG)?).into_owned();
        let config = parse_config(&text, path)?;
        let weights = Arc::new(Weights::map(&folder.join(WEIGHTS))?);
        let tokenizer = read(&folder.join(TOKENIZER), MAX_TOKENIZER)?.into();
        Ok(Self {
            folder: folder.to_owned(),
            config,
            weights,
            tokenizer,
        })
    }

    /// The model that the three files carried in a binary make; nothing is copied.
    ///
    /// Errors as [`ModelFiles::open`] does.
    pub fn embedded(
        config: &'static str,
        weights: &'static [u8],
        tokenizer: &'static [u8],
    ) -> Result<Self, CheckpointError> {
        let folder = PathBuf::from("embedded");
        let config = parse_config(config, folder.join(CONFIG))?;
        let weights = Weights::carried(weights).map_err(|reason| CheckpointError::Weights {
            path: folder.join(WEIGHTS),
            reason,
        })?;
        Ok(Self {
            folder,
            config,
            weights: Arc::new(weights),
            tokenizer: tokenizer.into(),
        })
    }

    /// The model's shape.
    pub fn config(&self) -> &ModelConfig {
        &self.config
    }

    /// The model's tokenizer, read and checked.
    pub fn tokenizer(&self) -> Result<Tokenizer, CheckpointError> {
        Tokenizer::from_bytes(&self.tokenizer).map_err(|source| CheckpointError::Tokenizer {
            path: self.folder.join(TOKENIZER),
            source,
        })
    }

    /// The bytes of `tokenizer.json`.
    pub fn tokenizer_bytes(&self) -> &[u8] {
        &self.tokenizer
    }

    /// Every stored tensor, by name.
    pub fn tensors(&self) -> impl Iterator<Item = StoredTensor> {
        self.weights.tensors()
    }

    /// Length of the weights file in bytes.
    pub fn weight_bytes(&self) -> usize {
        self.weights.num_bytes()
    }

    /// What a network is built with: matrices stored in BF16 stay BF16, all else is F32. Each
    /// tensor is copied once, when it is asked for.
    ///
    /// Building errors if a tensor is missing or has another shape.
    pub fn var_builder(&self, device: &Device) -> VarBuilder<'static> {
        let backend = StoredBackend {
            weights: Arc::clone(&self.weights),
        };
        VarBuilder::from_backend(Box::new(backend), DType::F32, device.clone())
    }
}

fn parse_config(text: &str, path: PathBuf) -> Result<ModelConfig, CheckpointError> {
    ModelConfig::from_toml(text).map_err(|source| CheckpointError::Config { path, source })
}

fn read(path: &Path, limit: u64) -> Result<Vec<u8>, CheckpointError> {
    let file = File::open(path).map_err(CheckpointError::io(path))?;
    let bytes = file.metadata().map_err(CheckpointError::io(path))?.len();
    let mut content = Vec::new();
    // The limit holds for what is read, too: a pipe has no length beforehand.
    file.take(limit + 1)
        .read_to_end(&mut content)
        .map_err(CheckpointError::io(path))?;
    let bytes = bytes.max(content.len() as u64);
    if bytes > limit {
        return Err(CheckpointError::TooLarge {
            path: path.to_owned(),
            bytes,
            limit,
        });
    }
    Ok(content)
}
