//! A model's files, opened and checked.

use crate::adapter::{self, ADAPTER, Tuned};
use crate::backend::{self, Copied};
use crate::bytes::Bytes;
use crate::error::CheckpointError;
use crate::families;
use crate::gguf::Gguf;
use crate::parts;
use crate::recipe::{self, Account, Recipe, Recipes};
use crate::speech::Speech;
use crate::store::{QUANTISED, Store, StoredTensor};
use crate::weights::Weights;
use avocet_media::ImageProcessor;
use avocet_model::{Builder, ModelConfig, parameter_shapes};
use avocet_text::Language;
use candle_core::{Shape, Tensor};
use candle_nn::Init;
use std::borrow::Cow;
use std::collections::BTreeMap;
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
/// Differences named before the rest is only counted.
pub(crate) const MOST_NAMED: usize = 20;
/// What our own models of up to this many bytes are copied to memory for: it is faster to compute
/// with than a map, and they were trained here.
const COPIED: usize = 64 << 20;

/// A model on disk or in the binary: its configuration read, its weights mapped and their header
/// checked, its tokenizer still bytes.
pub struct ModelFiles {
    /// Where it is, for messages.
    pub(crate) path: PathBuf,
    pub(crate) weights: PathBuf,
    pub(crate) family: &'static str,
    pub(crate) config: ModelConfig,
    pub(crate) store: Arc<Store>,
    pub(crate) recipes: Arc<Recipes>,
    pub(crate) processor: Option<ImageProcessor>,
    pub(crate) speech: Speech,
    pub(crate) copied: Copied,
    /// What training changed, if the folder is an adapter.
    pub(crate) tuned: Option<Arc<Tuned>>,
}

impl ModelFiles {
    /// Opens a model: a folder of our own, a folder of a public family, one that joins such parts,
    /// or a GGUF file. The weights are memory-mapped.
    ///
    /// Errors name the file, and the field or tensor in it.
    pub fn open(path: &Path) -> Result<Self, CheckpointError> {
        Self::open_within(path, 0)
    }

    /// As [`ModelFiles::open`], for a part of a model that is `depth` folders up.
    pub(crate) fn open_within(path: &Path, depth: usize) -> Result<Self, CheckpointError> {
        if path.join(ADAPTER).is_file() {
            return adapter::open(path, depth);
        }
        if path.join(parts::PARTS).is_file() {
            return parts::open(path, depth);
        }
        if path.is_file() || (!path.join(CONFIG).exists() && families::is_folder(path)) {
            return Self::public(path);
        }
        // What a GGUF file was written anew as is such a file, alone in its folder.
        if !path.join(CONFIG).exists() && path.join(QUANTISED).is_file() {
            return Self::public(&path.join(QUANTISED));
        }
        if !path.join(CONFIG).exists() {
            return Err(CheckpointError::NoModel {
                folder: path.to_owned(),
            });
        }
        let config = read_config(path)?;
        let (weights, blocks) = (path.join(WEIGHTS), path.join(QUANTISED));
        let store = match !weights.exists() && blocks.is_file() {
            true => Store::gguf(&blocks, vec![Gguf::open(&blocks)?])?,
            false => Store::safetensors(&weights)?,
        };
        let tokenizer = path.join(TOKENIZER);
        let speech = Speech::Own {
            bytes: read(&tokenizer, MAX_TOKENIZER)?.into(),
            path: tokenizer,
        };
        Self::own(path.to_owned(), config, store, speech)
    }

    /// The model that the three files carried in a binary make; nothing is copied.
    ///
    /// Errors as [`ModelFiles::open`] does.
    pub fn embedded(
        config: &'static str,
        weights: &'static [u8],
        tokenizer: &'static [u8],
    ) -> Result<Self, CheckpointError> {
        let path = PathBuf::from("embedded");
        let config = parse_config(config, path.join(CONFIG))?;
        let weights = Weights::check(Bytes::Carried(weights));
        let weights = weights.map_err(|reason| CheckpointError::Weights {
            path: path.join(WEIGHTS),
            reason,
        })?;
        let speech = Speech::Own {
            path: path.join(TOKENIZER),
            bytes: Cow::Borrowed(tokenizer),
        };
        Self::own(path, config, Store::carried(weights)?, speech)
    }

