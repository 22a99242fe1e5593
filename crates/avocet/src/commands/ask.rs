//! `avocet ask`: one question about zero or more images.

use std::ffi::OsString;
use std::ops::ControlFlow;
use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Result, bail};
use avocet_infer::{FinishReason, Usage};
use avocet_media::named::{brief, find, is_data_uri};
use avocet_text::Turn;
use clap::Args;
use serde::Serialize;

use crate::args::AnswerArgs;
use crate::input::{blank, clip, model};
use crate::ui::output;

/// `avocet ask`.
#[derive(Debug, Args)]
#[command(override_usage = "avocet ask [OPTIONS] [MEDIA]... <QUESTION>")]
pub struct AskArgs {
    /// How to answer.
    #[command(flatten)]
    pub answer: AnswerArgs,
    /// Image and video files, - for an image on stdin, URLs of pages or pictures, data URIs, or HTML
    /// files; the last argument is the question.
    #[arg(required = true, value_name = "MEDIA|QUESTION")]
    pub media_and_question: Vec<OsString>,
    /// Print one JSON object at the end and nothing else.
    #[arg(long)]
    pub json: bool,
}

#[derive(Serialize)]
struct Report<'a> {
    answer: &'a str,
    model: &'a str,
    finish_reason: FinishReason,
    /// How probable it is that the model's own answer is right; absent where it was not asked.
    #[serde(skip_serializing_if = "Option::is_none")]
    confidence: Option<f64>,
    /// Whether the question is answered.
    sure: bool,
    /// The coarser thing that is shown, where the model is sure of that at least.
    #[serde(skip_serializing_if = "Option::is_none")]
    perhaps: Option<&'a str>,
    /// What the model would have answered where it is not sure.
    #[serde(skip_serializing_if = "Option::is_none")]
    guess: Option<&'a str>,
    images: Vec<ImageReport<'a>>,
    /// Nothing is to be seen on any of the pictures.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    blank: bool,
    usage: Usage,
    timing: TimingReport,
}

#[derive(Serialize)]
struct ImageReport<'a> {
    source: &'a str,
    width: usize,
    height: usize,
    /// Why nothing is to be seen on it, where that is so.
    #[serde(skip_serializing_if = "Option::is_none")]
    blank: Option<String>,
}

#[derive(Serialize)]
struct TimingReport {
    load_ms: f64,
    vision_ms: f64,
    first_token_ms: f64,
    decode_tokens_per_s: Option<f64>,
}

/// Answers the question.
pub fn run(args: &AskArgs) -> Result<()> {
    let Some((question, sources)) = args.media_and_question.split_last() else {
        bail!("the question is missing");
    };
    if find(Path::new(question)).is_file() || question.to_str().is_some_and(is_data_uri) {
        let name = brief(&question.to_string_lossy());
        bail!("the last argument is the question, but {name} is a file");
    }
    let Some(question) = question.to_str() else {
        bail!("the question is not UTF-8: {}", question.display());
    };
    if question.trim().is_empty() {
        bail!("the question is empty");
    }
    if sources.iter().filter(|source| *source == "-").count() > 1 {
        bail!("stdin (-) can be given only once");
    }
    let start = Instant::now();
    let engine = model::load(&args.answer.model, &args.answer.settings)?;
    let load = start.elapsed();
    let sources = sources
        .iter()
        .map(|name| clip::read(&engine, name))
        .collect::<Result<Vec<_>>>()?
        .concat();
    let images: Vec<_> = sources.iter().map(|source| source.image.clone()).collect();

    let system = args.answer.system.iter().map(Turn::system);
    let turns: Vec<Turn> = system
        .chain([Turn::about(images.len(), question)])
        .collect();
    let mut printed = Ok(());
    let mut print = |piece: &str| {
        if !args.json {
            printed = output::print(piece);
        }
        if printed.is_ok() {
            ControlFlow::Continue(())
        } else {
            ControlFlow::Break(())
        }
    };
    let shows_something = images.iter().any(|image| image.blank().is_none());
    if engine.nothing_seen(&images).is_none() {
        sources
            .iter()
            .for_each(|source| blank::warn(&source.name, &source.image));
    }
    let (options, threshold) = (args.answer.sampling(), args.answer.sureness.threshold);
    let reply = engine.reply(&images, &turns, &options, threshold, &mut print)?;
    printed?;
    if !args.json {
        return output::print("\n");
    }
    let timing = reply.timing();
    output::print_json(&Report {
        answer: &reply.text,
        model: &engine.config().name,
        finish_reason: reply.finish_reason(),
        confidence: reply.confidence().map(rounded),
        sure: reply.sure,
        perhaps: reply.perhaps.as_deref(),
        guess: reply.guess(),
        images: sources
            .iter()
            .map(|source| ImageReport {
                source: &source.name,
                width: source.image.width(),
                height: source.image.height(),
                blank: source.image.blank().map(|blank| blank.to_string()),
            })
            .collect(),
        blank: !images.is_empty() && !shows_something,
        usage: reply.usage(),
        timing: TimingReport {
            load_ms: milliseconds(load),
            vision_ms: milliseconds(timing.vision),
            first_token_ms: milliseconds(timing.first_token),
            decode_tokens_per_s: reply
                .answer
                .as_ref()
                .and_then(avocet_infer::Answer::decode_tokens_per_s),
        },
    })
}

/// A probability to four decimals: more says nothing.
fn rounded(share: f64) -> f64 {
    (share * 1e4).round() / 1e4
}

/// Milliseconds to two decimals: more says nothing.
fn milliseconds(time: Duration) -> f64 {
    (time.as_secs_f64() * 1e5).round() / 100.0
}
