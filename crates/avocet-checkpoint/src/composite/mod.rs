//! Models made of the files of others.
//!
//! A folder with `parts.toml` holds its parts unconverted, as models of their own: `decoder`, and
//! for a graft `vision`. `model.safetensors` has only what is new, `config.toml` the shape of the
//! whole. Opening it joins the parts' tensors and the mappings over them, so what a part computes
//! stays the same to the last bit. An adapter is laid over its base in the same way.

mod adapted;
mod join;
mod list;
mod shape;
mod vision;

use crate::error::{CheckpointError, Result};
use crate::files::ModelFiles;
use crate::layout::PARTS;
use crate::tensors::Store;
use avocet_config::ModelConfig;
use std::path::Path;

pub(crate) use adapted::adapted;
pub(crate) use join::{draw, grafted, upcycled};
pub(crate) use list::{DEEPEST, Kind, PartList};
pub(crate) use shape::{grafted_shape, mixture};
pub use vision::{VisionFiles, VisionShape};

/// The model in `folder`, made of opened parts and of tensors that none of them has: a decoder with
/// the eyes of `vision`, or as a mixture of experts.
///
/// Errors if `config` is not the shape that the parts make.
pub(crate) fn composite(
    folder: &Path,
    config: ModelConfig,
    new: Store,
    decoder: ModelFiles,
    vision: Option<VisionFiles>,
) -> Result<ModelFiles> {
    let (joined, wanted) = match vision {
        Some(vision) => {
            let wanted = grafted_shape(&decoder, &vision, config.clone())?;
            let new_resampler = new.get("resampler.latents").is_some();
            let joined = grafted(folder, &config, decoder, vision, new_resampler)?;
            (joined, wanted)
        }
        None => {
            let Some(moe) = config.decoder.moe.clone() else {
                let reason = "has no [decoder.moe]";
                return Err(CheckpointError::parts(&decoder.path, reason));
            };
            let wanted = mixture(&decoder, moe)?;
            (upcycled(folder, &config, decoder)?, wanted)
        }
    };
    if let Some(field) = shape::first_difference(&config, &wanted) {
        let reason = format!("{field} of config.toml is not that of the parts");
        return Err(CheckpointError::parts(&folder.join(PARTS), reason));
    }
    Ok(join::with_new(joined, new))
}
