//! A model's files, opened and checked.

use crate::backend;
use crate::bytes::Bytes;
use crate::error::CheckpointError;
use crate::families;
use crate::recipe::{self, Account, Recipe, Recipes};
use crate::speech::Speech;
use crate::store::{Store, StoredTensor};
use crate::weights::Weights;
use avocet_media::ImageProcessor;
use avocet_model::{Builder, ModelConfig, parameter_shapes};
use avocet_text::{Language, Tokenizer};
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
    path: PathBuf,
    weights: PathBuf,
    family: &'static str,
    config: ModelConfig,
    store: Arc<Store>,
    recipes: Arc<Recipes>,
    processor: Option<ImageProcessor>,
    speech: Speech,
    mapped: bool,
}

impl ModelFiles {
    /// Opens a model: a folder of our own, a folder of a public family, or a GGUF file. The
    /// weights are memory-mapped.
    ///
    /// Errors name the file, and the field or tensor in it.
    pub fn open(path: &Path) -> Result<Self, CheckpointError> {
        if path.is_file() || (!path.join(CONFIG).exists() && families::is_folder(path)) {
            return Self::public(path);
        }
        let config_path = path.join(CONFIG);
        let text = String::from_utf8_lossy(&read(&config_path, MAX_CONFIG)?).into_owned();
        let config = parse_config(&text, config_path)?;
        let weights = path.join(WEIGHTS);
        let store = Store::safetensors(&weights)?;
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
        let processor = config.vision.as_ref().map(|tower| ImageProcessor::Native {
            patch_size: tower.patch_size,
            max_patches: tower.max_patches,
        });
        Ok(Self {
            weights: path.join(WEIGHTS),
            path,
            family: "avocet",
            processor,
            mapped: store.num_bytes() > COPIED,
            config,
            recipes: Arc::new(recipes.collect()),
            store: Arc::new(store),
            speech,
        })
    }

    fn public(path: &Path) -> Result<Self, CheckpointError> {
        let family = families::read(path)?;
        family
            .config
            .validate()
            .map_err(|source| CheckpointError::Config {
                path: path.to_owned(),
                source,
            })?;
        Ok(Self {
            path: path.to_owned(),
            weights: path.to_owned(),
            family: family.name,
            recipes: Arc::new(family.recipes()?),
            config: family.config,
            store: Arc::new(family.store),
            processor: family.interface.processor,
            speech: family.interface.speech,
            mapped: true,
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

    /// How pictures are prepared for the model, if it sees them.
    pub fn processor(&self) -> Option<&ImageProcessor> {
        self.processor.as_ref()
    }

    /// How the model is spoken to: its tokenizer, read and checked, and its prompts.
    pub fn language(&self) -> Result<Language, CheckpointError> {
        self.speech.language()
    }

    /// The model's tokenizer, read and checked, if it is one of our own.
    ///
    /// Errors if it is a public model's: our training and prompts need tokens that it lacks.
    pub fn tokenizer(&self) -> Result<Tokenizer, CheckpointError> {
        let bytes = self.tokenizer_bytes()?;
        Tokenizer::from_bytes(bytes).map_err(|source| CheckpointError::Tokenizer {
            path: self.path.join(TOKENIZER),
            source,
        })
    }

    /// The bytes of `tokenizer.json`, if the tokenizer is one of our own.
    ///
    /// Errors as [`ModelFiles::tokenizer`] does.
    pub fn tokenizer_bytes(&self) -> Result<&[u8], CheckpointError> {
        match &self.speech {
            Speech::Own { bytes, .. } => Ok(bytes),
            Speech::Hub(_) | Speech::Gguf(_) => Err(CheckpointError::ForeignTokenizer {
                path: self.path.clone(),
                family: self.family,
            }),
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

    /// Whether large matrices are computed with where they lie in the files; those of our own
    /// small models are copied to memory.
    pub fn is_mapped(&self) -> bool {
        self.mapped
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
        Ok(backend::builder(store, recipes, self.mapped))
    }
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