    fn own(
        path: PathBuf,
        config: ModelConfig,
        store: Store,
        speech: Speech,
    ) -> Result<Self, CheckpointError> {
        let shapes = parameter_shapes(&config)?;
        let recipes = shapes.keys().map(|name| (name.clone(), Recipe::same(name)));
        let processor = native(&config);
        Ok(Self {
            weights: path.join(WEIGHTS),
            path,
            family: "avocet",
            processor,
            copied: Copied::all(store.num_bytes() <= COPIED && !store.has_gguf()),
            tuned: None,
            config,
            recipes: Arc::new(recipes.collect()),
            store: Arc::new(store),
            speech,
        })
    }

    fn public(path: &Path) -> Result<Self, CheckpointError> {
        let family = families::read(path)?;
        let settings = families::settings(path);
        let config = |source| CheckpointError::Config {
            path: settings.clone(),
            source,
        };
        family.config.validate().map_err(config)?;
        let wrong = |reason| CheckpointError::Family {
            path: settings.clone(),
            reason,
        };
        if let Some(processor) = &family.interface.processor {
            let pictures = |error| wrong(format!("how pictures are prepared: {error}"));
            processor.validate().map_err(pictures)?;
        }
        let recipes = family.recipes().map_err(|error| wrong(error.to_string()))?;
        Ok(Self {
            path: path.to_owned(),
            weights: path.to_owned(),
            family: family.name,
            recipes: Arc::new(recipes),
            config: family.config,
            store: Arc::new(family.store),
            processor: family.interface.processor,
            speech: family.interface.speech,
            copied: Copied::default(),
            tuned: None,
        })
    }

    /// Where the model is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// What family the model is of, as people call it.
    pub fn family(&self) -> &'static str {
        self.family
    }

    /// The model's shape.
    pub fn config(&self) -> &ModelConfig {
        &self.config
    }

    /// Changes a field of the configuration: `cross_attention.without_image=nothing`, for example.
    ///
    /// Errors if there is no such field or it cannot have the value. Whether the stored tensors
    /// still fit is checked when the network is built.
    pub fn set(&mut self, assignment: &str) -> Result<(), CheckpointError> {
        let refuse = |reason: String| CheckpointError::Setting {
            assignment: assignment.to_owned(),
            reason,
        };
        let Some((path, value)) = assignment.split_once('=') else {
            return Err(refuse("is not FIELD=VALUE".into()));
        };
        let parsed: Result<toml::Table, _> = toml::from_str(&format!("value = {value}"));
        let value = parsed.ok().and_then(|mut table| table.remove("value"));
        let value = value.unwrap_or_else(|| assignment[path.len() + 1..].into());
        let whole: toml::Table =
            toml::from_str(&self.config.to_toml()).map_err(|error| refuse(error.to_string()))?;
        let mut whole = toml::Value::Table(whole);
        let mut place = &mut whole;
        for field in path.split('.') {
            let table = place.as_table_mut();
            let table = table.ok_or_else(|| refuse(format!("{field} is in no table")))?;
            place = table
                .entry(field.trim())
                .or_insert_with(|| toml::Value::Table(toml::Table::new()));
        }
        *place = value;
        let text = toml::to_string(&whole).map_err(|error| refuse(error.to_string()))?;
        self.config = ModelConfig::from_toml(&text).map_err(|error| refuse(error.to_string()))?;
        if let Some(ImageProcessor::Native { .. }) = &self.processor {
            self.processor = native(&self.config);
        }
        Ok(())
    }

    /// How pictures are prepared for the model, if it sees them.
    pub fn processor(&self) -> Option<&ImageProcessor> {
        self.processor.as_ref()
    }

    /// How the model is spoken to: its tokenizer, read and checked, and its prompts.
    pub fn language(&self) -> Result<Language, CheckpointError> {
        self.speech.language()
    }

    /// The bytes of `tokenizer.json`, if the tokenizer is one of our own.
    ///
    /// Errors if it is a public model's: our training and prompts need tokens that it lacks.
    pub fn tokenizer_bytes(&self) -> Result<&[u8], CheckpointError> {
        match &self.speech {
            Speech::Own { bytes, .. } => Ok(bytes),
            Speech::Hub(_) | Speech::Gguf(_) | Speech::Seeing { .. } => {
                Err(CheckpointError::ForeignTokenizer {
                    path: self.path.clone(),
                    family: self.family,
                })
            }
        }
    }

    /// Every stored tensor, sorted by name.
    pub fn tensors(&self) -> impl Iterator<Item = &StoredTensor> {
        self.store.tensors()
    }

    /// Bytes of the files that hold the weights.
    pub fn weight_bytes(&self) -> usize {
        self.store.num_bytes()
    }

    /// Every difference between the stored tensors and the parameters of the configured model, in
    /// words: missing ones, unused ones, and ones of another shape.
    pub fn differences(&self) -> Result<Vec<String>, CheckpointError> {
        let found = self.account()?.differences.into_iter();
        Ok(found.map(|difference| difference.words).collect())
    }

    /// How the stored tensors serve the parameters of the configured model.
    pub(crate) fn account(&self) -> Result<Account, CheckpointError> {
        let wanted = parameter_shapes(&self.config)?;
        let (store, recipes) = (&self.store, &self.recipes);
        Ok(recipe::account(
            store,
            recipes,
            &wanted,
            families::is_ignored,
        ))
    }

    pub(crate) fn store(&self) -> &Store {
        &self.store
    }

    pub(crate) fn recipes(&self) -> &Recipes {
        &self.recipes
    }

    /// The file or folder that holds the weights, for messages.
    pub(crate) fn weights_path(&self) -> &Path {
        &self.weights
    }

    /// Whether the large matrix of this name is computed with where it lies in the files; those of
    /// our own small models are copied to memory.
    pub fn is_mapped(&self, name: &str) -> bool {
        !self.copied.has(name)
    }

    /// Errors, naming each difference with both shapes, unless the stored tensors are exactly
    /// those of the configured model: none missing, none unused, none of another shape.
    pub fn check(&self) -> Result<(), CheckpointError> {
        let mut found = self.differences()?;
        let more = found.len().saturating_sub(MOST_NAMED);
        found.truncate(MOST_NAMED);
        if more > 0 {
            found.push(format!("and {more} more"));
        }
        if found.is_empty() {
            return Ok(());
        }
        Err(CheckpointError::Mismatch {
            path: self.weights.clone(),
            differences: found.join("; "),
        })
    }

    /// What the network is built with. The matrices of public models stay where they lie, in the
    /// form in which they are stored; those of our own are copied, BF16 as it is.
    ///
    /// Errors as [`ModelFiles::check`] does, before anything is copied.
    pub fn builder(&self) -> Result<Builder, CheckpointError> {
        self.check()?;
        let (store, recipes) = (Arc::clone(&self.store), Arc::clone(&self.recipes));
        Ok(backend::builder(
            store,
            recipes,
            self.copied.clone(),
            self.tuned.clone(),
        ))
    }
}

