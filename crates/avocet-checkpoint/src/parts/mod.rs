//! Models made of the files of others.
//!
//! A folder with `parts.toml` holds its parts unconverted, as models of their own: `decoder`, and
//! for a graft `vision`. `model.safetensors` has only what is new, `config.toml` the shape of the
//! whole. Opening it joins the parts' tensors and the recipes over them, so what a part computes
//! stays the same to the last bit.

mod graft;
mod join;
mod place;
mod upcycle;
mod vision;

use crate::error::CheckpointError;
use crate::files::{self, ModelFiles, WEIGHTS};
use crate::store::Store;
use avocet_model::ModelConfig;
use serde::{Deserialize, Serialize};
use std::path::{Component, Path, PathBuf};

pub use graft::{GraftOptions, graft};
pub use place::PartSource;
pub(crate) use place::check_output;
pub use upcycle::{UpcycleOptions, upcycle};
pub use vision::{VisionFiles, VisionShape};

/// What a folder of parts is known by.
pub(crate) const PARTS: &str = "parts.toml";

const MAX_PARTS: u64 = 1 << 16;
/// How deep parts may have parts.
pub(crate) const DEEPEST: usize = 4;

type Result<T> = std::result::Result<T, CheckpointError>;

/// `parts.toml`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct PartList {
    /// How the parts make one model.
    kind: Kind,
    /// The decoder's folder or file, within this folder.
    decoder: PathBuf,
    /// The same of the vision tower.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    vision: Option<PathBuf>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Kind {
    /// A decoder that sees through another model's vision tower.
    Graft,
    /// A dense decoder as a mixture of experts.
    Upcycle,
}

impl PartList {
    /// Errors if a part does not lie within `folder`.
    fn read(folder: &Path) -> Result<Self> {
        let path = folder.join(PARTS);
        let text = String::from_utf8_lossy(&files::read(&path, MAX_PARTS)?).into_owned();
        let refuse = |reason| refuse(&path, reason);
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
        Ok(list)
    }

    fn to_toml(&self) -> Result<String> {
        toml::to_string(self).map_err(|error| refuse(&self.decoder, error.to_string()))
    }
}

/// Opens the folder of parts, itself a part so many folders deep.
pub(crate) fn open(folder: &Path, depth: usize) -> Result<ModelFiles> {
    let path = folder.join(PARTS);
    if depth >= DEEPEST {
        let reason = format!("is a part of a part, more than {DEEPEST} deep");
        return Err(refuse(&path, reason));
    }
    let list = PartList::read(folder)?;
    let config = files::read_config(folder)?;
    let new = Store::safetensors(&folder.join(WEIGHTS))?;
    let decoder = ModelFiles::open_within(&folder.join(&list.decoder), depth + 1)?;
    let (files, wanted) = match (list.kind, &list.vision) {
        (Kind::Graft, Some(vision)) => {
            let vision = VisionFiles::open_within(&folder.join(vision), depth + 1)?;
            let wanted = graft::shape(&decoder, &vision, config.clone())?;
            let new_resampler = new.get("resampler.latents").is_some();
            let joined = join::grafted(folder, &config, decoder, vision, new_resampler)?;
            (joined, wanted)
        }
        (Kind::Upcycle, None) => {
            let wanted = upcycle::shape(&decoder, &config)?;
            (join::upcycled(folder, &config, decoder)?, wanted)
        }
        (Kind::Graft, None) => return Err(refuse(&path, "vision: is missing".into())),
        (Kind::Upcycle, Some(_)) => {
            return Err(refuse(&path, "vision: an upcycled model has none".into()));
        }
    };
    if let Some(field) = first_difference(&config, &wanted) {
        let reason = format!("{field} of config.toml is not that of the parts");
        return Err(refuse(&path, reason));
    }
    Ok(files.with(new))
}

/// The first part of two shapes that differs, names aside.
fn first_difference(a: &ModelConfig, b: &ModelConfig) -> Option<&'static str> {
    let same = [
        ("[decoder]", a.decoder == b.decoder),
        ("[cross_attention]", a.cross_attention == b.cross_attention),
        ("[vision]", a.vision == b.vision),
        ("[clip]", a.clip == b.clip),
        ("[tiled_vision]", a.tiled_vision == b.tiled_vision),
        ("[resampler]", a.resampler == b.resampler),
    ];
    same.into_iter()
        .find(|(_, same)| !same)
        .map(|(field, _)| field)
}

fn refuse(path: &Path, reason: String) -> CheckpointError {
    CheckpointError::Parts {
        path: path.to_owned(),
        reason,
    }
}
