//! Why a source could not be had.

use std::path::{Path, PathBuf};

use crate::cache::CacheError;

/// Why a source could not be fetched; names the source or the file.
#[derive(Debug, thiserror::Error)]
pub enum SourceError {
    /// The system refused.
    #[error("{path:?}: {cause}")]
    Io {
        /// File or folder.
        path: PathBuf,
        /// What the system said.
        cause: std::io::Error,
    },
    /// There is no folder to keep it in.
    #[error(transparent)]
    Cache(#[from] CacheError),
    /// The folder to keep it in cannot be made.
    #[error("{path:?}, where fetched things are kept: {cause}; AVOCET_CACHE names another folder")]
    NoCache {
        /// The folder.
        path: PathBuf,
        /// What the system said.
        cause: std::io::Error,
    },
    /// The manifest is not one.
    #[error("{path:?}: {reason}")]
    Manifest {
        /// The manifest.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// The manifest has no source of that name.
    #[error("{path:?} has no source named {name:?}")]
    Unknown {
        /// The manifest.
        path: PathBuf,
        /// Name asked for.
        name: String,
    },
    /// The client could not be started.
    #[error("{name}: cannot start `{program}`, which fetches it: {cause}")]
    NoClient {
        /// Name of the source.
        name: String,
        /// Program that is missing.
        program: String,
        /// What the system said.
        cause: std::io::Error,
    },
    /// The source is no package.
    #[error("{name}: is the file {id} of a model hub, not a package")]
    OnAHub {
        /// Name of the source.
        name: String,
        /// What it goes by on the hub.
        id: String,
    },
    /// The client, or the question to the registry, failed.
    #[error("{name}: `{command}` failed: {reason}")]
    Client {
        /// Name of the source.
        name: String,
        /// What was run or asked.
        command: String,
        /// The end of what it said.
        reason: String,
    },
    /// The client fetched another file than the manifest names.
    #[error("{name}: fetched {found:?}, the manifest says {expected:?}")]
    File {
        /// Name of the source.
        name: String,
        /// File in the manifest.
        expected: String,
        /// Files that were fetched.
        found: String,
    },
    /// The registry has neither the revision nor one that may stand in for it.
    #[error("{cause}{}; a copy of {file} in {cache:?} would do", none_of(.others))]
    Gone {
        /// Versions that may stand in.
        others: Vec<String>,
        /// The archive that the manifest names.
        file: String,
        /// Where archives are looked for.
        cache: PathBuf,
        /// Why the revision cannot be had.
        cause: Box<SourceError>,
    },
    /// The archive is not the one the manifest means.
    #[error("{name}: {file} hashes to {found}, the manifest says {expected}")]
    Hash {
        /// Name of the source.
        name: String,
        /// The archive.
        file: String,
        /// SHA-256 in the manifest.
        expected: String,
        /// SHA-256 of what was fetched.
        found: String,
    },
    /// The archive does not unpack.
    #[error("{name}: {file} does not unpack: {reason}")]
    Archive {
        /// Name of the source.
        name: String,
        /// The archive.
        file: String,
        /// What is wrong with it.
        reason: String,
    },
}

fn none_of(others: &[String]) -> String {
    match others {
        [] => String::new(),
        others => format!("; nor can {} be had", others.join(" or ")),
    }
}

impl SourceError {
    /// Whether the registry or its client is to blame, so that another revision may be had.
    pub(super) fn is_of_the_registry(&self) -> bool {
        matches!(
            self,
            Self::NoClient { .. } | Self::Client { .. } | Self::File { .. }
        )
    }

    /// Joins a system error to the path it speaks of.
    pub(crate) fn io(path: &Path) -> impl FnOnce(std::io::Error) -> Self {
        let path = path.to_path_buf();
        move |cause| Self::Io { path, cause }
    }
}
