//! What the pipeline is asked for.

use std::path::PathBuf;

/// `avocet data text`.
#[derive(Debug, Clone, clap::Args)]
pub struct Args {
    /// Text or Markdown files to take in as well.
    #[arg(value_name = "FILE")]
    pub files: Vec<PathBuf>,
    /// The dataset folder.
    #[arg(short, long, value_name = "DIR")]
    pub output: PathBuf,
    /// Seed of everything drawn at random.
    #[arg(long, default_value_t = 0)]
    pub seed: u64,
    /// Which part of the inputs.
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
    /// Which of the parallel runs this is.
    #[arg(long, default_value_t = 0)]
    pub rank: u64,
    /// How many parallel runs there are; each writes OUTPUT/part-R-of-N.
    #[arg(long, default_value_t = 1)]
    pub world: u64,
}

/// Which part of the inputs to take; the name of an input decides, for good, to which it belongs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Split {
    /// 49 of 50.
    Train,
    /// The rest.
    Test,
}

impl Split {
    /// Its name in file names.
    pub fn name(self) -> &'static str {
        match self {
            Split::Train => "train",
            Split::Test => "test",
        }
    }
}
