//! `avocet data merge|split|dedup`: datasets made from datasets.

use std::path::PathBuf;

use anyhow::Result;
use avocet_data::{DedupOptions, Layout, Match, OptOut, SplitBy, SplitOptions, SplitPart};
use clap::{Args, ValueEnum};
use indicatif::ProgressBar;

use crate::args::{input, probability};
use crate::ui::output::print;
use crate::ui::progress::bar;

/// What is read and how it is written.
#[derive(Debug, Args)]
pub struct LayoutArgs {
    /// Dataset folders, also those that hold the parts part-R-of-N of one.
    #[arg(required = true, value_name = "DATASET", value_parser = input())]
    pub datasets: Vec<PathBuf>,
    /// The folder to write; a run that was stopped goes on there.
    #[arg(short, long, value_name = "DIR")]
    pub output: PathBuf,
    /// Threads; 0 for one a core. The bytes written do not depend on it.
    #[arg(long, value_name = "N", default_value_t = 0)]
    pub jobs: usize,
    /// A shard is closed once it has this many MiB [default: as in the datasets, or 64].
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..=65_536))]
    pub shard_mib: Option<u64>,
}

/// `avocet data merge`.
#[derive(Debug, Args)]
pub struct MergeArgs {
    /// What is read and how it is written.
    #[command(flatten)]
    pub layout: LayoutArgs,
}

/// `avocet data split`.
#[derive(Debug, Args)]
pub struct SplitArgs {
    /// What is read and how it is written.
    #[command(flatten)]
    pub layout: LayoutArgs,
    /// Short for --parts test=F,train=1-F.
    #[arg(long, value_name = "F", value_parser = fraction, required_unless_present = "parts", conflicts_with = "parts")]
    pub test: Option<f64>,
    /// The parts, each a folder of the output, and their fractions, which add up to 1.
    #[arg(long, value_name = "NAME=F", value_delimiter = ',', value_parser = part)]
    pub parts: Vec<SplitPart>,
    /// What stays together beside all samples that share a picture.
    #[arg(long, value_enum, default_value_t = ByFlag::Image)]
    pub by: ByFlag,
    /// Another seed gives another division.
    #[arg(long, value_name = "S", default_value_t = 0)]
    pub seed: u64,
}

/// What decides on which side a sample falls.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum ByFlag {
    /// A sample's picture, or its name if it has none.
    Image,
    /// Its source: samples of one source stay together.
    Source,
}

/// `avocet data dedup`.
#[derive(Debug, Args)]
pub struct DedupArgs {
    /// What is read and how it is written.
    #[command(flatten)]
    pub layout: LayoutArgs,
    /// Which pictures are the same: equal in every pixel, or also copies made smaller,
    /// compressed or brightened.
    #[arg(long, value_enum, default_value_t = MatchFlag::Near)]
    pub pictures: MatchFlag,
    /// Whether samples with the same pictures must also say the same to be duplicates.
    #[arg(long, value_enum, default_value_t = SaidFlag::Same)]
    pub said: SaidFlag,
    /// How alike pictures must be to be nearly the same: a correlation, above 0 to 1.
    #[arg(long, value_name = "X", default_value_t = DedupOptions::PICTURE_SIMILARITY, value_parser = probability)]
    pub picture_similarity: f64,
    /// Which texts without pictures are the same: equal in every word, or also documents with a
    /// few words changed.
    #[arg(long, value_enum, default_value_t = MatchFlag::Near)]
    pub texts: MatchFlag,
    /// How alike documents must be to be nearly the same: the share of all runs of five words
    /// that both have, above 0 to 1.
    #[arg(long, value_name = "X", default_value_t = DedupOptions::TEXT_SIMILARITY, value_parser = probability)]
    pub text_similarity: f64,
    /// What nobody may train on, one a line: a source, the beginning of sources (word*), a host,
    /// an address, the SHA-256 of an image file, or the name of a sample.
    #[arg(long, value_name = "FILE")]
    pub opt_out: Option<PathBuf>,
    /// A held-out dataset, of which no picture and no text may be kept; may be given many times.
    #[arg(long, value_name = "DATASET")]
    pub against: Vec<PathBuf>,
}

