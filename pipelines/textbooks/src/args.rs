//! What the pipeline is asked for.

use std::path::PathBuf;

use pipeline::{RunArgs, Split};

/// `avocet data textbooks`.
#[derive(Debug, Clone, clap::Args)]
pub struct Args {
    /// Long texts: .txt, .md or .html files.
    #[arg(required = true, value_name = "FILE")]
    pub files: Vec<PathBuf>,
    /// What every pipeline is asked for.
    #[command(flatten)]
    pub run: RunArgs,
    /// The language model that asks and answers: `mini` (built in), a folder, a GGUF file, or a hub
    /// id such as owner/name.
    #[arg(long, value_name = "REF")]
    pub model: String,
    /// Phrases of each passage that a question is tried for; those that pass every filter are kept.
    #[arg(long, value_name = "N", default_value_t = 3, value_parser = clap::value_parser!(u32).range(1..=64))]
    pub questions: u32,
    /// Leave the passage out of the question, and keep only questions that can be understood
    /// without it.
    #[arg(long)]
    pub closed_book: bool,
    /// Licence of the files.
    #[arg(long, value_name = "TEXT", default_value = "unstated")]
    pub licence: String,
    /// Which files to take: the name of a file decides, for good, to which part it belongs.
    #[arg(long, value_enum, default_value = "train")]
    pub split: Split,
}
