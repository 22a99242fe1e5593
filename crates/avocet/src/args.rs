//! The command line as types: every command, flag and default that `avocet` knows.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use avocet_media::named::find;
use clap::builder::{OsStringValueParser, TypedValueParser};
use clap::{Args, Parser, Subcommand, ValueEnum};

use crate::datasets::{DedupArgs, MergeArgs, SplitArgs};
use crate::eval::EvalArgs;

/// Asks questions about pictures, and trains the model that answers them.
#[derive(Debug, Parser)]
#[command(
    name = "avocet",
    version,
    propagate_version = true,
    arg_required_else_help = true
)]
pub struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// The commands of `avocet`.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Answer one question about zero or more images or videos.
    Ask(AskArgs),
    /// Hold a conversation; `/image FILE` adds an image, end of input ends it.
    Chat(ChatArgs),
    /// What is said and what is seen in a video, on one time line.
    Caption(crate::caption::CaptionArgs),
    /// Log-probabilities of given texts: JSONL in, JSONL out.
    Score(ScoreArgs),
    /// Answer a held-out set and print how much of it is right.
    Eval(EvalArgs),
    /// Shapes, parameter counts and gates of a preset, a model or a training run.
    Inspect(InspectArgs),
    /// What a model is, and whether it would run on this machine.
    Doctor(DoctorArgs),
    /// Write down what is said in a video or sound file, with times.
    Transcribe(crate::transcribe::TranscribeArgs),
    /// Train one stage or a list of stages from a TOML file.
    Train(TrainArgs),
    /// Let a model learn from your own pictures, questions and answers.
    Finetune(crate::finetune::FinetuneArgs),
    /// Make training data, or look at it.
    #[command(subcommand)]
    Data(DataCommand),
    /// What models there are, and where.
    #[command(subcommand)]
    Models(ModelsCommand),
    /// Write a model with its matrices in blocks of small integers, and measure what that loses.
    #[command(alias = "quantize")]
    Quantise(QuantiseArgs),
    /// Give a decoder another model's eyes, behind closed gates: it answers texts as before.
    Graft(GraftArgs),
    /// Make a dense decoder a mixture of experts that answers as before.
    Upcycle(UpcycleArgs),
    /// What a model of any size costs to train or to serve, before money is spent.
    #[command(subcommand)]
    Plan(crate::plan::args::PlanCommand),
    /// Measure this machine: products, bandwidth, vision, prefill, decode, cold start.
    Bench(BenchArgs),
}

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
}

/// `avocet ask`.
#[derive(Debug, Args)]
pub struct AskArgs {
    /// How to answer.
    #[command(flatten)]
    pub answer: AnswerArgs,
    /// Image and video files, - for an image on stdin, URLs of pages or pictures, data URIs, or HTML
    /// files; the last argument is the question.
    #[arg(required = true, value_names = ["MEDIA]... [QUESTION"])]
    pub media_and_question: Vec<OsString>,
    /// Print one JSON object at the end and nothing else.
    #[arg(long)]
    pub json: bool,
}

/// `avocet chat`.
#[derive(Debug, Args)]
pub struct ChatArgs {
    /// How to answer.
    #[command(flatten)]
    pub answer: AnswerArgs,
    /// Image and video files, URLs or HTML files the conversation starts with.
    #[arg(value_name = "MEDIA")]
    pub media: Vec<OsString>,
}

/// `avocet score`.
#[derive(Debug, Args)]
pub struct ScoreArgs {
    /// The model: `mini` (built in), a folder, a GGUF file, or a hub id such as owner/name.
    #[arg(long, value_name = "REF", default_value = "mini")]
    pub model: String,
    /// Change a field of the model's configuration, such as
    /// `cross_attention.without_image=nothing`; may be given many times.
    #[arg(long = "set", value_name = "FIELD=VALUE")]
    pub settings: Vec<String>,
    /// Records {"id","text" or "token_ids","images":[PATH...]}, one a line; - is stdin.
    #[arg(long, value_name = "FILE.jsonl", value_parser = input())]
    pub input: PathBuf,
    /// Also write the f32 logits, one tensor (T, V) named by id.
    #[arg(long, value_name = "FILE.safetensors")]
    pub logits: Option<PathBuf>,
    /// Also append N greedy tokens to each record.
    #[arg(long, value_name = "N")]
    pub greedy: Option<usize>,
}

