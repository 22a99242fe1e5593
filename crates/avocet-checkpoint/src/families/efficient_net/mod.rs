//! An EfficientNet-Lite by itself: a file of `torch.save` in the naming of its PyTorch ports, or a
//! folder with one, or a folder in which its convolutions have their norms in them already.
//!
//! The shape is what `efficient_net.toml` beside the weights says; without one, that published
//! EfficientNet-Lite whose tensors the file has.

mod fold;
mod names;

#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use avocet_config::EfficientNetConfig;
use avocet_media::ImageProcessor;
use avocet_model::{Builder, efficient_net_specs};
use candle_core::Shape;

use super::flamingo;
use crate::error::{CheckpointError, Result};
use crate::formats::gguf::Gguf;
use crate::io::read;
use crate::layout::{CONFIG, EFFICIENT_NET, MAX_CONFIG, PUBLIC_CONFIG, QUANTISED, WEIGHTS};
use crate::parameters::{Copied, StoredParameters, WeightMapping};
use crate::tensors::Store;
use fold::{folded, numbers};
use names::{HEAD_NORM, class_count, missing};

/// How a file of `torch.save` of an EfficientNet ends.
const ENDINGS: [&str; 2] = ["pth", "pt"];

/// An EfficientNet-Lite on disk: its shape, and its convolutions with the norms behind them folded
/// into weights and biases.
pub struct EfficientNetFiles {
    pub(crate) path: PathBuf,
    pub(crate) config: EfficientNetConfig,
    pub(crate) processor: ImageProcessor,
    /// By the field paths of the network.
    pub(crate) store: Store,
    /// The file of the weights.
    weights: PathBuf,
    head_norm: Option<HeadNorm>,
}

/// The norm behind the head's convolution as it was before it was folded: over the pictures that the
/// network was trained on, a feature before the last ReLU6 has this deviation and this mean.
#[derive(Debug, Clone, PartialEq)]
pub struct HeadNorm {
    /// Of each feature (head_dim), the deviation; its sign has no meaning.
    pub scale: Vec<f32>,
    /// Of each feature (head_dim), the mean.
    pub shift: Vec<f32>,
}

/// Whether `path` holds an EfficientNet alone: a file of `torch.save`, or a folder with one or with
/// the shape of one.
pub fn is_efficient_net(path: &Path) -> bool {
    if path.is_file() {
        return is_pickled(path);
    }
    // Folders of other kinds may hold files that end so.
    if [CONFIG, PUBLIC_CONFIG, flamingo::SETTINGS]
        .iter()
        .any(|name| path.join(name).exists())
    {
        return false;
    }
    path.join(EFFICIENT_NET).is_file() || !pickled(path).unwrap_or_default().is_empty()
}

/// Whether the parameter of this name belongs to the classifier, which a tower has not.
pub(crate) fn is_classifier(name: &str) -> bool {
    name.starts_with("classifier")
}

fn is_pickled(path: &Path) -> bool {
    let ending = path.extension().and_then(|ending| ending.to_str());
    ending.is_some_and(|ending| ENDINGS.contains(&ending))
}

/// The files of `torch.save` in a folder, in the order of their names.
fn pickled(folder: &Path) -> std::io::Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_file() && is_pickled(&path) {
            found.push(path);
        }
    }
    found.sort();
    Ok(found)
}

impl EfficientNetFiles {
    /// Opens the file `path`, or the folder; nothing in a file is executed.
    ///
    /// Errors name the file and the tensor: if it holds no EfficientNet, one of an unknown shape,
    /// or numbers that norms cannot have.
    pub fn open(path: &Path) -> Result<Self> {
        let folder = if path.is_file() {
            path.parent().unwrap_or(Path::new(""))
        } else {
            path
        };
        let described = described(folder)?;
        if path.is_dir() {
            let own = own_weights(path)?;
            if let (Some(config), Some((weights, store))) = (&described, own) {
                return Self::of(path, config.clone(), (weights, store), None);
            }
        }
        let file = file_of(path)?;
        let refuse = |reason: String| CheckpointError::Family {
            path: file.clone(),
            reason,
        };
        let original = Store::pickle(&file)?;
        let config = match described {
            Some(config) => config,
            None => published(&original).map_err(refuse)?,
        };
        let store = folded(&file, &config, &original).map_err(refuse)?;
        let norm = |part: &str| -> Result<Vec<f32>> {
            let numbers = numbers(&original, &format!("{HEAD_NORM}.{part}")).map_err(refuse)?;
            Ok(numbers.into_iter().map(|number| number as f32).collect())
        };
        let head_norm = HeadNorm {
            scale: norm("weight")?,
            shift: norm("bias")?,
        };
        Self::of(path, config, (file.clone(), store), Some(head_norm))
    }

