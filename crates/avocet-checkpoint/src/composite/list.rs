//! `parts.toml`, which says what a model is made of.

use crate::error::{CheckpointError, Result};
use crate::io;
use crate::layout::{MAX_PARTS, PARTS};
use serde::{Deserialize, Serialize};
use std::path::{Component, Path, PathBuf};

/// How deep parts may have parts.
pub(crate) const DEEPEST: usize = 4;

/// `parts.toml`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct PartList {
    /// How the parts make one model.
    pub kind: Kind,
    /// The decoder's folder or file, within this folder.
    pub decoder: PathBuf,
    /// The same of the vision tower.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub vision: Option<PathBuf>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Kind {
    /// A decoder that sees through another model's vision tower.
    Graft,
    /// A dense decoder as a mixture of experts.
    Upcycle,
}

impl PartList {
    /// Errors if a part does not lie within `folder`, or is not one that such a model has.
    pub fn read(folder: &Path) -> Result<Self> {
        let path = folder.join(PARTS);
        let text = String::from_utf8_lossy(&io::read(&path, MAX_PARTS)?).into_owned();
        let refuse = |reason: String| CheckpointError::parts(&path, reason);
        let list: Self = toml::from_str(&text).map_err(|error| refuse(error.to_string()))?;
        for part in [Some(&list.decoder), list.vision.as_ref()]
            .into_iter()
            .flatten()
        {
            let mut steps = part.components();
            let plain = steps.all(|step| matches!(step, Component::Normal(_)));
            if !plain || part.as_os_str().is_empty() {
                return Err(refuse(format!("{part:?} does not lie beside this file")));
            }
        }
        match (list.kind, &list.vision) {
            (Kind::Graft, None) => Err(refuse("vision: is missing".into())),
            (Kind::Upcycle, Some(_)) => Err(refuse("vision: an upcycled model has none".into())),
            _ => Ok(list),
        }
    }

    pub fn to_toml(&self) -> Result<String> {
        toml::to_string(self)
            .map_err(|error| CheckpointError::parts(&self.decoder, error.to_string()))
    }
}
