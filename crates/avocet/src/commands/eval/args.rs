//! The command line of `avocet eval`.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use avocet_train::eval::{DATASETS, Metric, Task};
use clap::Args;

use crate::args::{ThresholdArgs, input};

/// `avocet eval`.
#[derive(Debug, Args)]
pub struct EvalArgs {
    /// The model: `mini` (built in), a folder, a training run, a GGUF file, or a hub id such as
    /// owner/name.
    #[arg(long, value_name = "REF", default_value = "mini")]
    pub model: String,
    /// Change a field of the model's configuration, such as
    /// `cross_attention.without_image=nothing`; may be given many times.
    #[arg(long = "set", value_name = "FIELD=VALUE")]
    pub settings: Vec<String>,
    /// A dataset folder, a name under datasets/, a folder of pictures with metadata.jsonl or .csv,
    /// or a file of {"images","question","answer"} lines or of conversations: its questions are
    /// answered. A folder of datasets, each with a `test` in it, gives a row for each. Or `loss` or `memorisation`: the texts of --data are read.
    #[arg(long, value_name = "TASK", value_parser = input(), required_unless_present = "calibrate")]
    pub task: Option<PathBuf>,
    /// Fit how sure the model is on the questions of these datasets, which should be none that it was
    /// trained on or is judged by; the `confidence` table is printed, and kept where --model is a
    /// folder with a config.toml.
    #[arg(long, value_name = "DATASET", num_args = 1.., value_parser = input(), conflicts_with = "task")]
    pub calibrate: Vec<PathBuf>,
    /// Where the model says that it is not sure.
    #[command(flatten)]
    pub sureness: ThresholdArgs,
    /// Have another model answer as well: what of its right answers the model forgot, and what it
    /// learned.
    #[arg(long, value_name = "REF", conflicts_with = "calibrate")]
    pub against: Option<String>,
    /// What `loss` and `memorisation` read: a dataset folder, or any other task's.
    #[arg(long, value_name = "DATASET", value_parser = input())]
    pub data: Option<PathBuf>,
    /// What is measured of the answers: exact, vqa, anls, cer, wer, bleu, cider, formula; several
    /// with commas, or all [default: exact,cer, and vqa where questions have several answers].
    #[arg(long, value_name = "NAME", value_delimiter = ',', value_parser = metric)]
    pub metrics: Vec<Metrics>,
    /// Show N answered examples before each question.
    #[arg(long, value_name = "N", default_value_t = 0, requires = "shots_from")]
    pub shots: u16,
    /// Where the examples come from; never the question itself.
    #[arg(long, value_name = "DATASET", value_parser = input())]
    pub shots_from: Option<PathBuf>,
    /// Choose examples whose pictures look most like the question's to the model's own vision
    /// tower, instead of by chance.
    #[arg(long, requires = "shots_from")]
    pub similar: bool,
    /// Seed of the choice of examples.
    #[arg(long, value_name = "S", default_value_t = 0)]
    pub seed: u64,
    /// Print the figures as one JSON object.
    #[arg(long)]
    pub json: bool,
    /// Write a page with the pictures answered wrongly.
    #[arg(long, value_name = "FILE")]
    pub html: Option<PathBuf>,
    /// Only the first N questions, or texts.
    #[arg(long, value_name = "N")]
    pub limit: Option<usize>,
    /// Where every answer is kept; beside the task when absent, or in the current folder where
    /// nothing can be written there.
    #[arg(long, value_name = "FILE.jsonl")]
    pub answers: Option<PathBuf>,
    /// The most tokens one answer may have.
    #[arg(long, value_name = "N", default_value_t = 64, value_parser = clap::value_parser!(u32).range(1..))]
    pub max_tokens: u32,
    /// Tokens of each text that `memorisation` shows.
    #[arg(long, value_name = "N", default_value_t = 32, value_parser = clap::value_parser!(u32).range(1..))]
    pub prefix: u32,
    /// Tokens of each text that are to follow, for `memorisation`.
    #[arg(long, value_name = "N", default_value_t = 32, value_parser = clap::value_parser!(u32).range(1..))]
    pub span: u32,
}

/// The questions, or the texts, that `name`, given by `flag`, means.
pub fn task(flag: &str, name: &Path) -> Result<Task> {
    Task::find(name).with_context(|| {
        let name = name.display();
        format!("{flag} {name}: no such folder or file, nor one under {DATASETS}/")
    })
}

/// One metric, or every one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Metrics {
    /// This one.
    One(Metric),
    /// Every one.
    All,
}

fn metric(name: &str) -> Result<Metrics, String> {
    if name == "all" {
        return Ok(Metrics::All);
    }
    let found = Metric::ALL.into_iter().find(|metric| metric.name() == name);
    let names = || Metric::ALL.map(Metric::name).join(", ");
    found
        .map(Metrics::One)
        .ok_or_else(|| format!("is none of {}, all", names()))
}

impl EvalArgs {
    /// The task; an empty path where there is none, since the model is calibrated.
    pub fn task(&self) -> &Path {
        self.task.as_deref().unwrap_or(Path::new(""))
    }

    /// What is measured, in the order of the table.
    pub fn metrics(&self, several_answers: bool) -> Vec<Metric> {
        let asked = |metric: &Metric| match self.metrics.is_empty() {
            true => match metric {
                Metric::ExactMatch | Metric::CharacterErrorRate => true,
                Metric::Vqa => several_answers,
                _ => false,
            },
            false => {
                self.metrics.contains(&Metrics::All)
                    || self.metrics.contains(&Metrics::One(*metric))
            }
        };
        Metric::ALL.into_iter().filter(asked).collect()
    }
}
