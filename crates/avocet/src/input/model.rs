//! The model that a reference names: built in, in a folder or a file, or on a hub.

use std::path::{Path, PathBuf};
use std::time::Instant;

use anyhow::{Context, Result};
use avocet_checkpoint::doctor::{self, Use, Verdict};
use avocet_checkpoint::{CONFIG, ModelFiles, PartSource, Reference, resolve};
use avocet_infer::Engine;
use avocet_train::checkpoint;
use tracing::info;

use super::{embedded, hub};
use crate::ui::output;

/// Finds and opens the model that `--model` names.
pub fn open(reference: &str) -> Result<ModelFiles> {
    find(reference).with_context(|| format!("--model {reference}"))
}

/// Finds and opens the model that `reference` names; one on a hub is fetched if need be.
pub fn find(reference: &str) -> Result<ModelFiles> {
    let began = Instant::now();
    let files = match place(reference)? {
        Some(path) => ModelFiles::open(&path)?,
        None => embedded::files()?,
    };
    let seconds = began.elapsed().as_secs_f64();
    info!(model = reference, seconds, "model opened");
    Ok(files)
}

/// Where the model is that `reference` names, if it is not part of the binary: the newest
/// checkpoint of a training run; one on a hub is fetched if need be.
pub fn place(reference: &str) -> Result<Option<PathBuf>> {
    Ok(match resolve(reference)? {
        Reference::Embedded => None,
        Reference::Folder(folder) => Some(newest_checkpoint(&folder)?.unwrap_or(folder)),
        Reference::File(file) => Some(file),
        Reference::Hub(id) => Some(hub::fetch(&id)?),
    })
}

/// The newest checkpoint in `folder`, if it is that of a training run.
fn newest_checkpoint(folder: &Path) -> Result<Option<PathBuf>> {
    if folder.join(CONFIG).exists() {
        return Ok(None);
    }
    Ok(checkpoint::list(folder)?.pop().map(|(_, newest)| newest))
}

/// Loads the model that `--model` names, with fields of its configuration changed as `settings`
/// say, and a warning if its weights do not fit into memory.
pub fn load(reference: &str, settings: &[String]) -> Result<Engine> {
    let mut files = open(reference)?;
    for setting in settings {
        files.set(setting).context("--set")?;
    }
    engine(&files).with_context(|| format!("--model {reference}"))
}

/// The engine of a model, with a warning if its weights do not fit into memory.
pub fn engine(files: &ModelFiles) -> Result<Engine> {
    warn_of_streaming(files);
    let began = Instant::now();
    let engine = Engine::load(files)?;
    let seconds = began.elapsed().as_secs_f64();
    info!(model = files.config().name, seconds, "model loaded");
    Ok(engine)
}

/// Prints one line of warning if the weights of a model do not fit into memory beside the rest.
fn warn_of_streaming(files: &ModelFiles) {
    // Copied weights are small, and an error here comes up again when the model is loaded.
    let memory = files
        .is_mapped("decoder.embedding")
        .then(|| doctor::memory(files, Use::usual(files)));
    if let Some(Ok(memory)) = memory
        && let (Verdict::StreamsFromDisk, reason) = memory.verdict()
    {
        output::note(&format!(
            "warning: {} streams from disk, so every token is slow: {reason}\n",
            files.config().name
        ));
    }
}

/// The files at a [`place`], to become a part of another model.
pub fn part(place: &Option<PathBuf>) -> PartSource<'_> {
    match place {
        Some(path) => PartSource::Path(path),
        None => embedded::part(),
    }
}
