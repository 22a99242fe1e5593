//! `avocet data concepts`: the table of a recogniser's classes.

use std::path::PathBuf;

use anyhow::Result;
use avocet_checkpoint::{Class, ConceptTable};
use clap::Args;

use crate::ui::output;

/// `avocet data concepts`.
#[derive(Debug, Args)]
pub struct ConceptsArgs {
    /// Where the table is written; a model's folder has it as concepts.tsv.
    #[arg(short, long, value_name = "FILE")]
    pub output: PathBuf,
    /// A list of what can be fetched, instead of avocet's own.
    #[arg(long, value_name = "FILE")]
    pub manifest: Option<PathBuf>,
}

/// Writes the table.
pub fn run(args: &ConceptsArgs) -> Result<()> {
    let (kinds, classes) = plain_text::named_classes(args.manifest.as_deref())?;
    let mut table = ConceptTable {
        kinds,
        ..ConceptTable::default()
    };
    for class in classes {
        let known = table.names.iter().position(|name| *name == class.name);
        let place = known.unwrap_or_else(|| {
            table.names.push(class.name.clone());
            table.names.len() - 1
        });
        let kinds = (0..table.kinds.len()).filter(|&kind| class.kinds.contains(&table.kinds[kind]));
        let kinds = kinds.collect();
        table.classes.push(Class {
            name: place,
            exact: class.exact,
            further: class.further,
            kinds,
        });
    }
    output::save(&args.output, table.to_text().as_bytes())?;
    output::print(&format!(
        "{} classes of {} names and {} kinds, {}\n",
        table.classes.len(),
        table.names.len(),
        table.kinds.len(),
        args.output.display()
    ))
}
