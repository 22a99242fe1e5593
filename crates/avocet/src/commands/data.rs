//! `avocet data`: run a pipeline, or look at what one made.

mod combine;
mod concepts;
mod inspect;
mod textbooks;

use std::path::{Path, PathBuf};

use anyhow::Result;
use avocet_data::shard::Manifest;
use avocet_media::named::find;
use clap::Subcommand;

use crate::features::{Deaf, Feature};
use crate::ui::output;

/// `avocet data ...`.
#[derive(Debug, Subcommand)]
pub enum DataCommand {
    /// Shapes, flags, emoji, lines of text and prices with questions and short answers.
    NamedPictures(named_pictures::Args),
    /// Formulas with their LaTeX, paragraphs and small pages with their text.
    Formulas(formulas::Args),
    /// Screenshots of web pages with questions about them, from URLs, files, or made up.
    Pages(pages::Args),
    /// Plain text and questions about words, for the text stage.
    Text(plain_text::Args),
    /// What the classes of an ImageNet recogniser are called, as a model's folder says it.
    Concepts(concepts::ConceptsArgs),
    /// Questions and answers about long texts, written by a language model and held against them.
    Textbooks(::textbooks::Args),
    /// Small test sets of what others drew, photographed, set in type and wrote; never for training.
    OtherHands(other_hands::Args),
    /// Pictures of videos and the words spoken around them.
    Video(video::Args),
    /// What a dataset holds.
    Inspect(inspect::DataInspectArgs),
    /// Join datasets, or the parts of one made by several processes, to one.
    Merge(combine::MergeArgs),
    /// Divide datasets by a hash: one part to learn from, one to be tested on.
    Split(combine::SplitArgs),
    /// Leave out samples that repeat others, are held out, or may not be trained on.
    Dedup(combine::DedupArgs),
}

impl DataCommand {
    /// The folder that `-o` names, if there is one.
    pub fn output(&self) -> Option<&Path> {
        Some(match self {
            Self::NamedPictures(args) => &args.run.output,
            Self::Formulas(args) => &args.run.output,
            Self::Pages(args) => &args.run.output,
            Self::Text(args) => &args.run.output,
            Self::Textbooks(args) => &args.run.output,
            Self::OtherHands(args) => &args.run.output,
            Self::Video(args) => &args.run.output,
            Self::Merge(args) => &args.layout.output,
            Self::Split(args) => &args.layout.output,
            Self::Dedup(args) => &args.layout.output,
            Self::Inspect(_) | Self::Concepts(_) => return None,
        })
    }
}

/// Runs a command on data.
pub fn run(mut command: DataCommand) -> Result<()> {
    for path in read_by(&mut command) {
        *path = find(path);
    }
    let folder = command.output().map(Path::to_owned).unwrap_or_default();
    let manifest = match command {
        DataCommand::NamedPictures(args) => named_pictures::make(&args)?,
        DataCommand::Formulas(args) => formulas::make(&args)?,
        DataCommand::Pages(args) => pages::make(&args)?,
        DataCommand::Text(args) => plain_text::make(&args)?,
        DataCommand::Textbooks(args) => textbooks::make(&args)?,
        DataCommand::OtherHands(args) => {
            let made = other_hands::make(&args)?;
            let summaries = made
                .iter()
                .map(|(folder, manifest)| manifest.summary(folder));
            return output::print(&summaries.collect::<String>());
        }
        DataCommand::Video(args) => of_videos(&args)?,
        DataCommand::Concepts(args) => return concepts::run(&args),
        DataCommand::Inspect(args) => return inspect::run(&args),
        DataCommand::Merge(args) => return combine::merge(&args),
        DataCommand::Split(args) => return combine::split(&args),
        DataCommand::Dedup(args) => return combine::dedup(&args),
    };
    // What was kept and what was rejected, and why.
    output::print(&manifest.summary(&folder))
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