/// How pictures are prepared for a vision tower of our own.
fn native(config: &ModelConfig) -> Option<ImageProcessor> {
    let tower = config.vision.as_ref()?;
    Some(ImageProcessor::Native {
        patch_size: tower.patch_size,
        max_patches: tower.max_patches,
    })
}

impl ModelFiles {
    /// Every parameter of the model by our own name, copied to F32: what is needed to write the
    /// model anew.
    ///
    /// Errors as [`ModelFiles::check`] does, before anything is copied.
    pub fn parameters(&self) -> Result<BTreeMap<String, Tensor>, CheckpointError> {
        let builder = self.builder()?;
        let shapes = parameter_shapes(&self.config)?;
        let tensor = |(name, shape): (String, Shape)| {
            let value = builder.tensor(shape, &name, Init::Const(0.0))?;
            Ok((name, value))
        };
        shapes.into_iter().map(tensor).collect()
    }
}

/// The configuration in a folder of our own.
pub(crate) fn read_config(folder: &Path) -> Result<ModelConfig, CheckpointError> {
    let path = folder.join(CONFIG);
    let text = String::from_utf8_lossy(&read(&path, MAX_CONFIG)?).into_owned();
    parse_config(&text, path)
}

fn parse_config(text: &str, path: PathBuf) -> Result<ModelConfig, CheckpointError> {
    ModelConfig::from_toml(text).map_err(|source| CheckpointError::Config { path, source })
}

/// The content of a file of at most `limit` bytes.
pub(crate) fn read(path: &Path, limit: u64) -> Result<Vec<u8>, CheckpointError> {
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

#[cfg(test)]
mod tests;
