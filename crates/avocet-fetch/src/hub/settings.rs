//! Where the hub and the cache are, and how patient a transfer is.

use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use crate::cache::{CacheError, Surroundings};
use hf_hub::Cache;

/// Where the hub and the cache are, and how patient a transfer is.
#[derive(Clone)]
pub struct HubSettings {
    /// Address of the hub, `http` or `https`.
    pub endpoint: String,
    /// Folder that holds `models--owner--name`.
    pub cache: PathBuf,
    /// Sent to the hub, and to nobody else.
    pub token: Option<String>,
    /// Whether only the cache is used.
    pub offline: bool,
    /// A connection that brings nothing for so long is given up.
    pub stall_timeout: Duration,
    /// Tries after the first one that bring no byte; any byte starts the count again.
    pub retries: u32,
    /// Wait before the first retry; it doubles each time, up to 64 times this.
    pub pause: Duration,
}

impl HubSettings {
    /// Reads what other tools read: `HF_ENDPOINT`; `HF_HUB_CACHE`, else `HF_HOME` with `hub`,
    /// else `huggingface/hub` in the user's cache, `$XDG_CACHE_HOME` or `~/.cache`; `HF_TOKEN`,
    /// else the file that `huggingface-cli login` leaves; `HF_HUB_OFFLINE`.
    ///
    /// Errors if a variable names no absolute path, or if the user has no home.
    pub fn from_env() -> Result<Self, CacheError> {
        Self::from_surroundings(&Surroundings::of_process())
    }

    fn from_surroundings(surroundings: &Surroundings<'_>) -> Result<Self, CacheError> {
        let text = |name: &str| {
            let value = (surroundings.variable)(name)?.into_string().ok();
            value.filter(|value| !value.is_empty())
        };
        let home = match surroundings.named("HF_HOME") {
            Ok(Some(home)) => Ok(home),
            Ok(None) => surroundings
                .user_cache("HF_HOME")
                .map(|cache| cache.join("huggingface")),
            Err(error) => Err(error),
        };
        let cache = match surroundings.named("HF_HUB_CACHE")? {
            Some(cache) => cache,
            None => home.clone()?.join("hub"),
        };
        let left = || Cache::new(home.ok()?.join("hub")).token();
        let offline = text("HF_HUB_OFFLINE")
            .is_some_and(|value| ["1", "on", "yes", "true"].contains(&&*value.to_lowercase()));
        Ok(Self {
            endpoint: text("HF_ENDPOINT").unwrap_or_else(|| "https://huggingface.co".into()),
            token: text("HF_TOKEN").or_else(left),
            offline,
            ..Self::new("https://huggingface.co", cache)
        })
    }

    /// A hub and a cache, no token, and the usual patience: 30 s, five retries.
    pub fn new(endpoint: &str, cache: PathBuf) -> Self {
        Self {
            endpoint: endpoint.into(),
            cache,
            token: None,
            offline: false,
            stall_timeout: Duration::from_secs(30),
            retries: 5,
            pause: Duration::from_secs(1),
        }
    }
}

impl fmt::Debug for HubSettings {
    /// Without the token, which is a secret.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HubSettings")
            .field("endpoint", &self.endpoint)
            .field("cache", &self.cache)
            .field("has_token", &self.token.is_some())
            .field("offline", &self.offline)
            .field("stall_timeout", &self.stall_timeout)
            .field("retries", &self.retries)
            .field("pause", &self.pause)
            .finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings(variables: &[(&str, &str)]) -> Result<PathBuf, String> {
        let surroundings = Surroundings {
            variable: &|name| {
                let found = variables.iter().find(|(other, _)| *other == name);
                found.map(|(_, value)| value.into())
            },
            home: &|| None,
        };
        let settings = HubSettings::from_surroundings(&surroundings);
        settings.map(|s| s.cache).map_err(|e| e.to_string())
    }

    #[test]
    fn the_cache_is_where_other_tools_keep_theirs() {
        let all = [
            ("HF_HUB_CACHE", "/hub"),
            ("HF_HOME", "/hf"),
            ("XDG_CACHE_HOME", "/x"),
            ("HOME", "/h"),
        ];
        let right = [
            "/hub",
            "/hf/hub",
            "/x/huggingface/hub",
            "/h/.cache/huggingface/hub",
        ];
        for (skipped, right) in right.iter().enumerate() {
            assert_eq!(settings(&all[skipped..]), Ok(PathBuf::from(right)));
        }
    }

    #[test]
    fn the_cache_never_lands_where_the_command_runs() {
        for variable in ["HF_HUB_CACHE", "HF_HOME", "HOME"] {
            let error = settings(&[(variable, "models")]).unwrap_err();
            assert!(error.starts_with(variable), "{error}");
            let error = settings(&[(variable, "")]).unwrap_err();
            assert!(error.contains("set HOME, or HF_HOME"), "{error}");
        }
    }
}
