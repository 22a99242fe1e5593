//! The shared cache folder: what is in it, and how a file enters it.

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::io::{ErrorKind, Read};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

use hf_hub::{Cache, Repo, RepoType};
use serde::Deserialize;

use super::choose::{MAX_TEXT_BYTES, index, parts, weights};
use super::error::io;
use super::id::is_safe_file;
use super::{HubError, HubId};

/// One model's part of the cache.
pub(super) struct Cached {
    cache: Cache,
    repo: Repo,
}

/// The part of an index of shards that says which there are.
#[derive(Deserialize)]
struct Index {
    weight_map: std::collections::BTreeMap<String, String>,
}

impl Cached {
    pub(super) fn new(cache: &Path, id: &HubId) -> Self {
        let repo = Repo::with_revision(id.repository(), RepoType::Model, id.revision.clone());
        let cache = Cache::new(cache.to_owned());
        Self { cache, repo }
    }

    fn folder(&self) -> PathBuf {
        self.cache.path().join(self.repo.folder_name())
    }

    /// Where the contents with that checksum are.
    pub(super) fn blob(&self, etag: &str) -> PathBuf {
        self.folder().join("blobs").join(etag)
    }

    /// The file that is locked while that blob is made; the same that `huggingface_hub` locks.
    pub(super) fn lock(&self, etag: &str) -> PathBuf {
        let locks = self.cache.path().join(".locks");
        locks
            .join(self.repo.folder_name())
            .join(format!("{etag}.lock"))
    }

    /// The folder of a commit.
    pub(super) fn snapshot(&self, commit: &str) -> PathBuf {
        self.cache.repo(self.repo.clone()).pointer_path(commit)
    }

    fn reference(&self, revision: &str) -> PathBuf {
        self.folder().join("refs").join(revision)
    }

    /// The commit that a revision was at when it was last fetched.
    pub(super) fn commit(&self, revision: &str) -> Option<String> {
        if HubId::is_commit(revision) {
            return Some(revision.into());
        }
        let mut text = String::new();
        let file = File::open(self.reference(revision)).ok()?;
        file.take(64).read_to_string(&mut text).ok()?;
        let commit = text.trim();
        HubId::is_commit(commit).then(|| commit.into())
    }

    /// Notes the commit of a branch or tag.
    pub(super) fn set_commit(&self, revision: &str, commit: &str) -> Result<(), HubError> {
        let path = self.reference(revision);
        create_parent(&path)?;
        Ok(avocet_files::write(&path, commit.as_bytes())?)
    }

    /// Files that a model needs and `folder` lacks.
    ///
    /// Errors if the folder or its index of shards cannot be read.
    pub(super) fn missing(&self, folder: &Path, id: &HubId) -> Result<Vec<String>, HubError> {
        if let Some(file) = &id.file {
            let is_absent = |part: &String| !folder.join(part).is_file();
            return Ok(parts(file).into_iter().filter(is_absent).collect());
        }
        let names = names(folder)?;
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        let found = weights(&names);
        let Some(first) = found.first() else {
            return Ok(vec!["weights".into()]);
        };
        let mut missing = Vec::new();
        // OpenFlamingo's repositories hold one .pt file and no configuration.
        if !first.ends_with(".pt") && !names.contains(&"config.json") {
            missing.push("config.json".to_owned());
        }
        if let Some(index) = index(&names, &found) {
            let shards = shards(&folder.join(index))?;
            missing.extend(
                shards
                    .into_iter()
                    .filter(|shard| !names.contains(&&**shard)),
            );
        }
        Ok(missing)
    }

    /// Makes `place`, in a snapshot, lead to `blob`.
    pub(super) fn link(&self, blob: &Path, place: &Path) -> Result<(), HubError> {
        create_parent(place)?;
        let new = unique(place);
        // A link relative to the model's folder lets the cache be moved or mounted elsewhere.
        let depth = place
            .strip_prefix(self.folder())
            .map_or(0, |inside| inside.components().count() - 1);
        let name = blob.file_name().unwrap_or_default();
        let target = PathBuf::from_iter(vec![".."; depth])
            .join("blobs")
            .join(name);
        link_file(&target, blob, &new).map_err(io(&new))?;
        fs::rename(&new, place).map_err(io(place))
    }
}

