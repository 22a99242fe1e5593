//! The files of fetched packages, read with errors that say which package they are of.

use std::fs;
use std::path::{Path, PathBuf};

use avocet_fetch::{SourceError, Sources};

/// Why a file of a package is of no use.
#[derive(Debug, thiserror::Error)]
pub enum PackageError {
    /// The package lacks it.
    #[error("{package}: cannot read {member:?}: {cause}")]
    Member {
        /// The row of the manifest.
        package: String,
        /// The path inside the package.
        member: String,
        /// What the system said.
        cause: std::io::Error,
    },
    /// It does not read as what it should be.
    #[error("{package}: {member:?}: {reason}")]
    Content {
        /// The row of the manifest.
        package: String,
        /// The path inside the package.
        member: String,
        /// What is wrong with it.
        reason: String,
    },
}

/// One package, unpacked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Package {
    /// Its row in the manifest.
    pub name: String,
    /// The folder with its files.
    pub root: PathBuf,
    /// Its licence.
    pub licence: String,
}

impl Package {
    /// The package of that name, out of the cache or fetched.
    ///
    /// Errors if it cannot be had.
    pub fn open(sources: &Sources, name: &str) -> Result<Self, SourceError> {
        Ok(Self {
            name: name.to_owned(),
            root: sources.folder(name)?,
            licence: sources.get(name)?.licence.clone(),
        })
    }

    /// The bytes of the file at `member`, a path inside the package.
    ///
    /// Errors if there is none or it cannot be read.
    pub fn read(&self, member: &str) -> Result<Vec<u8>, PackageError> {
        fs::read(self.root.join(member)).map_err(|cause| self.unreadable(member, cause))
    }

    /// The file at `member` as text.
    ///
    /// Errors if there is none or it is not UTF-8.
    pub fn text(&self, member: &str) -> Result<String, PackageError> {
        let bytes = self.read(member)?;
        String::from_utf8(bytes).map_err(|cause| self.broken(member, cause))
    }

    /// The paths inside the package of all files with one of these endings, sorted.
    ///
    /// Errors if a folder cannot be listed.
    pub fn files(&self, endings: &[&str]) -> Result<Vec<String>, PackageError> {
        let mut found = Vec::new();
        let mut folders = vec![self.root.clone()];
        while let Some(folder) = folders.pop() {
            let shown = self.inside(&folder);
            let entries = fs::read_dir(&folder).map_err(|cause| self.unreadable(&shown, cause))?;
            for entry in entries {
                let entry = entry.map_err(|cause| self.unreadable(&shown, cause))?;
                let kind = entry
                    .file_type()
                    .map_err(|cause| self.unreadable(&shown, cause))?;
                let path = self.inside(&entry.path());
                if kind.is_dir() {
                    folders.push(entry.path());
                } else if kind.is_file() && endings.iter().any(|ending| path.ends_with(ending)) {
                    found.push(path);
                }
            }
        }
        found.sort();
        Ok(found)
    }

    /// An error about what is in the file at `member`.
    pub fn broken(&self, member: &str, reason: impl ToString) -> PackageError {
        PackageError::Content {
            package: self.name.clone(),
            member: member.to_owned(),
            reason: reason.to_string(),
        }
    }

    fn unreadable(&self, member: &str, cause: std::io::Error) -> PackageError {
        PackageError::Member {
            package: self.name.clone(),
            member: member.to_owned(),
            cause,
        }
    }

    fn inside(&self, path: &Path) -> String {
        path.strip_prefix(&self.root)
            .unwrap_or(path)
            .to_string_lossy()
            .into_owned()
    }
}
