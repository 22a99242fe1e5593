//! What the pipeline is asked for.

use std::path::PathBuf;

use pipeline::{RunArgs, Split};

use crate::kinds::Kind;

/// `avocet data named-pictures`.
#[derive(Debug, Clone, clap::Args)]
pub struct Args {
    /// What to draw; may be given several times [default: all that the split has
    /// and that need no browser].
    #[arg(long = "kind", value_enum, value_name = "KIND")]
    pub kinds: Vec<Kind>,
    /// What the samples are for.
    #[arg(long, value_enum, default_value = "train")]
    pub split: Split,
    /// Samples of each kind; easy-vqa has no more than its own, and of text-browser some are left
    /// out that the browser cannot show.
    #[arg(long, value_name = "N", default_value_t = 10_000)]
    pub count: usize,
    /// What every pipeline is asked for.
    #[command(flatten)]
    pub run: RunArgs,
    /// The most characters in a line of text.
    #[arg(long, value_name = "N", default_value_t = 24)]
    pub max_chars: usize,
    /// Threads; 0 for one a core. The bytes written do not depend on it.
    #[arg(long, default_value_t = 0)]
    pub jobs: usize,
    /// A list of what can be fetched, instead of avocet's own.
    #[arg(long, value_name = "FILE")]
    pub manifest: Option<PathBuf>,
}