#[cfg(unix)]
fn link_file(target: &Path, _: &Path, place: &Path) -> std::io::Result<()> {
    std::os::unix::fs::symlink(target, place)
}

/// Links need a privilege on other systems, so the contents are shared or copied.
#[cfg(not(unix))]
fn link_file(_: &Path, blob: &Path, place: &Path) -> std::io::Result<()> {
    fs::hard_link(blob, place).or_else(|_| fs::copy(blob, place).map(|_| ()))
}

/// A name beside `path` that no other process or thread uses.
fn unique(path: &Path) -> PathBuf {
    static COUNT: AtomicU64 = AtomicU64::new(0);
    let count = COUNT.fetch_add(1, Ordering::Relaxed);
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    path.with_file_name(format!(".{name}.{}.{count}", std::process::id()))
}

pub(super) fn create_parent(path: &Path) -> Result<(), HubError> {
    let parent = path.parent().unwrap_or(path);
    fs::create_dir_all(parent).map_err(io(parent))
}

/// Names of the files in a folder whose contents are there; none if there is no folder.
fn names(folder: &Path) -> Result<Vec<String>, HubError> {
    let entries = match fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(io(folder)(error)),
    };
    let mut names = Vec::new();
    for entry in entries {
        let entry = entry.map_err(io(folder))?;
        if entry.path().is_file() {
            names.extend(entry.file_name().into_string().ok());
        }
    }
    names.sort();
    Ok(names)
}

/// The files of weights that an index names.
fn shards(path: &Path) -> Result<BTreeSet<String>, HubError> {
    let wrong = |reason: String| io(path)(std::io::Error::new(ErrorKind::InvalidData, reason));
    let mut text = Vec::new();
    let file = File::open(path).map_err(io(path))?;
    file.take(MAX_TEXT_BYTES)
        .read_to_end(&mut text)
        .map_err(io(path))?;
    let index: Index = serde_json::from_slice(&text).map_err(|e| wrong(e.to_string()))?;
    let shards: BTreeSet<String> = index.weight_map.into_values().collect();
    match shards.iter().find(|shard| !is_safe_file(shard)) {
        Some(shard) => Err(wrong(format!("weight_map names the file {shard:?}"))),
        None => Ok(shards),
    }
}

/// Every revision of every model in the cache: branches and tags, then commits without one.
pub(super) fn models(cache: &Path) -> Vec<HubId> {
    let mut found = Vec::new();
    for folder in folders(cache) {
        let Some(repository) = folder.strip_prefix("models--") else {
            continue;
        };
        let repository = repository.replacen("--", "/", 1);
        let path = cache.join(&folder);
        let mut revisions = Vec::new();
        references(&path.join("refs"), "", &mut revisions);
        revisions.sort();
        let Ok(id) = HubId::parse(&repository) else {
            continue;
        };
        let cached = Cached::new(cache, &id);
        let named: Vec<String> = revisions.iter().filter_map(|r| cached.commit(r)).collect();
        let commits = folders(&path.join("snapshots"));
        revisions.extend(commits.into_iter().filter(|commit| !named.contains(commit)));
        for revision in revisions {
            found.extend(HubId::parse(&format!("{repository}@{revision}")));
        }
    }
    found
}

/// Names of the folders in a folder, sorted.
fn folders(path: &Path) -> Vec<String> {
    let entries = fs::read_dir(path).into_iter().flatten().flatten();
    let mut names: Vec<String> = entries
        .filter(|entry| entry.path().is_dir())
        .filter_map(|entry| entry.file_name().into_string().ok())
        .collect();
    names.sort();
    names
}

/// Adds the names of all references below `path`; a branch may have slashes in its name.
fn references(path: &Path, start: &str, found: &mut Vec<String>) {
    for entry in fs::read_dir(path).into_iter().flatten().flatten() {
        let Ok(kind) = entry.file_type() else {
            continue;
        };
        let name = format!("{start}{}", entry.file_name().to_string_lossy());
        if kind.is_dir() {
            references(&entry.path(), &format!("{name}/"), found);
        } else {
            found.push(name);
        }
    }
}

/// Bytes of the files in a snapshot.
pub(super) fn bytes(folder: &Path) -> u64 {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    entries
        .filter_map(|entry| fs::metadata(entry.path()).ok())
        .filter(|metadata| metadata.is_file())
        .map(|metadata| metadata.len())
        .sum()
}
