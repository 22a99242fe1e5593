//! Arguments that several commands share.

use std::path::{Path, PathBuf};

use avocet_infer::SamplingOptions;
use avocet_media::named::find;
use clap::builder::{OsStringValueParser, TypedValueParser};
use clap::{Args, ValueEnum};

/// Which model, and how an answer is drawn from it.
#[derive(Debug, Args)]
pub struct AnswerArgs {
    /// The model: `mini` (built in), a folder, a GGUF file, or a hub id such as owner/name.
    #[arg(long, value_name = "REF", default_value = "mini")]
    pub model: String,
    /// Change a field of the model's configuration, such as
    /// `cross_attention.without_image=nothing`; may be given many times.
    #[arg(long = "set", value_name = "FIELD=VALUE")]
    pub settings: Vec<String>,
    /// The most tokens one answer may have.
    #[arg(long, value_name = "N", default_value_t = 128, value_parser = clap::value_parser!(u32).range(1..))]
    pub max_tokens: u32,
    /// 0 always takes the likeliest token; higher is more varied.
    #[arg(long, value_name = "T", default_value_t = 0.0, value_parser = temperature)]
    pub temperature: f64,
    /// Draw only from the likeliest tokens whose probabilities reach P together.
    #[arg(long, value_name = "P", default_value_t = 1.0, value_parser = probability)]
    pub top_p: f64,
    /// Seed of the draws.
    #[arg(long, value_name = "S", default_value_t = 0)]
    pub seed: u64,
    /// Text put before the conversation as the system's turn.
    #[arg(long, value_name = "TEXT")]
    pub system: Option<String>,
    /// Where the model says that it is not sure.
    #[command(flatten)]
    pub sureness: ThresholdArgs,
}

/// Below which confidence a model does not answer.
#[derive(Debug, Clone, Copy, Args)]
pub struct ThresholdArgs {
    /// Say "not sure" instead of an answer that is right with a smaller probability than P; 0 always
    /// answers [default: what the model's `confidence` table has, or 0].
    #[arg(long, value_name = "P", value_parser = share)]
    pub threshold: Option<f64>,
}

impl AnswerArgs {
    /// The flags as the engine takes them.
    pub fn sampling(&self) -> SamplingOptions {
        SamplingOptions {
            max_tokens: self.max_tokens as usize,
            temperature: self.temperature,
            top_p: self.top_p,
            seed: self.seed,
        }
    }
}

/// Number format of matrices or their products.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum PrecisionFlag {
    /// 32 bits.
    F32,
    /// 16 bits with the exponent of 32; sums of products stay in 32.
    Bf16,
}

impl From<PrecisionFlag> for avocet_train::config::Precision {
    fn from(flag: PrecisionFlag) -> Self {
        match flag {
            PrecisionFlag::F32 => Self::F32,
            PrecisionFlag::Bf16 => Self::Bf16,
        }
    }
}

/// The path of something that is read: what is there, however the letters of its name are composed.
pub fn input() -> impl TypedValueParser<Value = PathBuf> {
    OsStringValueParser::new().map(|name| find(Path::new(&name)))
}

fn temperature(text: &str) -> Result<f64, String> {
    match text.parse::<f64>() {
        Ok(value) if value.is_finite() && value >= 0.0 => Ok(value),
        _ => Err("must be a number of at least 0".into()),
    }
}

/// A probability, 0 and 1 included.
pub fn share(text: &str) -> Result<f64, String> {
    match text.parse::<f64>() {
        Ok(value) if (0.0..=1.0).contains(&value) => Ok(value),
        _ => Err("must be a number of 0 to 1".into()),
    }
}

/// A share of things, or a probability that is not 0.
pub fn probability(text: &str) -> Result<f64, String> {
    match text.parse::<f64>() {
        Ok(value) if value > 0.0 && value <= 1.0 => Ok(value),
        _ => Err("must be a number above 0 and at most 1".into()),
    }
}
