//! What the pipeline is asked for.

use std::path::PathBuf;

use plain_text::Split;

/// `avocet data textbooks`.
#[derive(Debug, Clone, clap::Args)]
pub struct Args {
    /// Long texts: .txt, .md or .html files.
    #[arg(required = true, value_name = "FILE")]
    pub files: Vec<PathBuf>,
    /// The dataset folder; a run that was stopped goes on there.
    #[arg(short, long, value_name = "DIR")]
    pub output: PathBuf,
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
    /// Seed of everything drawn at random.
    #[arg(long, value_name = "S", default_value_t = 0)]
    pub seed: u64,
    /// Which files to take: the name of a file decides, for good, to which part it belongs.
    #[arg(long, value_enum, default_value = "train")]
    pub split: Split,
    /// Which of the parallel runs this is.
    #[arg(long, value_name = "R", default_value_t = 0)]
    pub rank: u64,
    /// How many parallel runs there are; each writes OUTPUT/part-R-of-N.
    #[arg(long, value_name = "N", default_value_t = 1)]
    pub world: u64,
}
