//! `avocet ask`: one question about zero or more images.

use std::ops::ControlFlow;
use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Result, bail};
use avocet_infer::{FinishReason, SamplingOptions, Usage};
use avocet_media::named::{brief, find, is_data_uri};
use avocet_text::Turn;
use serde::Serialize;

use crate::args::{AnswerArgs, AskArgs};
use crate::{blank, clip, models, output};

#[derive(Serialize)]
struct Report<'a> {
    answer: &'a str,
    model: &'a str,
    finish_reason: FinishReason,
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
    let engine = models::load(&args.answer.model, &args.answer.settings)?;
    let load = start.elapsed();
    let sources = sources
        .iter()
        .map(|name| clip::read(&engine, name))
        .collect::<Result<Vec<_>>>()?
        .concat();
    let images: Vec<_> = sources.iter().map(|source| source.image.clone()).collect();

    let turns = opening(&args.answer, Turn::about(images.len(), question));
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
    let answer = match blank::answer(&args.answer.model, &images) {
        Some(answer) => {
            // Nobody reading on is seen below.
            let _ = print(&answer.text);
            answer
        }
        None => {
            sources
                .iter()
                .for_each(|source| blank::warn(&source.name, &source.image));
            engine.answer(&images, &turns, &sampling(&args.answer), print)?
        }
    };
    printed?;
    if !args.json {
        return output::print("\n");
    }
    output::print_json(&Report {
        answer: &answer.text,
        model: &engine.config().name,
        finish_reason: answer.finish_reason,
        images: sources
            .iter()
            .map(|source| ImageReport {
                source: &source.name,
                width: source.image.width(),
                height: source.image.height(),
                blank: source.image.blank().map(|blank| blank.to_string()),
            })
            .collect(),
        blank: !images.is_empty() && images.iter().all(|image| image.blank().is_some()),
        usage: answer.usage,
        timing: TimingReport {
            load_ms: milliseconds(load),
            vision_ms: milliseconds(answer.timing.vision),
            first_token_ms: milliseconds(answer.timing.first_token),
            decode_tokens_per_s: answer.decode_tokens_per_s(),
        },
    })
}

/// The turns a conversation starts with: what the system says, if anything, and the first question.
pub fn opening(args: &AnswerArgs, question: Turn) -> Vec<Turn> {
    args.system
        .iter()
        .map(Turn::system)
        .chain([question])
        .collect()
}

/// The flags of an answer as the engine takes them.
pub fn sampling(args: &AnswerArgs) -> SamplingOptions {
    SamplingOptions {
        max_tokens: args.max_tokens as usize,
        temperature: args.temperature,
        top_p: args.top_p,
        seed: args.seed,
    }
}

/// Milliseconds to two decimals: more says nothing.
pub fn milliseconds(time: Duration) -> f64 {
    (time.as_secs_f64() * 1e5).round() / 100.0
}
