//! An archive that can be fetched, and its revisions.

use serde::Deserialize;

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
    /// Revisions that stand in where this one cannot be had, the nearest first.
    #[serde(default)]
    pub instead: Vec<Revision>,
}

/// Another revision of a source.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Revision {
    /// Name of the package, where that has changed.
    #[serde(default)]
    pub package: Option<String>,
    /// Exact version.
    pub version: String,
    /// Name of the archive as its client writes it.
    pub file: String,
    /// SHA-256 of the archive.
    pub sha256: String,
}

impl Source {
    /// The source at another revision.
    fn at(&self, revision: &Revision) -> Self {
        let revision = revision.clone();
        Self {
            package: revision.package.unwrap_or_else(|| self.package.clone()),
            version: revision.version,
            file: revision.file,
            sha256: revision.sha256,
            instead: Vec::new(),
            ..self.clone()
        }
    }

    /// The source at each revision that may stand in for it.
    pub(super) fn stand_ins(&self) -> impl Iterator<Item = Self> {
        self.instead.iter().map(|revision| self.at(revision))
    }
}
