//! `owner/name[/file.gguf][@revision]`, checked so that no part of it can leave the cache.

use std::fmt;
use std::str::FromStr;

use super::HubError;

/// Names a model of a hub.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct HubId {
    /// User or organisation.
    pub owner: String,
    /// The repository.
    pub name: String,
    /// A GGUF file of it, or a ggml file of Whisper, where one is meant and not the whole model.
    pub file: Option<String>,
    /// Branch, tag or commit; `main` unless said.
    pub revision: String,
}

impl HubId {
    /// The branch that is meant when none is named.
    pub const MAIN: &'static str = "main";

    /// Reads `owner/name[/file.gguf][@revision]`.
    ///
    /// Errors, saying which part, if a part is empty, too long, or has characters that the hub
    /// does not allow or a path could misuse.
    pub fn parse(reference: &str) -> Result<Self, HubError> {
        let wrong = |reason: &str| HubError::Id {
            reference: reference.into(),
            reason: reason.into(),
        };
        let (path, revision) = reference.split_once('@').unwrap_or((reference, Self::MAIN));
        let (owner, rest) = path
            .split_once('/')
            .ok_or_else(|| wrong("there is no owner"))?;
        let (name, file) = match rest.split_once('/') {
            Some((name, file)) => (name, Some(file)),
            None => (rest, None),
        };
        if !is_part(owner) {
            return Err(wrong("the owner is not letters, digits, - _ ."));
        }
        if !is_part(name) {
            return Err(wrong("the name is not letters, digits, - _ ."));
        }
        // The cache folder is models--owner--name, so a doubled dash would be ambiguous.
        if owner.contains("--") || name.contains("--") {
            return Err(wrong("-- is not allowed in the owner or the name"));
        }
        if revision.len() > 255 || !revision.split('/').all(is_part) {
            return Err(wrong("the revision is not a branch, a tag or a commit"));
        }
        let is_one_file = |file: &str| file.ends_with(".gguf") || file.ends_with(".bin");
        if file.is_some_and(|file| !is_safe_file(file) || !is_one_file(file)) {
            return Err(wrong(
                "a file that is named must be a .gguf, or a .bin of Whisper",
            ));
        }
        Ok(Self {
            owner: owner.into(),
            name: name.into(),
            file: file.map(Into::into),
            revision: revision.into(),
        })
    }

    /// `owner/name`.
    pub fn repository(&self) -> String {
        format!("{}/{}", self.owner, self.name)
    }

    /// Whether a revision is a whole commit, which never changes.
    pub(super) fn is_commit(revision: &str) -> bool {
        revision.len() == 40 && is_lower_hex(revision)
    }
}

impl fmt::Display for HubId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.owner, self.name)?;
        if let Some(file) = &self.file {
            write!(f, "/{file}")?;
        }
        if self.revision != Self::MAIN {
            write!(f, "@{}", self.revision)?;
        }
        Ok(())
    }
}

impl FromStr for HubId {
    type Err = HubError;

    fn from_str(reference: &str) -> Result<Self, HubError> {
        Self::parse(reference)
    }
}

/// Whether a name can be one folder of a path: no separator, and not hidden or a way up.
fn is_part(part: &str) -> bool {
    (1..=96).contains(&part.len())
        && !part.starts_with('.')
        && part
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte))
}

/// Whether a file of a repository stays inside the folder that it is put in, on any system.
pub(super) fn is_safe_file(file: &str) -> bool {
    let is_safe = |part: &str| {
        (1..=255).contains(&part.len())
            && part != "."
            && part != ".."
            && !part.contains(|c: char| c.is_control() || "\\:*?\"<>|".contains(c))
    };
    file.len() <= 1024 && file.split('/').all(is_safe)
}

pub(super) fn is_lower_hex(text: &str) -> bool {
    text.bytes()
        .all(|byte| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte))
}
