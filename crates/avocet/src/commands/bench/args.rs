//! The command line of `avocet bench`.

use clap::Args;

use avocet_kernels::Placement;
use avocet_train::config::Precision;

use crate::args::PrecisionFlag;

/// `avocet bench`.
#[derive(Debug, Args)]
pub struct BenchArgs {
    /// The model: `mini` (built in), a folder, a GGUF file, or a hub id such as owner/name.
    #[arg(long, value_name = "REF", default_value = "mini")]
    pub model: String,
    /// Print one JSON object.
    #[arg(long)]
    pub json: bool,
    /// A random model of a public family instead: its name, `all`, or a model configuration.
    #[arg(long, value_name = "NAME|all|FILE.toml", conflicts_with_all = ["model", "train_step"])]
    pub family: Option<String>,
    /// Only the decoder: prefill of 512 tokens, and decoding.
    #[arg(long, conflicts_with_all = ["family", "train_step"])]
    pub decoder: bool,
    /// Only the training step, on a synthetic batch.
    #[arg(long)]
    pub train_step: bool,
    /// Training steps that are timed.
    #[arg(long, value_name = "N", default_value_t = 5)]
    pub steps: usize,
    /// Number format of the large products.
    #[arg(long, value_enum, default_value_t = PrecisionFlag::F32)]
    pub precision: PrecisionFlag,
}

impl BenchArgs {
    /// Where models are measured.
    pub fn placement(&self) -> Placement {
        Placement::host(Precision::from(self.precision).into())
    }
}
