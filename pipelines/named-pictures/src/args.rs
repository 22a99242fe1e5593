//! What the pipeline is asked for.

use std::path::PathBuf;

use crate::kinds::{Kind, Split};

/// `avocet data named-pictures`.
#[derive(Debug, Clone, clap::Args)]
pub struct Args {
    /// What to draw; may be given several times [default: all that the split has].
    #[arg(long = "kind", value_enum, value_name = "KIND")]
    pub kinds: Vec<Kind>,
    /// What the samples are for.
    #[arg(long, value_enum, default_value = "train")]
    pub split: Split,
    /// Samples of each kind; easy-vqa has no more than its own.
    #[arg(long, value_name = "N", default_value_t = 10_000)]
    pub count: usize,
    /// The dataset folder.
    #[arg(short, long, value_name = "DIR")]
    pub output: PathBuf,
    /// Seed of everything drawn at random.
    #[arg(long, default_value_t = 0)]
    pub seed: u64,
    /// The most characters in a line of text.
    #[arg(long, value_name = "N", default_value_t = 24)]
    pub max_chars: usize,
    /// Which of the parallel runs this is.
    #[arg(long, default_value_t = 0)]
    pub rank: usize,
    /// How many parallel runs there are; each writes OUTPUT/part-R-of-N.
    #[arg(long, default_value_t = 1)]
    pub world: usize,
    /// Threads; 0 for one a core. The bytes written do not depend on it.
    #[arg(long, default_value_t = 0)]
    pub jobs: usize,
    /// A shard is closed once it has this many MiB.
    #[arg(long, value_name = "N", default_value_t = 64, value_parser = clap::value_parser!(u64).range(1..=65_536))]
    pub shard_mib: u64,
    /// A list of what can be fetched, instead of avocet's own.
    #[arg(long, value_name = "FILE")]
    pub manifest: Option<PathBuf>,
}
