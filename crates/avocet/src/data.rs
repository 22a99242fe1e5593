//! `avocet data`: run a pipeline, or look at what one made.

use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use avocet_data::inspect::{Summary, contact_sheet};
use avocet_data::shard::{Manifest, Reader};
use avocet_data::{Content, Sample, Truth};
use avocet_media::named::find;

use crate::args::{DataCommand, DataInspectArgs};
use crate::features::{Deaf, Feature};
use crate::{datasets, output, textbooks};

/// Samples that a page shows.
const ON_A_PAGE: usize = 96;

/// Runs a command on data.
pub fn run(mut command: DataCommand) -> Result<()> {
    for path in read_by(&mut command) {
        *path = find(path);
    }
    match command {
        DataCommand::NamedPictures(args) => made(&args.run.output, &named_pictures::make(&args)?),
        DataCommand::Formulas(args) => made(&args.run.output, &formulas::make(&args)?),
        DataCommand::Pages(args) => made(&args.run.output, &pages::make(&args)?),
        DataCommand::Text(args) => made(&args.run.output, &plain_text::make(&args)?),
        DataCommand::Textbooks(args) => textbooks::run(&args),
        DataCommand::Video(args) => made(&args.run.output, &of_videos(&args)?),
        DataCommand::Inspect(args) => inspect(&args),
        DataCommand::Merge(args) => datasets::merge(&args),
        DataCommand::Split(args) => datasets::split(&args),
        DataCommand::Dedup(args) => datasets::dedup(&args),
    }
}

/// Makes a dataset of videos, with whatever this binary was built with.
fn of_videos(args: &video::Args) -> Result<Manifest> {
    let command = Path::new("data video");
    Feature::Video.needed_for(command)?;
    if args.transcripts.is_none() {
        Feature::Speech.needed_for(command)?;
    }
    Ok(match Feature::Speech.is_there() {
        true => video::make(args)?,
        false => video::make_with(args, &Deaf)?,
    })
}

/// The files and folders that a pipeline reads.
fn read_by(command: &mut DataCommand) -> &mut [PathBuf] {
    match command {
        DataCommand::Formulas(args) => &mut args.files,
        DataCommand::Text(args) => &mut args.files,
        DataCommand::Textbooks(args) => &mut args.files,
        DataCommand::Video(args) => &mut args.inputs,
        _ => &mut [],
    }
}

/// Says what a pipeline made; inputs are what was kept and what was rejected, and why.
pub(crate) fn made(output: &Path, manifest: &Manifest) -> Result<()> {
    output::print(&manifest.summary(output))
}

fn inspect(args: &DataInspectArgs) -> Result<()> {
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
        let name = || format!("--html {}", path.display());
        let mut page = BufWriter::new(File::create(path).with_context(name)?);
        contact_sheet(&reader, ON_A_PAGE, &mut page)?;
        page.flush().with_context(name)?;
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
