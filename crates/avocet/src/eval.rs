//! `avocet eval`: answers a held-out set and prints how much of it is right.

mod args;
mod page;
mod shots;
mod task;
mod texts;

pub use args::EvalArgs;

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{BufWriter, IsTerminal, Write};
use std::path::Path;
use std::time::Instant;

use anyhow::{Context, Result, bail};
use avocet_infer::{Engine, Question, SamplingOptions};
use avocet_text::Turn;
use avocet_train::eval::{Answered, Figures, Metric, edit_distance, exact_match, figures_by_kind};
use indicatif::{ProgressBar, ProgressStyle};
use serde::Serialize;

use crate::eval::page::WrongAnswers;
use crate::eval::shots::Shots;
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
    shots: u16,
    kinds: &'a BTreeMap<String, Figures>,
    answers: String,
}

/// One line of the answers file.
#[derive(Serialize)]
struct Kept<'a> {
    id: &'a str,
    kind: &'a str,
    question: String,
    answer: &'a str,
    reference: &'a str,
    /// All answers that are right, where there are several.
    #[serde(skip_serializing_if = "<[String]>::is_empty")]
    references: &'a [String],
    exact: bool,
    edits: usize,
}

/// Measures what the task asks for.
pub fn run(args: &EvalArgs) -> Result<()> {
    let load = || models::load(&args.model, &args.settings);
    match args.task.as_str() {
        "loss" => texts::losses(args, &load()?),
        "memorisation" => texts::memorisation(args, &load()?),
        _ => answers(args),
    }
}

/// Answers the task's questions and prints the figures.
fn answers(args: &EvalArgs) -> Result<()> {
    let task = Task::find("--task", Path::new(&args.task))?;
    let engine = models::load(&args.model, &args.settings)?;
    let mut shots = Shots::open(args, &engine)?;
    let answers_path = args
        .answers
        .clone()
        .unwrap_or_else(|| task.answers_path(&engine.config().name));
    let file =
        File::create(&answers_path).with_context(|| format!("{}", answers_path.display()))?;
    let mut answers_file = BufWriter::new(file);

    let bar = progress("questions");
    let start = Instant::now();
    let mut answered = Vec::new();
    let mut wrong = args.html.is_some().then(WrongAnswers::default);
    let mut failed = 0;
    let mut waiting = Vec::with_capacity(TOGETHER);
    let mut questions = task.questions(args.limit.unwrap_or(usize::MAX))?.peekable();
    while let Some(asked) = questions.next() {
        let asked = asked?;
        waiting.push(match &mut shots {
            Some(shots) => shots.before(&asked, &engine)?,
            None => asked,
        });
        if waiting.len() == TOGETHER || questions.peek().is_none() {
            let (answers, number) = answer(&engine, args, &waiting, &mut answers_file)?;
            if let Some(wrong) = &mut wrong {
                for (asked, one) in waiting.iter().zip(&answers) {
                    wrong.add(asked, &one.answer, !is_right(one));
                }
            }
            answered.extend(answers);
            failed += number;
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
    if let (Some(wrong), Some(path)) = (wrong, &args.html) {
        wrong.write(path, &args.task, &engine.config().name)?;
    }
    let metrics = args.metrics(answered.iter().any(|one| one.references.len() > 1));
    let kinds = figures_by_kind(&answered, &metrics);
    if args.json {
        return output::print_json(&Report {
            task: &args.task,
            model: &engine.config().name,
            questions: answered.len(),
            failed,
            seconds,
            shots: args.shots,
            kinds: &kinds,
            answers: answers_path.display().to_string(),
        });
    }
    output::print(&table(&kinds, &metrics))?;
    output::note(&format!(
        "{} questions in {seconds:.1} s, {:.1} a second; every answer is in {}\n",
        answered.len(),
        answered.len() as f64 / seconds.max(1e-9),
        answers_path.display()
    ));
    Ok(())
}

/// Answers some questions together, keeps every answer, and says how many could not be answered.
///
/// A question that cannot be answered counts as one answered with nothing.
fn answer(
    engine: &Engine,
    args: &EvalArgs,
    waiting: &[Asked],
    file: &mut impl Write,
) -> Result<(Vec<Answered>, usize)> {
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
    let outcomes = engine.answer_together(&questions, &options)?;
    let mut answers = Vec::with_capacity(waiting.len());
    let mut failed = 0;
    for ((asked, outcome), problem) in waiting.iter().zip(outcomes).zip(problems) {
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
            references: asked.references.clone(),
        };
        keep(&one, asked, file)?;
        answers.push(one);
    }
    Ok((answers, failed))
}

fn is_right(one: &Answered) -> bool {
    let mut references = one.references.iter();
    references.any(|reference| exact_match(&one.answer, reference))
}

/// Writes a line of the answers file.
fn keep(one: &Answered, asked: &Asked, file: &mut impl Write) -> Result<()> {
    let answer = one.answer.trim();
    let edits = one.references.iter();
    let edits = edits.map(|reference| edit_distance(answer, reference.trim()));
    let several = one.references.len() > 1;
    let kept = Kept {
        id: &one.id,
        kind: &one.kind,
        question: asked.turns.last().map_or(String::new(), Turn::shown),
        answer: &one.answer,
        reference: one.references.first().map_or("", String::as_str),
        references: if several { &one.references } else { &[] },
        exact: is_right(one),
        edits: edits.min().unwrap_or(0),
    };
    serde_json::to_writer(&mut *file, &kept)?;
    file.write_all(b"\n")?;
    Ok(())
}

/// A count that grows, of things called `what`.
fn progress(what: &str) -> ProgressBar {
    if !std::io::stderr().is_terminal() {
        return ProgressBar::hidden();
    }
    let style = ProgressStyle::with_template(&format!("{{spinner}} {{pos}} {what}, {{per_sec}}"))
        .unwrap_or_else(|_| ProgressStyle::default_spinner());
    ProgressBar::new_spinner().with_style(style)
}

fn table(kinds: &BTreeMap<String, Figures>, metrics: &[Metric]) -> String {
    let mut head = vec!["kind", "questions"];
    head.extend(metrics.iter().map(|metric| metric.title()));
    let mut table = output::Table::new(&head);
    let (all, others): (Vec<_>, Vec<_>) = kinds.iter().partition(|(kind, _)| *kind == "all");
    for (kind, figures) in others.into_iter().chain(all) {
        let mut row = vec![kind.clone(), figures.questions.to_string()];
        row.extend(
            figures
                .figures
                .iter()
                .map(|(metric, figure)| match metric.is_share() {
                    true => format!("{:.2} %", 100.0 * figure),
                    false => format!("{figure:.2}"),
                }),
        );
        table.row(row);
    }
    table.to_text()
}
