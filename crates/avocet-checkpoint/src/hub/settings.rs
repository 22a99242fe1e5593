//! Where the hub and the cache are, and how patient a transfer is.

use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

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
    /// else `~/.cache/huggingface/hub`; `HF_TOKEN`, else the file that `huggingface-cli login`
    /// leaves; `HF_HUB_OFFLINE`.
    pub fn from_env() -> Self {
        let text = |name: &str| std::env::var(name).ok().filter(|value| !value.is_empty());
        let home = text("HF_HOME").map_or_else(
            || {
                let home = std::env::home_dir().unwrap_or_default();
                home.join(".cache").join("huggingface")
            },
            PathBuf::from,
        );
        let cache = text("HF_HUB_CACHE").map_or_else(|| home.join("hub"), PathBuf::from);
        let offline = text("HF_HUB_OFFLINE")
            .is_some_and(|value| ["1", "on", "yes", "true"].contains(&&*value.to_lowercase()));
        Self {
            endpoint: text("HF_ENDPOINT").unwrap_or_else(|| "https://huggingface.co".into()),
            cache,
            token: text("HF_TOKEN").or_else(|| Cache::new(home.join("hub")).token()),
            offline,
            ..Self::new("https://huggingface.co", PathBuf::new())
        }
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
