//! Where parts come from, and how they come into the folder of the whole.

use crate::composite::{DEEPEST, PartList};
use crate::error::{CheckpointError, Result};
use crate::families::{EfficientNetFiles, is_efficient_net};
use crate::files::ModelFiles;
use crate::formats::gguf::part_paths;
use crate::layout::{
    ADAPTER, CONCEPTS, CONFIG, EFFICIENT_NET, GENERATION, INDEX, PARTS, PICKLED, PREPROCESSOR,
    PUBLIC_CONFIG, SPECIAL_TOKENS, TEMPLATE_JINJA, TEMPLATE_JSON, TOKENIZER, TOKENIZER_CONFIG,
    WEIGHTS,
};
use crate::tensors::weight_map;
use avocet_files::{NewFolder, write_all};
use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

/// The folder that a run or an exported adapter keeps its model in.
const BASE: &str = "base";

/// A model that becomes a part of another.
#[derive(Debug, Clone, Copy)]
pub enum PartSource<'a> {
    /// A folder, or a GGUF file.
    Path(&'a Path),
    /// The three files carried in a binary.
    Carried {
        /// `config.toml`.
        config: &'static str,
        /// `model.safetensors`.
        weights: &'static [u8],
        /// `tokenizer.json`.
        tokenizer: &'static [u8],
        /// `concepts.tsv`, if it recognises things.
        concepts: Option<&'static [u8]>,
    },
}

/// What says how a model is made and spoken to; each may be absent.
const SETTINGS: &[&str] = &[
    CONFIG,
    TOKENIZER,
    CONCEPTS,
    PARTS,
    PUBLIC_CONFIG,
    TOKENIZER_CONFIG,
    SPECIAL_TOKENS,
    TEMPLATE_JSON,
    TEMPLATE_JINJA,
    GENERATION,
    PREPROCESSOR,
];

impl PartSource<'_> {
    pub(super) fn open(&self) -> Result<ModelFiles> {
        self.check_whole()?;
        match *self {
            Self::Path(path) => ModelFiles::open(path),
            Self::Carried {
                config,
                weights,
                tokenizer,
                concepts,
            } => ModelFiles::embedded(config, weights, tokenizer, concepts),
        }
    }

    /// Errors if it is an adapter, which is not a model by itself.
    pub(super) fn check_whole(&self) -> Result<()> {
        match *self {
            Self::Path(path) if path.join(ADAPTER).is_file() => {
                let reason = "was fine-tuned and is an adapter of another model; only a whole \
                              model can be a part";
                Err(CheckpointError::parts(path, reason))
            }
            _ => Ok(()),
        }
    }

    /// Puts the files into `folder` below the name `part`: where they then are, from `folder`.
    pub(super) fn place(&self, folder: &Path, part: &str) -> Result<PathBuf> {
        self.check_whole()?;
        let below = folder.join(part);
        match *self {
            Self::Path(path) if is_efficient_net(path) => {
                let files = EfficientNetFiles::open(path)?;
                let name = files.weights().file_name().unwrap_or_default();
                bring(files.weights(), &below.join(name))?;
                let shape = files.config().to_toml();
                write_all(&below, &[(below.join(EFFICIENT_NET), shape.as_bytes())])?;
            }
            Self::Path(file) if file.is_file() => {
                let Some(name) = file.file_name() else {
                    return Err(CheckpointError::parts(file, "has no name"));
                };
                for part in part_paths(file) {
                    let to = below.join(part.file_name().unwrap_or(name));
                    bring(&part, &to)?;
                }
                return Ok(Path::new(part).join(name));
            }
            Self::Path(path) => {
                for file in needed(path, 0)? {
                    bring(&path.join(&file), &below.join(&file))?;
                }
            }
            Self::Carried {
                config,
                weights,
                tokenizer,
                concepts,
            } => {
                let mut files = vec![
                    (below.join(WEIGHTS), weights),
                    (below.join(TOKENIZER), tokenizer),
                ];
                files.extend(concepts.map(|table| (below.join(CONCEPTS), table)));
                files.push((below.join(CONFIG), config.as_bytes()));
                write_all(&below, &files)?;
            }
        }
        Ok(part.into())
    }
}

