//! Model references: the built-in model, a folder, or a hub id.

use anyhow::{Context, Result};
use avocet_checkpoint::{ModelFiles, Reference, resolve};
use avocet_infer::Engine;
use avocet_model::ParameterCount;
use serde::Serialize;

use crate::args::ModelsCommand;
use crate::embedded;
use crate::output::{self, Table, count};

/// Finds and opens the model that `reference` names.
pub fn open(reference: &str) -> Result<ModelFiles> {
    let found = resolve(reference).context("--model")?;
    match found {
        Reference::Embedded => Ok(embedded::files()?),
        Reference::Folder(folder) => {
            ModelFiles::open(&folder).with_context(|| format!("--model {reference}"))
        }
    }
}

/// Loads the model that `reference` names.
pub fn load(reference: &str) -> Result<Engine> {
    let files = open(reference)?;
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
        ModelsCommand::Pull { reference } => {
            let here = match resolve(reference)? {
                Reference::Embedded => "is built in".to_owned(),
                Reference::Folder(folder) => format!("is the folder {}", folder.display()),
            };
            output::print(&format!("{reference} {here}: nothing to fetch\n"))
        }
    }
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
