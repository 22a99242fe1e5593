//! The command line of `avocet finetune`.

use std::path::PathBuf;

use clap::{Args, ValueEnum};

use crate::args::{PrecisionFlag, input, share};

/// `avocet finetune`.
#[derive(Debug, Args)]
pub struct FinetuneArgs {
    /// The model: `mini` (built in), a folder, a GGUF file, or a hub id such as owner/name.
    #[arg(long, value_name = "REF", default_value = "mini")]
    pub model: String,
    /// What is learned: a folder of pictures with metadata.jsonl or metadata.csv (file_name,
    /// question, answer), a folder of folders that are named after what their pictures show, a .jsonl or .json file of questions or conversations, or a dataset folder.
    #[arg(long, value_name = "DATASET", value_parser = input())]
    pub data: PathBuf,
    /// The folder of the run: checkpoints, metrics, and the result, which `--model` takes.
    #[arg(short, long, value_name = "RUN")]
    pub output: PathBuf,
    /// What learns [default: cross for a model that sees, unless --lora is given].
    #[arg(long, value_enum, value_name = "PART")]
    pub train: Option<Trained>,
    /// Let products of rank R learn beside frozen matrices.
    #[arg(long, value_name = "R", value_parser = clap::value_parser!(u16).range(1..))]
    pub lora: Option<u16>,
    /// Which matrices, by patterns of their names (`avocet inspect REF --shapes` lists them);
    /// several with commas.
    #[arg(
        long,
        value_name = "PATTERN",
        value_delimiter = ',',
        requires = "lora",
        default_value = "decoder.layers.*.attention.*,decoder.layers.*.ff.*"
    )]
    pub lora_layers: Vec<String>,
    /// Share of the samples that are not learned from: by them it is seen when enough is learned, and
    /// how good the result is. None of fewer than 20; 0 learns from all.
    #[arg(long, value_name = "SHARE", default_value_t = 0.2, value_parser = held_out)]
    pub held_out: f64,
    /// It ends after so many measurements of what is held out without a better one; the best values
    /// stay.
    #[arg(long, value_name = "N", default_value_t = 8, value_parser = clap::value_parser!(u32).range(1..))]
    pub patience: u32,
    /// What pictures may become while they are learned from [default: things, or letters where
    /// questions or answers speak of reading, of sides or of single letters].
    #[arg(long, value_enum, value_name = "WHAT")]
    pub augment: Option<AugmentFlag>,
    /// The most steps [default: as many as pass 20 times over the data, or 40 times where a part is
    /// held out; 100 to 2000].
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    pub steps: Option<u64>,
    /// Samples that a step learns from together.
    #[arg(long, value_name = "N", default_value_t = 16, value_parser = clap::value_parser!(u16).range(1..))]
    pub batch: u16,
    /// Parts that a step's samples are computed in: more need less memory.
    #[arg(long, value_name = "N", default_value_t = 2, value_parser = clap::value_parser!(u16).range(1..))]
    pub parts: u16,
    /// Compute each block again on the way back: a third more time, much less memory.
    #[arg(long)]
    pub recompute: bool,
    /// Number format of the large products; what learns is f32 always.
    #[arg(long, value_enum, default_value_t = PrecisionFlag::F32)]
    pub precision: PrecisionFlag,
    /// Highest learning rate [default: 1e-3, 3e-4 with --train all].
    #[arg(long, value_name = "RATE", value_parser = rate)]
    pub learning_rate: Option<f64>,
    /// What happens to a wrong row, which is named by its line.
    #[arg(long, value_enum, value_name = "WHAT", default_value_t = OnError::Stop)]
    pub on_error: OnError,
    /// Seed of new values and of the order of the data.
    #[arg(long, value_name = "S", default_value_t = 0)]
    pub seed: u64,
    /// Go on from the newest whole checkpoint of the run, exactly as if it had never stopped.
    #[arg(long)]
    pub resume: bool,
    /// Print one JSON object at the end.
    #[arg(long)]
    pub json: bool,
}

/// What learns.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Trained {
    /// Cross-attention and the resampler.
    Cross,
    /// Everything.
    All,
}

/// What pictures may become while they are learned from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum AugmentFlag {
    /// What they are.
    None,
    /// A little turned, nearer and farther, in another light.
    Letters,
    /// Mirrored as well, and with more of the edges cut off.
    Things,
}

impl From<AugmentFlag> for avocet_train::config::AugmentConfig {
    fn from(flag: AugmentFlag) -> Self {
        match flag {
            AugmentFlag::None => Self::None,
            AugmentFlag::Letters => Self::Letters,
            AugmentFlag::Things => Self::Things,
        }
    }
}

/// What happens to a wrong row.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum OnError {
    /// It is left out.
    Skip,
    /// Nothing is learned.
    Stop,
}

fn rate(text: &str) -> Result<f64, String> {
    match text.parse::<f64>() {
        Ok(value) if value.is_finite() && value > 0.0 => Ok(value),
        _ => Err("must be a number above 0".into()),
    }
}

fn held_out(text: &str) -> Result<f64, String> {
    match share(text) {
        Ok(value) if value <= 0.5 => Ok(value),
        _ => Err("must be a number of 0 to 0.5".into()),
    }
}
