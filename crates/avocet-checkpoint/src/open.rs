//! Opens a model, whatever it is made of: a folder of our own, of a public family, of parts, or an
//! adapter over one of those; a GGUF file; the files that a binary carries.

use crate::composite::{DEEPEST, PartList, VisionFiles, adapted, composite};
use crate::error::{CheckpointError, Result};
use crate::families::{self, EfficientNetFiles};
use crate::files::{ModelFiles, native};
use crate::formats::gguf::Gguf;
use crate::formats::safetensors::Safetensors;
use crate::interface::{Interface, Speech};
use crate::io::{Bytes, read};
use crate::layout::{
    ADAPTER, CONCEPTS, CONFIG, MAX_CONCEPTS, MAX_CONFIG, MAX_TOKENIZER, PARTS, QUANTISED,
    TOKENIZER, WEIGHTS,
};
use crate::parameters::{Adapter, Copied, StoredParameters, WeightMapping};
use crate::tensors::Store;
use avocet_config::ModelConfig;
use avocet_model::parameter_shapes;
use std::borrow::Cow;
use std::path::{Path, PathBuf};

/// What our own models of up to this many bytes are copied to memory for: it is faster to compute
/// with than a map, and they were trained here.
const COPIED: usize = 64 << 20;

impl ModelFiles {
    /// Opens a model: a folder of our own, a folder of a public family, one that joins such parts,
    /// or a GGUF file. The weights are memory-mapped.
    ///
    /// Errors name the file, and the field or tensor in it.
    pub fn open(path: &Path) -> Result<Self> {
        open(path, 0)
    }

    /// The model that the files carried in a binary make; nothing is copied. `concepts` is the
    /// table of a recogniser's classes.
    ///
    /// Errors as [`ModelFiles::open`] does.
    pub fn embedded(
        config: &'static str,
        weights: &'static [u8],
        tokenizer: &'static [u8],
        concepts: Option<&'static [u8]>,
    ) -> Result<Self> {
        let path = PathBuf::from("embedded");
        let config = parse_config(config, path.join(CONFIG))?;
        let weights = Safetensors::check(Bytes::Carried(weights));
        let weights = weights.map_err(|reason| CheckpointError::Weights {
            path: path.join(WEIGHTS),
            reason,
        })?;
        let speech = Speech::Own {
            path: path.join(TOKENIZER),
            bytes: Cow::Borrowed(tokenizer),
        };
        let concepts = concepts.map(Cow::Borrowed);
        own(path, config, Store::carried(weights)?, speech, concepts)
    }
}

impl VisionFiles {
    /// Opens the folder of CLIP or SigLIP, the file or folder of an EfficientNet-Lite, or the tower
    /// of a model that sees images.
    ///
    /// Errors name the file, and the field or tensor in it.
    pub fn open(path: &Path) -> Result<Self> {
        open_vision(path, 0)
    }
}

/// Opens a model that is a part of another, so many folders up.
fn open(path: &Path, depth: usize) -> Result<ModelFiles> {
    if path.join(ADAPTER).is_file() {
        check_depth(&path.join(ADAPTER), depth)?;
        let adapter = Adapter::read(path)?;
        let base = open(&path.join(&adapter.base), depth + 1)?;
        return adapted(path, adapter, base);
    }
    if path.join(PARTS).is_file() {
        check_depth(&path.join(PARTS), depth)?;
        let list = PartList::read(path)?;
        let (config, new) = (read_config(path)?, own_store(path)?);
        let decoder = open(&path.join(&list.decoder), depth + 1)?;
        let vision = list.vision.as_ref();
        let vision = vision.map(|vision| open_vision(&path.join(vision), depth + 1));
        return composite(path, config, new, decoder, vision.transpose()?);
    }
    if path.is_file()
        || families::is_efficient_net(path)
        || (!path.join(CONFIG).exists() && families::is_folder(path))
    {
        return public(path);
    }
    let blocks = path.join(QUANTISED);
    if !path.join(CONFIG).exists() {
        // What a GGUF file was written anew as is such a file, alone in its folder.
        if blocks.is_file() {
            return public(&blocks);
        }
        return Err(CheckpointError::NoModel {
            folder: path.to_owned(),
        });
    }
    let config = read_config(path)?;
    let store = own_store(path)?;
    let tokenizer = path.join(TOKENIZER);
    let speech = Speech::Own {
        bytes: read(&tokenizer, MAX_TOKENIZER)?.into(),
        path: tokenizer,
    };
    let table = path.join(CONCEPTS);
    let concepts = match config.concepts.is_some() && table.is_file() {
        true => Some(read(&table, MAX_CONCEPTS)?.into()),
        false => None,
    };
    own(path.to_owned(), config, store, speech, concepts)
}

/// The tensors by our own names in a folder: as they were saved, or in blocks.
fn own_store(folder: &Path) -> Result<Store> {
    let (weights, blocks) = (folder.join(WEIGHTS), folder.join(QUANTISED));
    if !weights.exists() && blocks.is_file() {
        return Store::gguf(&blocks, vec![Gguf::open(&blocks)?]);
    }
    Store::safetensors(&weights)
}

fn open_vision(path: &Path, depth: usize) -> Result<VisionFiles> {
    if families::is_efficient_net(path) {
        return VisionFiles::efficient_net(EfficientNetFiles::open(path)?);
    }
    if !path.join(CONFIG).exists() && families::is_encoder(path)? {
        return VisionFiles::encoder(path);
    }
    VisionFiles::of(open(path, depth)?)
}

/// Errors if what `list` says is part of too many others.
fn check_depth(list: &Path, depth: usize) -> Result<()> {
    if depth < DEEPEST {
        return Ok(());
    }
    let reason = format!("is a part of a part, more than {DEEPEST} deep");
    Err(CheckpointError::parts(list, reason))
}

/// A model of our own.
fn own(
    path: PathBuf,
    config: ModelConfig,
    store: Store,
    speech: Speech,
    concepts: Option<Cow<'static, [u8]>>,
) -> Result<ModelFiles> {
    let shapes = parameter_shapes(&config)?;
    let mappings = shapes
        .keys()
        .map(|name| (name.clone(), WeightMapping::same(name)));
    let processor = native(&config);
    Ok(ModelFiles {
        weights: path.join(WEIGHTS),
        path,
        family: "avocet",
        interface: Interface { processor, speech },
        concepts,
        stored: StoredParameters {
            copied: Copied::all(store.num_bytes() <= COPIED && !store.has_gguf()),
            ..StoredParameters::new(store, mappings.collect())
        },
        config,
    })
}

/// The model of a public family.
fn public(path: &Path) -> Result<ModelFiles> {
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
    let mappings = family
        .mappings()
        .map_err(|error| wrong(error.to_string()))?;
    Ok(ModelFiles {
        path: path.to_owned(),
        weights: path.to_owned(),
        family: family.name,
        config: family.config,
        stored: StoredParameters::new(family.store, mappings),
        interface: family.interface,
        concepts: None,
    })
}

/// The configuration in a folder of our own.
fn read_config(folder: &Path) -> Result<ModelConfig> {
    let path = folder.join(CONFIG);
    let text = String::from_utf8_lossy(&read(&path, MAX_CONFIG)?).into_owned();
    parse_config(&text, path)
}

fn parse_config(text: &str, path: PathBuf) -> Result<ModelConfig> {
    ModelConfig::from_toml(text).map_err(|source| CheckpointError::Config { path, source })
}

#[cfg(test)]
mod tests;