/// `avocet inspect`.
#[derive(Debug, Args)]
pub struct InspectArgs {
    /// A preset (`gpt4`, `mini`), a model folder, a config file or a training run.
    #[arg(value_name = "REF|RUN")]
    pub subject: String,
    /// List every tensor with its shape.
    #[arg(long)]
    pub shapes: bool,
    /// Print one JSON object.
    #[arg(long)]
    pub json: bool,
    /// Write the report page of a training run to FILE (report.html in the run when absent).
    #[arg(long, value_name = "FILE")]
    pub html: Option<Option<PathBuf>>,
    /// Other training runs: the page compares their held-out losses with the run's; may be given
    /// many times.
    #[arg(long, value_name = "RUN", requires = "html")]
    pub against: Vec<PathBuf>,
}

/// `avocet doctor`.
#[derive(Debug, Args)]
pub struct DoctorArgs {
    /// The model: `mini` (built in), a folder, a GGUF file, or a hub id.
    #[arg(value_name = "REF")]
    pub reference: String,
    /// Print one JSON object.
    #[arg(long)]
    pub json: bool,
    /// Tokens of a text with its answer; as many as the model allows, up to 8192, when absent.
    #[arg(long, value_name = "N", value_parser = at_least_one)]
    pub context: Option<usize>,
    /// Pictures the text is about; 1 when absent, or 0 for a model that sees none.
    #[arg(long, value_name = "N")]
    pub images: Option<usize>,
}

/// `avocet train`.
#[derive(Debug, Args)]
pub struct TrainArgs {
    /// One stage or a list of stages.
    #[arg(value_name = "CONFIG.toml", value_parser = input())]
    pub config: PathBuf,
    /// Go on from the newest whole checkpoint of the run.
    #[arg(long)]
    pub resume: bool,
}

/// `avocet data ...`.
#[derive(Debug, Subcommand)]
pub enum DataCommand {
    /// Shapes, flags, emoji, lines of text and prices with questions and short answers.
    NamedPictures(named_pictures::Args),
    /// Formulas with their LaTeX, paragraphs and small pages with their text.
    Formulas(formulas::Args),
    /// Screenshots of web pages with questions about them, from URLs, files, or made up.
    Pages(pages::Args),
    /// Plain text and questions about words, for the text stage.
    Text(plain_text::Args),
    /// Questions and answers about long texts, written by a language model and held against them.
    Textbooks(textbooks::Args),
    /// Pictures of videos and the words spoken around them.
    Video(video::Args),
    /// What a dataset holds.
    Inspect(DataInspectArgs),
    /// Join datasets, or the parts of one made by several processes, to one.
    Merge(MergeArgs),
    /// Divide datasets by a hash: one part to learn from, one to be tested on.
    Split(SplitArgs),
    /// Leave out samples that repeat others, are held out, or may not be trained on.
    Dedup(DedupArgs),
}

/// `avocet data inspect`.
#[derive(Debug, Args)]
pub struct DataInspectArgs {
    /// The dataset folder.
    #[arg(value_name = "DATASET", value_parser = input())]
    pub dataset: PathBuf,
    /// Print one JSON object.
    #[arg(long)]
    pub json: bool,
    /// Show this sample in full.
    #[arg(long, value_name = "ID")]
    pub sample: Option<String>,
    /// Write a page with pictures.
    #[arg(long, value_name = "FILE")]
    pub html: Option<PathBuf>,
}

/// `avocet models ...`.
#[derive(Debug, Subcommand)]
pub enum ModelsCommand {
    /// The models this machine has.
    List {
        /// Print one JSON array.
        #[arg(long)]
        json: bool,
    },
    /// Write a model folder anew, in another number format: to ship what was trained.
    Export {
        /// The model or training run to read.
        #[arg(value_name = "REF|RUN")]
        reference: String,
        /// The model folder to write.
        #[arg(short, long, value_name = "DIR")]
        output: PathBuf,
        /// How matrices are stored; everything else is f32.
        #[arg(long, value_enum, default_value_t = PrecisionFlag::Bf16)]
        format: PrecisionFlag,
    },
    /// Fetch a model from a hub.
    Pull {
        /// The model to fetch.
        #[arg(value_name = "REF")]
        reference: String,
    },
}

