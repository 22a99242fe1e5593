//! `avocet models`: what models there are, and where.

use std::path::{Path, PathBuf};

use anyhow::Result;
use avocet_checkpoint::{CONCEPTS, ModelFiles, Reference, WeightFormat, resolve, save};
use avocet_fetch::{CacheError, Hub};
use clap::Subcommand;
use serde::Serialize;

use crate::args::PrecisionFlag;
use crate::input::{embedded, hub, model};
use crate::ui::output::{self, Table, count};

/// `avocet models ...`.
#[derive(Debug, Subcommand)]
pub enum ModelsCommand {
    /// The models this machine has.
    List {
        /// Print one JSON array.
        #[arg(long)]
        json: bool,
    },
    /// Write a model folder anew, in another number format: to ship what was trained.
    Export {
        /// The model or training run to read.
        #[arg(value_name = "REF|RUN")]
        reference: String,
        /// The model folder to write.
        #[arg(short, long, value_name = "DIR")]
        output: PathBuf,
        /// How matrices are stored; everything else is f32.
        #[arg(long, value_enum, default_value_t = PrecisionFlag::Bf16)]
        format: PrecisionFlag,
    },
    /// Fetch a model from a hub.
    Pull {
        /// The model to fetch.
        #[arg(value_name = "REF")]
        reference: String,
    },
}

impl ModelsCommand {
    /// The folder that `-o` names, if there is one.
    pub fn output(&self) -> Option<&Path> {
        match self {
            Self::Export { output, .. } => Some(output),
            Self::List { .. } | Self::Pull { .. } => None,
        }
    }
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
                    let path = hub::fetch(&id)?;
                    return output::print(&format!("{}\n", path.display()));
                }
            };
            output::print(&format!("{reference} {here}: nothing to fetch\n"))
        }
    }
}

fn export(reference: &str, output: &Path, format: PrecisionFlag) -> Result<()> {
    let files = model::open(reference)?;
    let format = match format {
        PrecisionFlag::F32 => WeightFormat::F32,
        PrecisionFlag::Bf16 => WeightFormat::Bf16,
    };
    match (files.tokenizer_bytes(), files.adapter()) {
        // A public model keeps its own files; what was trained is written beside them.
        (Err(_), Some(_)) => files.export_adapter(output, format)?,
        (tokenizer, _) => {
            let (config, tokenizer) = (files.config().to_toml(), tokenizer?);
            // The configuration, which makes a model of the folder, comes last.
            if let Some(table) = files
                .concept_bytes()
                .filter(|_| files.config().concepts.is_some())
            {
                std::fs::create_dir_all(output)?;
                output::save(&output.join(CONCEPTS), table)?;
            }
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
