//! What the pipeline is asked for.

use std::path::PathBuf;

use avocet_video::frames::Choice;
use pipeline::{RunArgs, Split};

/// A frame this often while a scene lasts, unless asked otherwise.
const WHILE_A_SCENE_LASTS_S: f64 = 5.0;

/// How frames are chosen, and how many may be; one way at a time.
#[derive(Debug, Clone, clap::Args)]
#[group(skip)]
pub struct ChoiceArgs {
    /// A frame every S seconds.
    #[arg(long, value_name = "S", value_parser = seconds, conflicts_with = "scenes")]
    pub every: Option<f64>,
    /// A frame at each scene change.
    #[arg(long)]
    pub scenes: bool,
    /// A frame in the middle of each spoken segment.
    #[arg(long, conflicts_with_all = ["every", "scenes"])]
    pub speech: bool,
}

/// `avocet data video`.
#[derive(Debug, Clone, clap::Args)]
pub struct Args {
    /// Video files, and folders of them.
    #[arg(required = true, value_name = "IN")]
    pub inputs: Vec<PathBuf>,
    /// What every pipeline is asked for.
    #[command(flatten)]
    pub run: RunArgs,
    /// How frames are chosen [default: at scene changes, and every 5 s while a scene lasts].
    #[command(flatten)]
    pub choice: ChoiceArgs,
    /// The speech model: a name, a ggml file, or a faster-whisper folder.
    #[arg(long, value_name = "REF", default_value = "base")]
    pub whisper: String,
    /// The language spoken, such as en; found out when absent.
    #[arg(long, value_name = "L")]
    pub language: Option<String>,
    /// A folder with NAME.json for a video NAME.mp4, as `avocet transcribe --format json -o DIR`
    /// writes them; such a video is not heard again.
    #[arg(long, value_name = "DIR")]
    pub transcripts: Option<PathBuf>,
    /// The most frames of one video.
    #[arg(long, value_name = "N", default_value_t = 512, value_parser = at_least_one)]
    pub max_frames: usize,
    /// The most pixels of a frame; larger ones are scaled down.
    #[arg(long, value_name = "N", default_value_t = 102_400, value_parser = at_least_one)]
    pub max_pixels: usize,
    /// The most tokens of the pictures of one sample, as the model counts what it sees.
    #[arg(long, value_name = "N", default_value_t = 1152, value_parser = at_least_one)]
    pub max_tokens: usize,
    /// Tokens of one picture; 144 for mini.
    #[arg(long, value_name = "N", default_value_t = 144, value_parser = at_least_one)]
    pub tokens_per_frame: usize,
    /// The longest stretch of a video in one sample.
    #[arg(long, value_name = "S", default_value_t = 60.0, value_parser = seconds)]
    pub max_seconds: f64,
    /// The licence of the videos, kept with every sample.
    #[arg(long, value_name = "TEXT", default_value = "unknown")]
    pub licence: String,
    /// What the samples are for.
    #[arg(long, value_enum, default_value = "train")]
    pub split: Split,
    /// Videos at a time; 0 for one a core. The bytes written do not depend on it.
    #[arg(long, default_value_t = 0)]
    pub jobs: usize,
}

/// A length of time that frames can be apart.
pub fn seconds(text: &str) -> Result<f64, String> {
    match text.parse::<f64>() {
        Ok(value) if (0.05..=86_400.0).contains(&value) => Ok(value),
        _ => Err("must be a number of seconds from 0.05 to 86400".into()),
    }
}

/// A number of things of which there must be one.
pub fn at_least_one(text: &str) -> Result<usize, String> {
    match text.parse::<usize>() {
        Ok(value) if value > 0 => Ok(value),
        _ => Err("must be a whole number of at least 1".into()),
    }
}

impl ChoiceArgs {
    /// The choice asked for, or scenes with a frame every few seconds while one lasts.
    pub fn choice(&self) -> Choice {
        match (self.every, self.scenes, self.speech) {
            (Some(step_s), ..) => Choice::Every(step_s),
            (None, true, _) => Choice::Scenes,
            (None, false, true) => Choice::Speech,
            (None, false, false) => Choice::ScenesAndEvery(WHILE_A_SCENE_LASTS_S),
        }
    }
}
