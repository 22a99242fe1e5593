//! Speech models: a name, a file or a folder becomes one file that Whisper's runtime reads.
//!
//! `joined` reads files within their length, `ctranslate2` finds the variables of a faster-whisper
//! folder, `convert` writes them as ggml (`dimensions`: which tensors; `mel`: the filters;
//! `vocabulary`: the tokens), and `ggml` checks every file before it is handed over.

mod convert;
mod ctranslate2;
mod dimensions;
mod error;
mod ggml;
mod joined;
mod mel;
#[cfg(test)]
mod tests;
mod vocabulary;

use std::fs;
use std::path::{Path, PathBuf};

use avocet_fetch::{SourceError, Sources, cache_folder};
use avocet_files::NewFile;
use sha2::{Digest, Sha256};

use ctranslate2::Ct2;
use joined::Joined;

pub use error::WhisperModelError;

type Result<T> = std::result::Result<T, WhisperModelError>;

/// Longest vocabulary that is read.
const MAX_VOCABULARY: u64 = 16 << 20;

/// A model that goes by a name: its packages, which hold the parts of one file in this order.
struct Named {
    name: &'static str,
    sources: &'static [&'static str],
    /// The file of a hub with the same weights.
    hub: &'static str,
}

const NAMED: [Named; 2] = [
    Named {
        name: "tiny.en",
        sources: &["whisper-tiny.en"],
        hub: "ggerganov/whisper.cpp/ggml-tiny.en.bin",
    },
    Named {
        name: "base",
        sources: &["whisper-base-1", "whisper-base-2"],
        hub: "ggerganov/whisper.cpp/ggml-base.bin",
    },
];

/// The names that [`WhisperModels::find`] knows, the smallest first.
pub fn names() -> impl Iterator<Item = &'static str> {
    NAMED.iter().map(|named| named.name)
}

/// The hub's id of the file with the weights of the model called `name`.
pub fn on_hub(name: &str) -> Option<&'static str> {
    NAMED
        .iter()
        .find(|named| named.name == name)
        .map(|named| named.hub)
}

/// A file that Whisper's runtime reads, checked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WhisperModel {
    /// What it was asked for by.
    pub name: String,
    /// The ggml file.
    pub path: PathBuf,
    /// Whether it knows more languages than English.
    pub is_multilingual: bool,
    /// Bytes of the file.
    pub bytes: u64,
}

/// Finds speech models, and keeps what it fetched and converted.
#[derive(Debug, Clone)]
pub struct WhisperModels {
    cache: PathBuf,
    sources: Sources,
}

impl WhisperModels {
    /// The cache is `$AVOCET_CACHE`, else the folder `avocet` of the user's cache folder.
    ///
    /// Errors if there is no such folder, or the list of sources is impossible.
    pub fn from_env() -> Result<Self> {
        Self::with_cache(&cache_folder().map_err(SourceError::from)?)
    }

    /// As [`WhisperModels::from_env`], with the cache in a folder of one's own.
    pub fn with_cache(cache: &Path) -> Result<Self> {
        Ok(Self {
            cache: cache.to_owned(),
            sources: Sources::bundled(cache)?,
        })
    }

    /// The model called `reference`, or in the file or folder there; a named one is fetched if the
    /// cache lacks it, and a folder is converted on first use.
    ///
    /// Errors if it is neither, cannot be fetched, or is not what a Whisper model must be.
    pub fn find(&self, reference: &str) -> Result<WhisperModel> {
        let path = Path::new(reference);
        if path.is_dir() {
            let name = path.file_name().map(|name| name.to_string_lossy());
            let parts = FolderParts::of(path)?;
            let converted = self.converted(&name.unwrap_or_default(), &parts)?;
            return model(reference, &converted);
        }
        if path.is_file() {
            return model(reference, path);
        }
        let Some(named) = NAMED.iter().find(|named| named.name == reference) else {
            let names: Vec<&str> = names().collect();
            return Err(WhisperModelError::Unknown {
                reference: reference.to_owned(),
                names: names.join(" or "),
            });
        };
        self.named(named)
    }

    /// Whether the model called `name` is there without fetching anything.
    pub fn is_cached(&self, name: &str) -> bool {
        NAMED
            .iter()
            .find(|named| named.name == name)
            .is_some_and(|named| {
                let cached = |source: &&str| self.sources.is_cached(source);
                self.place(named).is_ok_and(|place| place.is_file())
                    || named.sources.iter().all(cached)
            })
    }

    /// Where the converted file of a named model lies: its name says what it was made from.
    fn place(&self, named: &Named) -> Result<PathBuf> {
        let mut sum = Sha256::new();
        for source in named.sources {
            sum.update(&self.sources.get(source)?.sha256);
        }
        Ok(self.file(named.name, sum))
    }