/// `avocet quantise`.
#[derive(Debug, Args)]
pub struct QuantiseArgs {
    /// The model: `mini` (built in), a folder, or a hub id.
    #[arg(value_name = "REF")]
    pub model: String,
    /// What matrices are turned into.
    #[arg(long, value_enum)]
    pub to: BlockFlag,
    /// The model folder to write.
    #[arg(short, long, value_name = "DIR")]
    pub output: PathBuf,
    /// The text on which perplexities are measured; a story of 1,500 words when absent.
    #[arg(long, value_name = "FILE")]
    pub text: Option<PathBuf>,
    /// Print one JSON object.
    #[arg(long)]
    pub json: bool,
}

/// Blocks of small integers with a scale.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum BlockFlag {
    /// 8.5 bits a number.
    #[value(name = "q8_0")]
    Q8_0,
    /// 4.5 bits a number; embeddings and output head 8.5.
    #[value(name = "q4_k")]
    Q4K,
}

/// `avocet graft`.
#[derive(Debug, Args)]
pub struct GraftArgs {
    /// The text model.
    #[arg(long, value_name = "REF")]
    pub decoder: String,
    /// Whose eyes it gets: CLIP, SigLIP, or a model that sees.
    #[arg(long, value_name = "REF")]
    pub vision: String,
    /// One new layer for N decoder layers; the largest divisor of their number up to 4 when absent.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..))]
    pub every: Option<u16>,
    /// Width of the new layers' feed-forward; the decoder's own when absent.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..))]
    pub ff_dim: Option<u16>,
    /// A new resampler that makes M latents of a picture.
    #[arg(long, value_name = "M", value_parser = clap::value_parser!(u16).range(1..))]
    pub latents: Option<u16>,
    /// Seed of the new layers' values.
    #[arg(long, value_name = "S", default_value_t = 0)]
    pub seed: u64,
    /// The model folder to write.
    #[arg(short, long, value_name = "DIR")]
    pub output: PathBuf,
}

/// `avocet upcycle`.
#[derive(Debug, Args)]
pub struct UpcycleArgs {
    /// The dense model.
    #[arg(long, value_name = "REF")]
    pub decoder: String,
    /// Number of experts, each the dense block.
    #[arg(long, value_name = "E", value_parser = clap::value_parser!(u16).range(1..))]
    pub experts: u16,
    /// Experts that each token visits.
    #[arg(long, value_name = "K", value_parser = clap::value_parser!(u16).range(1..))]
    pub top_k: u16,
    /// Seed of the routers' values.
    #[arg(long, value_name = "S", default_value_t = 0)]
    pub seed: u64,
    /// The model folder to write.
    #[arg(short, long, value_name = "DIR")]
    pub output: PathBuf,
}

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

/// Number format of matrices or their products.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum PrecisionFlag {
    /// 32 bits.
    F32,
    /// 16 bits with the exponent of 32; sums of products stay in 32.
    Bf16,
}

/// The path of something that is read: what is there, however the letters of its name are composed.
pub fn input() -> impl TypedValueParser<Value = PathBuf> {
    OsStringValueParser::new().map(|name| find(Path::new(&name)))
}

fn at_least_one(text: &str) -> Result<usize, String> {
    match text.parse::<usize>() {
        Ok(value) if value > 0 => Ok(value),
        _ => Err("must be a whole number of at least 1".into()),
    }
}

fn temperature(text: &str) -> Result<f64, String> {
    match text.parse::<f64>() {
        Ok(value) if value.is_finite() && value >= 0.0 => Ok(value),
        _ => Err("must be a number of at least 0".into()),
    }
}

fn probability(text: &str) -> Result<f64, String> {
    match text.parse::<f64>() {
        Ok(value) if value > 0.0 && value <= 1.0 => Ok(value),
        _ => Err("must be a number above 0 and at most 1".into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn the_command_line_is_well_formed() {
        Cli::command().debug_assert();
    }

    #[test]
    fn the_last_argument_of_ask_is_the_question() {
        let cli = Cli::try_parse_from(["avocet", "ask", "a.png", "b.png", "Which?"]);
        let Ok(Cli {
            command: Command::Ask(ask),
        }) = cli
        else {
            panic!("{cli:?}")
        };
        assert_eq!(ask.media_and_question, ["a.png", "b.png", "Which?"]);
    }

    #[test]
    fn numbers_out_of_range_are_wrong_command_lines() {
        for flag in [
            "--temperature=NaN",
            "--temperature=-1",
            "--top-p=0",
            "--top-p=1.5",
            "--max-tokens=0",
        ] {
            assert!(
                Cli::try_parse_from(["avocet", "ask", flag, "Why?"]).is_err(),
                "{flag}"
            );
        }
    }
}
