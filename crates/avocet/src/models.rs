//! Model references: the built-in model, a folder, or a hub id.

use std::path::Path;

use anyhow::{Context, Result, bail};
use avocet_checkpoint::ModelFiles;
use avocet_infer::Engine;
use serde::Serialize;

use crate::args::ModelsCommand;
use crate::{embedded, output};

/// Finds and opens the model that `reference` names.
pub fn open(reference: &str) -> Result<ModelFiles> {
    if reference == embedded::NAME {
        return Ok(embedded::files()?);
    }
    let path = Path::new(reference);
    if path.exists() {
        return ModelFiles::open(path).with_context(|| format!("--model {reference}"));
    }
    if is_hub_id(reference) {
        bail!("--model {reference}: there is no such folder, and hub ids are not supported yet");
    }
    bail!(
        "--model {reference}: no such folder; the built-in model is called {:?}",
        embedded::NAME
    );
}

/// Loads the model that `reference` names.
pub fn load(reference: &str) -> Result<Engine> {
    let files = open(reference)?;
    Engine::load(&files).with_context(|| format!("--model {reference}"))
}

/// Whether `reference` reads as `owner/name[@revision]`.
fn is_hub_id(reference: &str) -> bool {
    let name = reference
        .split_once('@')
        .map_or(reference, |(name, _)| name);
    let part = |text: &str| {
        !text.is_empty()
            && !text.starts_with('.')
            && text
                .chars()
                .all(|c| c.is_ascii_alphanumeric() || "-_.".contains(c))
    };
    name.split_once('/')
        .is_some_and(|(owner, model)| part(owner) && part(model))
}

#[derive(Serialize)]
struct Listed {
    name: String,
    model: String,
    parameters: u128,
    bytes: u64,
}

/// Lists or fetches models.
pub fn run(command: &ModelsCommand) -> Result<()> {
    match command {
        ModelsCommand::List { json } => list(*json),
        ModelsCommand::Pull { reference } if reference == embedded::NAME => {
            output::print("mini is built in: nothing to fetch\n")
        }
        ModelsCommand::Pull { reference } if is_hub_id(reference) => {
            bail!("{reference}: hub ids are not supported yet; give --model a local folder")
        }
        ModelsCommand::Pull { reference } => {
            bail!("{reference}: not a hub id (owner/name[@revision])")
        }
    }
}
