//! Model references: the built-in model, a folder, or a hub id.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use avocet_checkpoint::{CONFIG, ModelFiles, Reference, WeightFormat, resolve, save};
use avocet_fetch::{CacheError, Hub};
use avocet_infer::Engine;
use avocet_train::checkpoint;
use serde::Serialize;

use crate::args::{ModelsCommand, PrecisionFlag};
use crate::output::{self, Table, count};
use crate::{doctor, download, embedded};

/// Finds and opens the model that `--model` names.
pub fn open(reference: &str) -> Result<ModelFiles> {
    find(reference).with_context(|| format!("--model {reference}"))
}

/// Finds and opens the model that `reference` names; one on a hub is fetched if need be.
pub fn find(reference: &str) -> Result<ModelFiles> {
    match place(reference)? {
        Some(path) => Ok(ModelFiles::open(&path)?),
        None => Ok(embedded::files()?),
    }
}

/// Where the model is that `reference` names, if it is not part of the binary: the newest
/// checkpoint of a training run; one on a hub is fetched if need be.
pub fn place(reference: &str) -> Result<Option<PathBuf>> {
    Ok(match resolve(reference)? {
        Reference::Embedded => None,
        Reference::Folder(folder) => Some(newest_checkpoint(&folder)?.unwrap_or(folder)),
        Reference::File(file) => Some(file),
        Reference::Hub(id) => Some(download::fetch(&id)?),
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
    doctor::warn_of_streaming(&files);
    Engine::load(&files).with_context(|| format!("--model {reference}"))
}

#[derive(Serialize)]
struct Listed {
    name: String,
    #[serde(rename = "where")]
    place: String,
    bytes: u64,
}

/// Lists, fetches or writes models.
pub fn run(command: &ModelsCommand) -> Result<()> {
    match command {
        ModelsCommand::List { json } => list(*json),
        ModelsCommand::Export {
            reference,
            output,
            format,
        } => export(reference, output, *format),
        ModelsCommand::Pull { reference } => {
            let here = match resolve(reference)? {
                Reference::Embedded => "is built in".to_owned(),
                Reference::Folder(folder) => format!("is the folder {}", folder.display()),
                Reference::File(file) => format!("is the file {}", file.display()),
                Reference::Hub(id) => {
                    let path = download::fetch(&id)?;
                    return output::print(&format!("{}\n", path.display()));
                }
            };
            output::print(&format!("{reference} {here}: nothing to fetch\n"))
        }
    }
}

fn export(reference: &str, output: &Path, format: PrecisionFlag) -> Result<()> {
    let files = open(reference)?;
    let format = match format {
        PrecisionFlag::F32 => WeightFormat::F32,
        PrecisionFlag::Bf16 => WeightFormat::Bf16,
    };
    match (files.tokenizer_bytes(), files.adapter()) {
        // A public model keeps its own files; what was trained is written beside them.
        (Err(_), Some(_)) => files.export_adapter(output, format)?,
        (tokenizer, _) => {
            let (config, tokenizer) = (files.config().to_toml(), tokenizer?);
            save(output, &config, tokenizer, &files.parameters()?, format)?;
        }
    }
    let written = ModelFiles::open(output)?;
    output::print(&format!(
        "{}: {} bytes of weights\n",
        output.display(),
        written.weight_bytes()
    ))
}

fn list(json: bool) -> Result<()> {
    let mut listed = vec![Listed {
        name: embedded::NAME.to_owned(),
        place: "built in".to_owned(),
        bytes: embedded::files()?.weight_bytes() as u64,
    }];
    let cached = match Hub::from_env() {
        Ok(hub) => hub.list(),
        // Nothing can have been fetched.
        Err(CacheError::NoHome { .. }) => Vec::new(),
        Err(error) => return Err(error.into()),
    };
    listed.extend(cached.into_iter().map(|model| Listed {
        name: model.id.to_string(),
        place: model.folder.display().to_string(),
        bytes: model.bytes,
    }));
    if json {
        return output::print_json(&listed);
    }
    let mut table = Table::new(&["model", "bytes", "where"]);
    for model in listed {
        table.row(vec![model.name, count(model.bytes), model.place]);
    }
    output::print(&table.to_text())
}