    fn of(
        path: &Path,
        config: EfficientNetConfig,
        (weights, store): (PathBuf, Store),
        head_norm: Option<HeadNorm>,
    ) -> Result<Self> {
        let files = Self {
            path: path.to_owned(),
            processor: ImageProcessor::efficient_net(config.image_size),
            config,
            store,
            weights,
            head_norm,
        };
        let pictures = |error| CheckpointError::Family {
            path: path.to_owned(),
            reason: format!("efficient_net.image_size: {error}"),
        };
        files.processor.validate().map_err(pictures)?;
        Ok(files)
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The file that its weights are in.
    pub(crate) fn weights(&self) -> &Path {
        &self.weights
    }

    /// Its shape.
    pub fn config(&self) -> &EfficientNetConfig {
        &self.config
    }

    /// How pictures are prepared for it.
    pub fn processor(&self) -> &ImageProcessor {
        &self.processor
    }

    /// The norm behind the head, where the file still has it by itself.
    pub fn head_norm(&self) -> Option<&HeadNorm> {
        self.head_norm.as_ref()
    }

    /// Name and shape of every parameter, as `EfficientNet::new` asks for them at a root.
    pub(crate) fn wanted(&self) -> Result<BTreeMap<String, Shape>> {
        let specs = efficient_net_specs(&self.config)?.into_iter();
        Ok(specs.map(|spec| (spec.name, spec.shape)).collect())
    }

    /// What `EfficientNet::new` is built with, at the root.
    ///
    /// Errors if a tensor is missing or of another shape.
    pub fn into_builder(self) -> Result<Builder> {
        let wanted = self.wanted()?;
        let mappings = wanted.keys();
        let mappings = mappings.map(|name| (name.clone(), WeightMapping::same(name)));
        let stored = StoredParameters {
            copied: Copied::all(true),
            ..StoredParameters::new(self.store, mappings.collect())
        };
        let account = stored.account(&wanted, |_| false);
        if account.differences.is_empty() {
            return Ok(stored.builder());
        }
        let found = account.differences.into_iter();
        let words: Vec<String> = found.map(|difference| difference.words).collect();
        Err(CheckpointError::Mismatch {
            path: self.path,
            differences: words.join("; "),
        })
    }
}

/// The shape that a folder's `efficient_net.toml` describes, if it is there.
fn described(folder: &Path) -> Result<Option<EfficientNetConfig>> {
    let path = folder.join(EFFICIENT_NET);
    if !path.is_file() {
        return Ok(None);
    }
    let text = String::from_utf8_lossy(&read(&path, MAX_CONFIG)?).into_owned();
    let config = EfficientNetConfig::from_toml(&text);
    config
        .map(Some)
        .map_err(|source| CheckpointError::Config { path, source })
}

/// The tensors of a folder that was written anew, by our own names.
fn own_weights(folder: &Path) -> Result<Option<(PathBuf, Store)>> {
    let blocks = folder.join(QUANTISED);
    if blocks.is_file() {
        let store = Store::gguf(&blocks, vec![Gguf::open(&blocks)?])?;
        return Ok(Some((blocks, store)));
    }
    let weights = folder.join(WEIGHTS);
    if weights.is_file() {
        let store = Store::safetensors(&weights)?;
        return Ok(Some((weights, store)));
    }
    Ok(None)
}

/// The one file of `torch.save` at `path`.
fn file_of(path: &Path) -> Result<PathBuf> {
    if path.is_file() {
        return Ok(path.to_owned());
    }
    let mut found = pickled(path).map_err(CheckpointError::io(path))?;
    match (found.pop(), found.len()) {
        (Some(file), 0) => Ok(file),
        (_, more) => Err(CheckpointError::Family {
            path: path.to_owned(),
            reason: format!(
                "holds {} files that end in .pth or .pt; an EfficientNet is one",
                if more == 0 { 0 } else { more + 1 }
            ),
        }),
    }
}

/// The published shape whose tensors `original` has, with as many classes as its classifier.
fn published(original: &Store) -> Result<EfficientNetConfig, String> {
    let mut nearest: Option<(usize, String)> = None;
    for number in 0.. {
        let Some(mut config) = EfficientNetConfig::lite(number) else {
            break;
        };
        config.num_classes = class_count(original).unwrap_or(config.num_classes);
        let missing = missing(&config, original);
        let Some(first) = missing.first() else {
            return Ok(config);
        };
        if nearest
            .as_ref()
            .is_none_or(|(count, _)| missing.len() < *count)
        {
            nearest = Some((
                missing.len(),
                format!("of EfficientNet-Lite{number}, {first}"),
            ));
        }
    }
    let (_, words) = nearest.unwrap_or_default();
    Err(format!(
        "is none of EfficientNet-Lite 0 to 4: {words}; another shape is described by an \
         {EFFICIENT_NET} beside the file"
    ))
}
