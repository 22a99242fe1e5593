//! Models of a hub: fetched once into the cache that other tools share, used from there.
//!
//! The folder is the one of `huggingface_hub`, so what Python fetched is found here and the other
//! way round: `models--owner--name` holds `blobs` named by checksum, `snapshots/COMMIT` with a
//! link for each file, and `refs` that say which commit a branch was at. The layout comes from the
//! `hf-hub` crate; the transfer is our own, since that crate checks neither what arrives nor
//! whether anything still does.

mod cache;
mod choose;
mod client;
mod download;
mod error;
#[cfg(test)]
mod hostile;
mod id;
mod parts;
#[cfg(test)]
mod server;
mod settings;
#[cfg(test)]
mod tests;

use std::path::PathBuf;
use std::time::Instant;

use tracing::info;

use crate::CacheError;
pub use error::HubError;
pub use id::HubId;
pub use parts::gguf_parts;
pub use settings::HubSettings;

use cache::Cached;
use choose::{choose, limit};
use client::Client;

/// Gets models from a hub, by way of the cache.
pub struct Hub {
    settings: HubSettings,
    client: Client,
}

/// A model in the cache, with every file that is needed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CachedModel {
    /// What it is asked for by; the revision is a branch or tag, or else a commit.
    pub id: HubId,
    /// Its snapshot folder.
    pub folder: PathBuf,
    /// Bytes of all files in that folder.
    pub bytes: u64,
}

/// Told as a file is fetched: its name, bytes so far, and bytes in all where known.
pub type Progress<'a> = &'a mut dyn FnMut(&str, u64, Option<u64>);

impl Hub {
    /// A hub as the environment describes it; see [`HubSettings::from_env`].
    ///
    /// Errors if it describes no folder for the cache.
    pub fn from_env() -> Result<Self, CacheError> {
        HubSettings::from_env().map(Self::new)
    }

    /// A hub of those settings.
    pub fn new(settings: HubSettings) -> Self {
        let client = Client::new(&settings);
        Self { settings, client }
    }

    /// The snapshot folder of `id`, if the cache has every file that is needed; asks no network.
    pub fn cached(&self, id: &HubId) -> Option<PathBuf> {
        self.whole(id).ok()
    }

    /// The snapshot folder of `id`, fetched where the cache lacks it.
    ///
    /// Fetches the configuration, the tokenizer, the chat template and the weights (safetensors;
    /// where there are none `pytorch_model*.bin`, where there are none of those `*.pt`; or the
    /// GGUF file that `id` names, with all its parts), and none of what the cache has. A commit that is cached whole
    /// is used without asking; for a branch or tag the hub is asked for its commit, and what is
    /// cached is used when the hub cannot be reached. A transfer that is cut or stalls is
    /// continued, and nothing enters the cache whose checksum is not what the hub promised.
    ///
    /// Errors, naming what is missing, if neither the cache nor the hub has it; if access is
    /// denied; if the hub's answers make no sense or are unsafe; if a checksum differs; or if the
    /// disk fails.
    pub fn fetch(&self, id: &HubId, progress: Progress<'_>) -> Result<PathBuf, HubError> {
        let found = self.whole(id);
        if found.is_ok() && HubId::is_commit(&id.revision) {
            return found;
        }
        if self.settings.offline {
            return found;
        }
        // Nobody waits for a hub that is out of reach when there is an answer at hand.
        let retries = if found.is_ok() {
            0
        } else {
            self.settings.retries
        };
        let listing = match self.client.list(id, retries) {
            Ok(listing) => listing,
            Err(error) if error.is_transient() && found.is_ok() => return found,
            Err(error) => return Err(error),
        };
        let files = choose(&listing.files, id)?;
        let cache = self.cache(id);
        let folder = cache.snapshot(&listing.commit);
        for file in files {
            if !folder.join(&file).is_file() {
                self.file(&cache, id, &listing.commit, &file, progress)?;
            }
        }
        if id.revision != listing.commit {
            // Last, so that a branch never leads to a snapshot whose download was cut.
            cache.set_commit(&id.revision, &listing.commit)?;
        }
        let missing = cache.missing(&folder, id)?;
        if missing.is_empty() {
            return Ok(folder);
        }
        let id = id.to_string();
        Err(HubError::Incomplete { id, missing })
    }

    /// Every model in the cache that is whole, sorted by name, a branch before bare commits.
    pub fn list(&self) -> Vec<CachedModel> {
        cache::models(&self.settings.cache)
            .into_iter()
            .filter_map(|id| {
                let folder = self.cached(&id)?;
                let bytes = cache::bytes(&folder);
                Some(CachedModel { id, folder, bytes })
            })
            .collect()
    }

    fn cache(&self, id: &HubId) -> Cached {
        Cached::new(&self.settings.cache, id)
    }

    /// The snapshot folder of `id` in the cache; errors with what it lacks.
    fn whole(&self, id: &HubId) -> Result<PathBuf, HubError> {
        let cache = self.cache(id);
        let not_cached = |missing| HubError::NotCached {
            id: id.to_string(),
            cache: self.settings.cache.clone(),
            missing,
        };
        let Some(commit) = cache.commit(&id.revision) else {
            return Err(not_cached(vec!["all files".into()]));
        };
        let folder = cache.snapshot(&commit);
        let missing = cache.missing(&folder, id)?;
        if missing.is_empty() {
            return Ok(folder);
        }
        Err(not_cached(missing))
    }

    /// Fetches one file and links it into its snapshot.
    fn file(
        &self,
        cache: &Cached,
        id: &HubId,
        commit: &str,
        file: &str,
        progress: Progress<'_>,
    ) -> Result<(), HubError> {
        let url = self.client.file_url(id, commit, file);
        let promise = self.client.promise(id, &url)?;
        let limit = limit(file);
        if promise.bytes > limit {
            let (file, bytes) = (file.to_owned(), promise.bytes);
            return Err(HubError::TooLarge { file, bytes, limit });
        }
        let mut told = |done, all| progress(file, done, Some(all));
        let began = Instant::now();
        let blob = download::blob(&self.client, cache, id, &url, &promise, &mut told)?;
        let seconds = began.elapsed().as_secs_f64();
        info!(%id, file, bytes = promise.bytes, seconds, "fetched from the hub");
        cache.link(&blob, &cache.snapshot(commit).join(file))
    }
}