/// What counts as the same.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum MatchFlag {
    /// Not compared.
    Off,
    /// Equal.
    Exact,
    /// Equal or nearly so.
    Near,
}

/// Whether words count beside pictures.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum SaidFlag {
    /// Another question about the same picture is another sample.
    Same,
    /// One sample a picture.
    Any,
}

/// Joins datasets.
pub fn merge(args: &MergeArgs) -> Result<()> {
    let LayoutArgs {
        datasets, output, ..
    } = &args.layout;
    let bar = shown();
    let manifest = avocet_data::merge(datasets, output, &layout(&args.layout), &told(&bar))?;
    bar.finish_and_clear();
    print(&manifest.summary(output))
}

/// Divides datasets.
pub fn split(args: &SplitArgs) -> Result<()> {
    let LayoutArgs {
        datasets, output, ..
    } = &args.layout;
    let part = |name: &str, fraction| SplitPart {
        name: name.into(),
        fraction,
    };
    let options = SplitOptions {
        parts: match args.test {
            // The tested part comes first: it keeps its samples when its share is raised.
            Some(test) => vec![part("test", test), part("train", 1.0 - test)],
            None => args.parts.clone(),
        },
        by: match args.by {
            ByFlag::Image => SplitBy::Image,
            ByFlag::Source => SplitBy::Source,
        },
        seed: args.seed,
    };
    let bar = shown();
    let layout = layout(&args.layout);
    let manifests = avocet_data::split(datasets, output, &options, &layout, &told(&bar))?;
    bar.finish_and_clear();
    for (part, manifest) in options.parts.iter().zip(&manifests) {
        print(&manifest.summary(&output.join(&part.name)))?;
    }
    Ok(())
}

/// Leaves out what repeats.
pub fn dedup(args: &DedupArgs) -> Result<()> {
    let LayoutArgs {
        datasets, output, ..
    } = &args.layout;
    let options = DedupOptions {
        pictures: matched(args.pictures),
        said: args.said == SaidFlag::Same,
        picture_similarity: args.picture_similarity,
        texts: matched(args.texts),
        text_similarity: args.text_similarity,
        opt_out: args.opt_out.as_deref().map(OptOut::read).transpose()?,
        against: args.against.clone(),
    };
    let bar = shown();
    let layout = layout(&args.layout);
    let manifest = avocet_data::dedup(datasets, output, &options, &layout, &told(&bar))?;
    bar.finish_and_clear();
    print(&manifest.summary(output))
}

fn layout(args: &LayoutArgs) -> Layout {
    Layout {
        shard_bytes: args.shard_mib.map(|mib| mib << 20),
        jobs: args.jobs,
    }
}

fn matched(flag: MatchFlag) -> Match {
    match flag {
        MatchFlag::Off => Match::Off,
        MatchFlag::Exact => Match::Exact,
        MatchFlag::Near => Match::Near,
    }
}

fn shown() -> ProgressBar {
    bar("{bar:30} {pos}/{len} {per_sec} {eta} left").unwrap_or_else(ProgressBar::hidden)
}

fn told(bar: &ProgressBar) -> impl Fn(u64, u64) + '_ {
    |done, total| {
        bar.set_length(total);
        bar.set_position(done);
    }
}

fn fraction(text: &str) -> Result<f64, String> {
    match probability(text) {
        Ok(value) if value < 1.0 => Ok(value),
        _ => Err("must be a number above 0 and below 1".into()),
    }
}

fn part(text: &str) -> Result<SplitPart, String> {
    let Some((name, share)) = text.split_once('=') else {
        return Err("must be NAME=FRACTION, such as test=0.02".into());
    };
    Ok(SplitPart {
        name: name.into(),
        fraction: fraction(share)?,
    })
}
