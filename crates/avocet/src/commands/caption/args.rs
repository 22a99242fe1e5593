//! The command line of `avocet caption`.

use std::path::PathBuf;

use clap::{Args, ValueEnum};
use video::args::{ChoiceArgs, at_least_one};

use crate::args::{ThresholdArgs, input};

/// `avocet caption`.
#[derive(Debug, Args)]
pub struct CaptionArgs {
    /// The video file.
    #[arg(value_name = "VIDEO", value_parser = input())]
    pub video: PathBuf,
    /// What looks: `mini` (built in), a folder, a GGUF file, or a hub id such as owner/name.
    #[arg(long, value_name = "REF", default_value = "mini")]
    pub model: String,
    /// Change a field of the model's configuration, such as
    /// `cross_attention.without_image=nothing`; may be given many times.
    #[arg(long = "set", value_name = "FIELD=VALUE")]
    pub settings: Vec<String>,
    /// What is asked about each frame; given several times, the answer that the model is surest of
    /// stands [default: what the model was taught to answer].
    #[arg(long, value_name = "TEXT")]
    pub question: Vec<String>,
    /// What listens: `base` (99 languages, 145 MB) or `tiny.en` (English, 75 MB), fetched once; a
    /// ggml file, a faster-whisper folder, or a ggml file of a hub (owner/name/file.bin).
    #[arg(long, value_name = "REF", default_value = "base")]
    pub whisper: String,
    /// The language that is spoken, such as en or german; found out when absent or auto.
    #[arg(long, value_name = "L")]
    pub language: Option<String>,
    /// Which sound track, counted from 1, where the file has several; the file's default when
    /// absent.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    pub track: Option<u32>,
    /// Do not listen: caption only what is seen.
    #[arg(long, conflicts_with_all = ["whisper", "language", "track", "speech"])]
    pub no_speech: bool,
    /// How frames are chosen.
    #[command(flatten)]
    pub choice: ChoiceArgs,
    /// The most frames that are described.
    #[arg(long, value_name = "N", default_value_t = 240, value_parser = at_least_one)]
    pub max_frames: usize,
    /// The most pixels of a frame; larger ones are scaled down.
    #[arg(long, value_name = "N", default_value_t = 230_400, value_parser = at_least_one)]
    pub max_pixels: usize,
    /// The most tokens of all frames together, as the model counts what it sees.
    #[arg(long, value_name = "N", default_value_t = 1_000_000, value_parser = at_least_one)]
    pub max_vision_tokens: usize,
    /// The most tokens of one caption.
    #[arg(long, value_name = "N", default_value_t = 64, value_parser = clap::value_parser!(u32).range(1..))]
    pub max_tokens: u32,
    /// Which frames get no caption, since the model is not sure of it.
    #[command(flatten)]
    pub sureness: ThresholdArgs,
    /// What is written [default: txt, or with -o all of them].
    #[arg(long, value_enum, value_delimiter = ',', value_name = "LIST")]
    pub format: Vec<CaptionFormat>,
    /// The folder for files named after the video; without it, one format goes to stdout.
    #[arg(short, long, value_name = "DIR")]
    pub output: Option<PathBuf>,
}

/// What can be written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, ValueEnum)]
pub enum CaptionFormat {
    /// Lines for reading: time, seen or said, words.
    Txt,
    /// Subtitles; what is seen stands in brackets.
    Srt,
    /// Subtitles for browsers; what is seen has the class `seen`.
    Vtt,
    /// One object; frames lie beside with -o, and are data URIs without.
    Json,
    /// One page with everything on it.
    Html,
}

impl CaptionFormat {
    /// Every format.
    pub const ALL: [Self; 5] = [Self::Txt, Self::Srt, Self::Vtt, Self::Json, Self::Html];

    /// The ending of its files.
    pub fn ending(self) -> &'static str {
        match self {
            Self::Txt => "txt",
            Self::Srt => "srt",
            Self::Vtt => "vtt",
            Self::Json => "json",
            Self::Html => "html",
        }
    }
}
