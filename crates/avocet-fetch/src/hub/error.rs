//! What can go wrong between a hub and the cache.

use std::path::{Path, PathBuf};

/// Why a model could not be got from a hub.
#[derive(Debug, thiserror::Error)]
pub enum HubError {
    /// The reference does not name a model of a hub.
    #[error("{reference:?} is not owner/name[/file.gguf][@revision]: {reason}")]
    Id {
        /// As the user wrote it.
        reference: String,
        /// What is wrong with it.
        reason: String,
    },
    /// The operating system refused.
    #[error("{path:?}: {source}")]
    Io {
        /// The file or folder.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// Without a network, and the cache does not have all of it.
    #[error("{id}: not in {cache:?}: {}", missing.join(", "))]
    NotCached {
        /// The model.
        id: String,
        /// The folder that was searched.
        cache: PathBuf,
        /// Files that are not there.
        missing: Vec<String>,
    },
    /// The repository itself lacks files.
    #[error("{id}: the hub has no {}", missing.join(", "))]
    Incomplete {
        /// The model.
        id: String,
        /// Files that are not there.
        missing: Vec<String>,
    },
    /// No such repository, revision or file; a private one may look the same.
    #[error("{id}: {url} does not exist, or is private and HF_TOKEN does not open it")]
    NotFound {
        /// The model.
        id: String,
        /// What was asked for.
        url: String,
    },
    /// The hub wants to know who asks, or knows and refuses.
    #[error("{id}: access denied (status {status}); {advice}")]
    Denied {
        /// The model.
        id: String,
        /// 401 or 403.
        status: u16,
        /// What the user can do.
        advice: &'static str,
    },
    /// Any other refusal.
    #[error("{url}: status {status}")]
    Status {
        /// What was asked for.
        url: String,
        /// As the server said.
        status: u16,
    },
    /// The connection could not be made, or broke.
    #[error("{url}: {reason}")]
    Network {
        /// What was asked for.
        url: String,
        /// What happened.
        reason: String,
    },
    /// The connection stands but nothing comes.
    #[error("{url}: no bytes for {seconds} s")]
    Stalled {
        /// What was asked for.
        url: String,
        /// [`super::HubSettings::stall_timeout`].
        seconds: f64,
    },
    /// The server's answer makes no sense, or would be unsafe to follow.
    #[error("{url}: {reason}")]
    Answer {
        /// What was asked for.
        url: String,
        /// What is wrong with the answer.
        reason: String,
    },
    /// What arrived is not what the hub promised; it has been deleted.
    #[error("{url}: checksum {found}, but the hub promised {expected}")]
    Checksum {
        /// What was asked for.
        url: String,
        /// As the hub says.
        expected: String,
        /// Of the bytes that came.
        found: String,
    },
    /// A file is larger than any that is fetched.
    #[error("{file}: {bytes} bytes, at most {limit} are fetched")]
    TooLarge {
        /// The file.
        file: String,
        /// Its length.
        bytes: u64,
        /// Longest accepted.
        limit: u64,
    },
}

impl HubError {
    /// Whether another try may succeed.
    pub(super) fn is_transient(&self) -> bool {
        match self {
            Self::Network { .. } | Self::Stalled { .. } => true,
            Self::Status { status, .. } => *status == 429 || *status >= 500,
            _ => false,
        }
    }
}

impl From<avocet_files::FileError> for HubError {
    fn from(error: avocet_files::FileError) -> Self {
        io(&error.path)(error.cause)
    }
}

/// Turns an error of the file system into one that names the path.
pub(super) fn io(path: &Path) -> impl FnOnce(std::io::Error) -> HubError {
    move |source| HubError::Io {
        path: path.to_owned(),
        source,
    }
}
