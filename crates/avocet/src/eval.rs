//! `avocet eval`: answers a held-out set and prints how much of it is right.

mod task;

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{BufWriter, IsTerminal, Write};
use std::path::PathBuf;
use std::time::Instant;

use anyhow::{Context, Result, bail};
use avocet_infer::{Engine, Question, SamplingOptions};
use avocet_train::eval::{Answered, Scores, scores_by_kind};
use indicatif::{ProgressBar, ProgressStyle};
use serde::Serialize;

use crate::args::EvalArgs;
use crate::eval::task::{Asked, Task};
use crate::{models, output};

/// Questions answered together: enough to fill the products, few enough to stay in the caches.
const TOGETHER: usize = 32;

#[derive(Serialize)]
struct Report<'a> {
    task: &'a str,
    model: &'a str,
    questions: usize,
    failed: usize,
    seconds: f64,
    kinds: BTreeMap<&'a str, Figures>,
    answers: String,
}

#[derive(Serialize)]
struct Figures {
    questions: usize,
    exact_match: f64,
    character_error_rate: f64,
}

/// One line of the answers file.
#[derive(Serialize)]
struct Kept<'a> {
    id: &'a str,
    kind: &'a str,
    question: &'a str,
    answer: &'a str,
    reference: &'a str,
    exact: bool,
    edits: usize,
}

/// Answers the task's questions and prints the figures.
pub fn run(args: &EvalArgs) -> Result<()> {
    let task = Task::find(&args.task)?;
    let engine = models::load(&args.model, &args.settings)?;
    let answers_path = args
        .answers
        .clone()
        .unwrap_or_else(|| task.answers_path(&engine.config().name));
    let file =
        File::create(&answers_path).with_context(|| format!("{}", answers_path.display()))?;
    let mut answers_file = BufWriter::new(file);

    let bar = progress();
    let start = Instant::now();
    let mut answered = Vec::new();
    let mut failed = 0;
    let mut waiting = Vec::with_capacity(TOGETHER);
    let mut questions = task.questions(args.limit.unwrap_or(usize::MAX))?.peekable();
    while let Some(asked) = questions.next() {
        waiting.push(asked?);
        if waiting.len() == TOGETHER || questions.peek().is_none() {
            failed += answer(&engine, args, &waiting, &mut answered, &mut answers_file)?;
            bar.inc(waiting.len() as u64);
            waiting.clear();
        }
    }
    bar.finish_and_clear();
    answers_file
        .flush()
        .with_context(|| format!("{}", answers_path.display()))?;
    if answered.is_empty() {
        bail!("--task {}: there is no question in it", args.task);
    }
    let seconds = start.elapsed().as_secs_f64();
    let scores = scores_by_kind(&answered);
    if args.json {
        return output::print_json(&report(
            args,
            &engine,
            &scores,
            failed,
            seconds,
            answers_path,
        ));
    }
    output::print(&table(&scores))?;
    output::note(&format!(
        "{} questions in {seconds:.1} s, {:.1} a second; every answer is in {}\n",
        answered.len(),
        answered.len() as f64 / seconds.max(1e-9),
        answers_path.display()
    ));
    Ok(())
}

/// Answers some questions together, keeps every answer, and returns how many could not be answered.
///
/// A question that cannot be answered counts as one answered with nothing.
fn answer(
    engine: &Engine,
    args: &EvalArgs,
    waiting: &[Asked],
    answered: &mut Vec<Answered>,
    file: &mut impl Write,
) -> Result<usize> {
    let mut questions = Vec::with_capacity(waiting.len());
    let mut problems: Vec<Option<String>> = Vec::with_capacity(waiting.len());
    for asked in waiting {
        let images: Result<Vec<_>, _> = asked
            .images
            .iter()
            .map(|bytes| engine.read_image(bytes))
            .collect();
        problems.push(images.as_ref().err().map(ToString::to_string));
        // With no images for its markers, a question whose image is broken fails below by itself.
        let images = images.unwrap_or_default();
        questions.push(Question {
            images,
            turns: asked.turns.clone(),
        });
    }
    let options = SamplingOptions::greedy(args.max_tokens as usize);
    let answers = engine.answer_together(&questions, &options)?;
    let mut failed = 0;
    for ((asked, outcome), problem) in waiting.iter().zip(answers).zip(problems) {
        let text = outcome.unwrap_or_else(|error| {
            failed += 1;
            let reason = problem.unwrap_or_else(|| error.to_string());
            output::note(&format!("warning: {}: {reason}\n", asked.id));
            String::new()
        });
        let one = Answered {
            id: asked.id.clone(),
            kind: asked.kind.clone(),
            answer: text,
            reference: asked.reference.clone(),
        };
        let mut scores = Scores::default();
        scores.add(&one.answer, &one.reference);
        let kept = Kept {
            id: &one.id,
            kind: &one.kind,
            question: asked.turns.last().map_or("", |turn| &turn.text),
            answer: &one.answer,
            reference: &one.reference,
            exact: scores.correct == 1,
            edits: scores.edits,
        };
        serde_json::to_writer(&mut *file, &kept)?;
        file.write_all(b"\n")?;
        answered.push(one);
    }
    Ok(failed)
}

fn progress() -> ProgressBar {
    if !std::io::stderr().is_terminal() {
        return ProgressBar::hidden();
    }
    let style = ProgressStyle::with_template("{spinner} {pos} questions, {per_sec}")
        .unwrap_or_else(|_| ProgressStyle::default_spinner());
    ProgressBar::new_spinner().with_style(style)
}

fn table(scores: &BTreeMap<String, Scores>) -> String {
    let mut table =
        output::Table::new(&["kind", "questions", "exact match", "character error rate"]);
    let (all, kinds): (Vec<_>, Vec<_>) = scores.iter().partition(|(kind, _)| *kind == "all");
    for (kind, scores) in kinds.into_iter().chain(all) {
        table.row(vec![
            kind.clone(),
            scores.questions.to_string(),
            format!("{:.2} %", 100.0 * scores.accuracy()),
            format!("{:.2} %", 100.0 * scores.character_error_rate()),
        ]);
    }
    table.to_text()
}

fn report<'a>(
    args: &'a EvalArgs,
    engine: &'a Engine,
    scores: &'a BTreeMap<String, Scores>,
    failed: usize,
    seconds: f64,
    answers: PathBuf,
) -> Report<'a> {
    let kinds: BTreeMap<&str, Figures> = scores
        .iter()
        .map(|(kind, scores)| {
            let figures = Figures {
                questions: scores.questions,
                exact_match: scores.accuracy(),
                character_error_rate: scores.character_error_rate(),
            };
            (kind.as_str(), figures)
        })
        .collect();
    Report {
        task: &args.task,
        model: &engine.config().name,
        questions: kinds.get("all").map_or(0, |all| all.questions),
        failed,
        seconds,
        kinds,
        answers: answers.display().to_string(),
    }
}