    fn file(&self, name: &str, sum: Sha256) -> PathBuf {
        let sum: String = sum.finalize()[..8]
            .iter()
            .map(|byte| format!("{byte:02x}"))
            .collect();
        self.cache.join("whisper").join(format!("{name}-{sum}.bin"))
    }

    fn named(&self, named: &Named) -> Result<WhisperModel> {
        let place = self.place(named)?;
        if !place.is_file() {
            let mut folders = Vec::new();
            for source in named.sources {
                folders.push(self.sources.folder(source)?);
            }
            let parts = FolderParts::of_packages(&folders)?;
            write(&parts, &place)?;
        }
        model(named.name, &place)
    }

    /// The converted file of a user's folder, named by where that is and when it was written.
    fn converted(&self, name: &str, parts: &FolderParts) -> Result<PathBuf> {
        let mut sum = Sha256::new();
        for path in parts.model.iter().chain([&parts.vocabulary]) {
            let absolute = path.canonicalize().map_err(WhisperModelError::io(path))?;
            let metadata = absolute
                .metadata()
                .map_err(WhisperModelError::io(&absolute))?;
            sum.update(absolute.as_os_str().as_encoded_bytes());
            sum.update([0]);
            sum.update(metadata.len().to_le_bytes());
            let changed = metadata.modified().ok();
            let since = changed.and_then(|time| time.duration_since(std::time::UNIX_EPOCH).ok());
            sum.update(since.map_or(0, |since| since.as_nanos()).to_le_bytes());
        }
        let allowed = |c: &char| c.is_ascii_alphanumeric() || "._-".contains(*c);
        let name: String = name.chars().filter(allowed).take(64).collect();
        let place = self.file(&name, sum);
        if !place.is_file() {
            write(parts, &place)?;
        }
        Ok(place)
    }
}

/// The files of a faster-whisper folder.
#[derive(Debug)]
struct FolderParts {
    model: Vec<PathBuf>,
    vocabulary: PathBuf,
}

impl FolderParts {
    fn of(folder: &Path) -> Result<Self> {
        let model = folder.join("model.bin");
        let vocabulary = vocabulary_in(folder).filter(|_| model.is_file());
        vocabulary
            .map(|vocabulary| Self {
                model: vec![model],
                vocabulary,
            })
            .ok_or_else(|| WhisperModelError::Folder {
                path: folder.to_owned(),
            })
    }

    /// The parts in unpacked packages: `model.bin`, or `model.bin.part1` and so on, somewhere
    /// below each.
    fn of_packages(packages: &[PathBuf]) -> Result<Self> {
        let (mut model, mut vocabulary) = (Vec::new(), None);
        for package in packages {
            let mut folders = vec![package.clone()];
            while let Some(folder) = folders.pop() {
                let entries = fs::read_dir(&folder).map_err(WhisperModelError::io(&folder))?;
                for entry in entries {
                    let path = entry.map_err(WhisperModelError::io(&folder))?.path();
                    let name = path.file_name().map(|name| name.to_string_lossy());
                    if path.is_dir() {
                        folders.push(path);
                    } else if name.is_some_and(|name| name.starts_with("model.bin")) {
                        vocabulary = vocabulary.or_else(|| vocabulary_in(&folder));
                        model.push(path);
                    }
                }
            }
        }
        match vocabulary {
            Some(vocabulary) => Ok(Self { model, vocabulary }),
            None => Err(WhisperModelError::Folder {
                path: packages.first().cloned().unwrap_or_default(),
            }),
        }
    }
}

fn vocabulary_in(folder: &Path) -> Option<PathBuf> {
    ["vocabulary.txt", "vocabulary.json"]
        .iter()
        .map(|name| folder.join(name))
        .find(|path| path.is_file())
}

/// Checks the file at `path`.
fn model(name: &str, path: &Path) -> Result<WhisperModel> {
    let dimensions = ggml::check(path)?;
    let metadata = path.metadata().map_err(WhisperModelError::io(path))?;
    Ok(WhisperModel {
        name: name.to_owned(),
        path: path.to_owned(),
        is_multilingual: dimensions.is_multilingual(),
        bytes: metadata.len(),
    })
}

/// Converts into a file that is there whole or not at all.
fn write(parts: &FolderParts, place: &Path) -> Result<()> {
    let vocabulary = &parts.vocabulary;
    let length = vocabulary
        .metadata()
        .map_err(WhisperModelError::io(vocabulary))?;
    if length.len() > MAX_VOCABULARY {
        let reason = format!("has {} bytes", length.len());
        return Err(WhisperModelError::model(
            vocabulary,
            "the vocabulary",
            reason,
        ));
    }
    let model = Ct2::open(Joined::open(&parts.model)?)?;
    let folder = place.parent().unwrap_or(Path::new("."));
    fs::create_dir_all(folder).map_err(WhisperModelError::io(folder))?;
    let mut file = NewFile::create(place)?;
    convert::convert(&model, vocabulary, &mut file)?;
    Ok(file.commit()?)
}