/// Errors unless a model can be written to `folder`: it is not there, or empty.
pub(super) fn check_output(folder: &Path) -> Result<()> {
    match fs::read_dir(folder) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(()),
        Err(error) => Err(CheckpointError::io(folder)(error)),
        Ok(mut entries) => match entries.next() {
            None => Ok(()),
            Some(_) => {
                let reason = "is there already and holds files";
                Err(CheckpointError::parts(folder, reason))
            }
        },
    }
}

/// Puts the files of a model into `folder`, to be the base of adapters in it: where they then are,
/// from there. Files are linked where they can be; what lies there already is kept.
///
/// Errors if the model is an adapter itself, or a file cannot be written.
pub fn place_base(source: &PartSource<'_>, folder: &Path) -> Result<PathBuf> {
    let placed = folder.join(BASE);
    if !placed.exists() {
        let begun = NewFolder::create(&placed)?;
        source.place(begun.partial(), "")?;
        begun.commit()?;
    }
    Ok(match source {
        PartSource::Path(path) if path.is_file() => {
            Path::new(BASE).join(path.file_name().unwrap_or_default())
        }
        _ => BASE.into(),
    })
}

/// A hard link to the file, or a copy where there can be none.
fn bring(from: &Path, to: &Path) -> Result<()> {
    if let Some(folder) = to.parent() {
        fs::create_dir_all(folder).map_err(CheckpointError::io(folder))?;
    }
    // Files of a hub's cache are links that lead away from there.
    let file = from.canonicalize().map_err(CheckpointError::io(from))?;
    if fs::hard_link(&file, to).is_err() {
        fs::copy(&file, to).map_err(CheckpointError::io(to))?;
    }
    Ok(())
}

/// The files that the model in `folder` is read from, as paths within it.
fn needed(folder: &Path, depth: usize) -> Result<Vec<PathBuf>> {
    let there = |name: &str| folder.join(name).is_file();
    if is_efficient_net(folder) {
        let files = EfficientNetFiles::open(folder)?;
        let weights = files.weights().file_name().map(PathBuf::from);
        let shape = there(EFFICIENT_NET).then(|| EFFICIENT_NET.into());
        return Ok(weights.into_iter().chain(shape).collect());
    }
    let settings = SETTINGS.iter().copied().filter(|name| there(name));
    let mut found: Vec<PathBuf> = settings.map(PathBuf::from).collect();
    let weights = [WEIGHTS, PICKLED].map(|name| [name.to_owned(), format!("{name}{INDEX}")]);
    let Some(weights) = weights.into_iter().flatten().find(|name| there(name)) else {
        return Err(CheckpointError::NoWeights {
            folder: folder.to_owned(),
        });
    };
    found.push(PathBuf::from(&weights));
    if weights.ends_with(INDEX) {
        // Opening the model has proved that they lie beside it.
        let shards: BTreeSet<String> = weight_map(&folder.join(&weights))?.into_values().collect();
        found.extend(shards.into_iter().map(PathBuf::from));
    }
    if there(PARTS) && depth < DEEPEST {
        let list = PartList::read(folder)?;
        for part in [Some(list.decoder), list.vision].into_iter().flatten() {
            let path = folder.join(&part);
            if path.is_file() {
                let names = part_paths(&path).into_iter();
                let names = names.filter_map(|file| Some(part.with_file_name(file.file_name()?)));
                found.extend(names);
            } else {
                let files = needed(&path, depth + 1)?;
                found.extend(files.into_iter().map(|file| part.join(file)));
            }
        }
    }
    Ok(found)
}
