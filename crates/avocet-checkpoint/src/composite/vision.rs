//! A vision tower by itself, with its resampler if it has one.

use crate::error::{CheckpointError, Result};
use crate::families::{self, EfficientNetFiles, is_classifier};
use crate::files::ModelFiles;
use crate::parameters::{Copied, Numbers, StoredParameters, WeightMapping, WeightMappings};
use crate::tensors::Store;
use avocet_config::{
    ClipConfig, EfficientNetConfig, ResamplerConfig, TiledVisionConfig, VisionConfig,
};
use avocet_media::ImageProcessor;
use avocet_model::{Builder, encoder_shapes, parameter_shapes};
use candle_core::Shape;
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

/// The shape of a vision tower.
#[derive(Debug, Clone, PartialEq)]
pub enum VisionShape {
    /// Our own.
    Native(VisionConfig),
    /// One of CLIP's kin.
    Clip(ClipConfig),
    /// Mllama's.
    Tiled(TiledVisionConfig),
    /// An EfficientNet-Lite.
    EfficientNet(EfficientNetConfig),
}

/// A vision tower on disk or in the binary, with its resampler if it has one; nothing is copied.
pub struct VisionFiles {
    pub(super) path: PathBuf,
    pub(super) shape: VisionShape,
    resampler: Option<ResamplerConfig>,
    pub(super) processor: ImageProcessor,
    pub(super) stored: StoredParameters,
    wanted: BTreeMap<String, Shape>,
}

impl VisionFiles {
    /// The encoder of the public folder `path`.
    pub(crate) fn encoder(path: &Path) -> Result<Self> {
        let encoder = families::encoder(path)?;
        let wanted = encoder_shapes(&encoder.config)?;
        let mapping = |name: &String| {
            let numbers = Numbers::default();
            let mapping = WeightMapping::find(name, encoder.names, numbers, &encoder.store)?;
            Some((name.clone(), mapping))
        };
        let mappings: WeightMappings = wanted.keys().filter_map(mapping).collect();
        Ok(Self {
            path: path.to_owned(),
            shape: VisionShape::Clip(encoder.config),
            resampler: None,
            processor: encoder.processor,
            stored: StoredParameters::new(used(encoder.store, &mappings), mappings),
            wanted,
        })
    }

    /// The features of an EfficientNet-Lite.
    pub(crate) fn efficient_net(files: EfficientNetFiles) -> Result<Self> {
        const FIELD: &str = "vision.";
        let in_field = |name: &String| format!("{FIELD}{name}");
        let mut wanted = files.wanted()?;
        wanted.retain(|name, _| !is_classifier(name));
        let mapping = |name: &String| (in_field(name), WeightMapping::same(name));
        let mappings: WeightMappings = wanted.keys().map(mapping).collect();
        let shapes = wanted.into_iter();
        Ok(Self {
            shape: VisionShape::EfficientNet(files.config),
            resampler: None,
            processor: files.processor,
            stored: StoredParameters {
                copied: Copied::all(true),
                ..StoredParameters::new(used(files.store, &mappings), mappings)
            },
            wanted: shapes
                .map(|(name, shape)| (in_field(&name), shape))
                .collect(),
            path: files.path,
        })
    }

    /// The tower of a model.
    ///
    /// Errors if it has none.
    pub fn of(files: ModelFiles) -> Result<Self> {
        let config = files.config;
        let native = config.vision.clone().map(VisionShape::Native);
        let clip = || config.clip.clone().map(VisionShape::Clip);
        let tiled = || config.tiled_vision.clone().map(VisionShape::Tiled);
        let efficient = || config.efficient_net.clone().map(VisionShape::EfficientNet);
        let shape = native.or_else(clip).or_else(tiled).or_else(efficient);
        let (Some(shape), Some(processor)) = (shape, files.interface.processor) else {
            return Err(CheckpointError::parts(&files.path, "has no vision tower"));
        };
        let ours = |name: &str| name.starts_with("vision.") || name.starts_with("resampler.");
        let mut wanted = parameter_shapes(&config)?;
        wanted.retain(|name, _| ours(name));
        let mappings = files.stored.mappings.iter().filter(|(name, _)| ours(name));
        let mappings = mappings.map(|(name, mapping)| (name.clone(), mapping.clone()));
        let mappings: WeightMappings = mappings.collect();
        let copied = files.stored.copied.clone();
        let store = used(files.stored.into_store(&files.path)?, &mappings);
        Ok(Self {
            path: files.path,
            shape,
            resampler: config.resampler,
            processor,
            stored: StoredParameters {
                copied,
                ..StoredParameters::new(store, mappings)
            },
            wanted,
        })
    }

    /// The tower's shape.
    pub fn shape(&self) -> &VisionShape {
        &self.shape
    }

    /// The shape of the resampler behind it, if there is one.
    pub fn resampler(&self) -> Option<&ResamplerConfig> {
        self.resampler.as_ref()
    }

    /// How pictures are prepared for it.
    pub fn processor(&self) -> &ImageProcessor {
        &self.processor
    }

    /// What the tower is built with, in the field `vision`, and its resampler in `resampler`.
    ///
    /// Errors if a tensor is missing or of another shape.
    pub fn builder(&self) -> Result<Builder> {
        let account = self.stored.account(&self.wanted, |_| true);
        if !account.differences.is_empty() {
            let found = account.differences.into_iter();
            let words: Vec<String> = found.map(|difference| difference.words).collect();
            return Err(CheckpointError::Mismatch {
                path: self.path.clone(),
                differences: words.join("; "),
            });
        }
        Ok(self.stored.builder())
    }
}

/// The tensors that mappings use: a tower's file often holds a whole model.
fn used(store: Store, mappings: &WeightMappings) -> Store {
    let terms = mappings.values().flat_map(|mapping| &mapping.terms);
    let names: BTreeSet<&str> = terms.map(|term| term.tensor.as_str()).collect();
    store.renamed(|name| names.contains(name).then(|| name.to_owned()))
}
