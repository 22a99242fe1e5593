//! `avocet data inspect`: what a dataset holds.

use std::path::PathBuf;

use anyhow::{Context, Result, bail};
use avocet_data::inspect::{Summary, contact_sheet};
use avocet_data::shard::Reader;
use avocet_data::{Content, Sample, Truth};
use clap::Args;

use crate::args::input;
use crate::ui::output;

/// Samples that a page shows.
const ON_A_PAGE: usize = 96;

/// `avocet data inspect`.
#[derive(Debug, Args)]
pub struct DataInspectArgs {
    /// The dataset folder.
    #[arg(value_name = "DATASET", value_parser = input())]
    pub dataset: PathBuf,
    /// Print one JSON object.
    #[arg(long)]
    pub json: bool,
    /// Show this sample in full.
    #[arg(long, value_name = "ID")]
    pub sample: Option<String>,
    /// Write a page with pictures.
    #[arg(long, value_name = "FILE")]
    pub html: Option<PathBuf>,
}

/// Prints what is in the dataset, or writes a page of it.
pub fn run(args: &DataInspectArgs) -> Result<()> {
    let reader = Reader::open(&args.dataset)?;
    if let Some(id) = &args.sample {
        let Some(index) = reader.find(id) else {
            bail!(
                "--sample {id}: {} has no such sample",
                args.dataset.display()
            );
        };
        return output::print(&in_full(&reader.get(index)?));
    }
    if let Some(path) = &args.html {
        let page = contact_sheet(&reader, ON_A_PAGE)?;
        output::save(path, page.as_bytes()).context("--html")?;
        return output::print(&format!("{}\n", path.display()));
    }
    let summary = Summary::of(&reader);
    if args.json {
        output::print_json(&summary)
    } else {
        output::print(&summary.to_string())
    }
}

/// Everything about one sample but its pixels.
fn in_full(sample: &Sample) -> String {
    let mut text = format!(
        "id       {}\nkind     {}\nsource   {}\nlicence  {}\n",
        sample.id, sample.kind, sample.source, sample.licence
    );
    for (index, (image, truth)) in sample.images.iter().zip(&sample.truths).enumerate() {
        let shows = match truth {
            Some(Truth::Text(text)) => format!("shows the text {text:?}"),
            Some(Truth::Name(name)) => format!("shows {name:?}"),
            None => "shows nothing named".into(),
        };
        text.push_str(&format!("image {index}  {} bytes, {shows}\n", image.len()));
    }
    if let Content::Turns(turns) = &sample.content {
        let spelled = turns.iter().filter(|turn| turn.spelled).count();
        text.push_str(&format!(
            "turns    {}, {spelled} of them spelled\n",
            turns.len()
        ));
    }
    text.push_str(&format!("\n{}\n", sample.text()));
    text
}
