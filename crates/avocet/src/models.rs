//! Model references: the built-in model, a folder, or a hub id.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use avocet_checkpoint::{CONFIG, ModelFiles, Reference, WeightFormat, resolve, save};
use avocet_infer::Engine;
use avocet_model::ParameterCount;
use avocet_train::checkpoint;
use serde::Serialize;

use crate::args::{ModelsCommand, PrecisionFlag};
use crate::output::{self, Table, count};
use crate::{doctor, embedded};

/// Finds and opens the model that `--model` names.
pub fn open(reference: &str) -> Result<ModelFiles> {
    find(reference).with_context(|| format!("--model {reference}"))
}

/// Finds and opens the model that `reference` names.
pub fn find(reference: &str) -> Result<ModelFiles> {
    match resolve(reference)? {
        Reference::Embedded => Ok(embedded::files()?),
        Reference::Folder(folder) => {
            let folder = newest_checkpoint(&folder)?.unwrap_or(folder);
            Ok(ModelFiles::open(&folder)?)
        }
        Reference::File(file) => Ok(ModelFiles::open(&file)?),
    }
}

/// The newest checkpoint in `folder`, if it is that of a training run.
fn newest_checkpoint(folder: &Path) -> Result<Option<PathBuf>> {
    if folder.join(CONFIG).exists() {
        return Ok(None);
    }
    Ok(checkpoint::list(folder)?.pop().map(|(_, newest)| newest))
}

/// Loads the model that `--model` names, with a warning if its weights do not fit into memory.
pub fn load(reference: &str) -> Result<Engine> {
    let files = open(reference)?;
    doctor::warn_of_streaming(&files);
    Engine::load(&files).with_context(|| format!("--model {reference}"))
}

#[derive(Serialize)]
struct Listed {
    name: &'static str,
    #[serde(rename = "where")]
    place: &'static str,
    parameters: u64,
    weight_bytes: usize,
}

/// Lists models, or says why one cannot be fetched.
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
            };
            output::print(&format!("{reference} {here}: nothing to fetch\n"))
        }
    }
}

fn export(reference: &str, output: &Path, format: PrecisionFlag) -> Result<()> {
    let files = open(reference)?;
    let tensors = files.parameters()?;
    let format = match format {
        PrecisionFlag::F32 => WeightFormat::F32,
        PrecisionFlag::Bf16 => WeightFormat::Bf16,
    };
    save(
        output,
        &files.config().to_toml(),
        files.tokenizer_bytes()?,
        &tensors,
        format,
    )?;
    let written = ModelFiles::open(output)?;
    output::print(&format!(
        "{}: {} bytes of weights\n",
        output.display(),
        written.weight_bytes()
    ))
}

fn list(json: bool) -> Result<()> {
    let files = embedded::files()?;
    let listed = [Listed {
        name: embedded::NAME,
        place: "built in",
        parameters: ParameterCount::of(files.config())?.total,
        weight_bytes: files.weight_bytes(),
    }];
    if json {
        return output::print_json(&listed);
    }
    let mut table = Table::new(&["model", "where", "parameters", "bytes"]);
    for model in &listed {
        let (parameters, bytes) = (count(model.parameters), model.weight_bytes.to_string());
        table.row(vec![
            model.name.into(),
            model.place.into(),
            parameters,
            bytes,
        ]);
    }
    output::print(&table.to_text())
}
