//! What the pipeline is asked for.

use std::path::PathBuf;

use pipeline::{RunArgs, Split};

/// `avocet data text`.
#[derive(Debug, Clone, clap::Args)]
pub struct Args {
    /// Text or Markdown files to take in as well.
    #[arg(value_name = "FILE")]
    pub files: Vec<PathBuf>,
    /// What every pipeline is asked for.
    #[command(flatten)]
    pub run: RunArgs,
    /// Which part of the inputs: one in 50 is for the test, decided for good by its name.
    #[arg(long, value_enum, default_value = "train")]
    pub split: Split,
    /// Take in only the files, not WordNet and the Python documentation.
    #[arg(long, requires = "files")]
    pub files_only: bool,
    /// The longest document; a text goes over into the next. The default is about what the
    /// smallest model reads in a context of 512 tokens.
    #[arg(long, value_name = "BYTES", default_value_t = 1200, value_parser = clap::value_parser!(u32).range(64..=16_777_216))]
    pub longest: u32,
    /// Licence of the files.
    #[arg(long, default_value = "unstated")]
    pub licence: String,
    /// A list of what can be fetched, instead of avocet's own.
    #[arg(long, value_name = "FILE")]
    pub manifest: Option<PathBuf>,
}
