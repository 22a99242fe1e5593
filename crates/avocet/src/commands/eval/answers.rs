//! `avocet eval`: answers a held-out set and prints how much of it is right.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{BufWriter, ErrorKind, Write};
use std::path::{Path, PathBuf};
use std::time::Instant;

use anyhow::{Context, Result, bail};
use avocet_infer::Engine;
use avocet_text::Turn;
use avocet_train::eval::{
    Answered, Asked, Figures, Metric, Outcome, Shares, Shots, VQA_PEOPLE, answer, edit_distance,
    exact_match, figures_by_kind, shares_by_kind,
};
use serde::Serialize;

use super::args::{EvalArgs, task};
use super::page::WrongAnswers;
use crate::input::model;
use crate::ui::output;
use crate::ui::progress::{Stage, counted};

/// Questions answered together: enough to fill the products, few enough to stay in the caches.
pub(super) const TOGETHER: usize = 32;
/// Examples that are looked at, the first of their dataset.
const MOST_EXAMPLES: usize = 4000;

#[derive(Serialize)]
struct Report<'a> {
    task: &'a str,
    model: &'a str,
    questions: usize,
    failed: usize,
    seconds: f64,
    shots: u16,
    references: References,
    kinds: &'a BTreeMap<String, KindFigures>,
    answers: String,
}

/// All figures of one kind of question.
#[derive(Serialize)]
struct KindFigures {
    #[serde(flatten)]
    metrics: Figures,
    #[serde(flatten)]
    shares: Shares,
}

/// How many right answers a question has.
#[derive(Debug, Clone, Copy, Serialize)]
struct References {
    fewest: usize,
    most: usize,
}

impl References {
    fn of(answered: &[Answered]) -> Self {
        let counts = || answered.iter().map(|one| one.references.len());
        Self {
            fewest: counts().min().unwrap_or(0),
            most: counts().max().unwrap_or(0),
        }
    }

    /// What is to be known of the accuracy that is made for ten people's answers.
    fn words(self) -> String {
        let Self { fewest, most } = self;
        let counts = match fewest == most {
            true => fewest.to_string(),
            false => format!("{fewest} to {most}"),
        };
        let few = match fewest < VQA_PEOPLE {
            true => format!("; of fewer than {VQA_PEOPLE}, each is right by itself"),
            false => String::new(),
        };
        format!("VQA accuracy is made for 10 references a question, here are {counts}{few}\n")
    }
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
    /// How probable the model says it is that what it answered, or would have answered, is right.
    #[serde(skip_serializing_if = "Option::is_none")]
    confidence: Option<f64>,
    /// What it would have answered where it is not sure.
    #[serde(skip_serializing_if = "Option::is_none")]
    guess: Option<&'a str>,
}

/// Answers the task's questions and prints the figures.
pub fn run(args: &EvalArgs) -> Result<()> {
    let task = task("--task", args.task())?;
    let limit = args.limit.unwrap_or(usize::MAX);
    for note in task.check(limit)? {
        output::note(&format!("{note}\n"));
    }
    let engine = model::load(&args.model, &args.settings)?;
    let mut shots = examples(args, &engine)?;
    let (answers_path, file) = match &args.answers {
        Some(path) => {
            let file =
                File::create(path).with_context(|| format!("--answers {}", path.display()))?;
            (path.clone(), file)
        }
        None => make_answers(&task.answers_path(&engine.config().name), Path::new(""))?,
    };
    let mut answers_file = BufWriter::new(file);

    let bar = counted("questions");
    let start = Instant::now();
    let mut outcomes = Vec::new();
    let mut wrong = args.html.is_some().then(WrongAnswers::default);
    let mut failed = 0;
    let mut waiting = Vec::with_capacity(TOGETHER);
    let mut questions = task.questions(limit)?.peekable();
    while let Some(asked) = questions.next() {
        let asked = asked?;
        waiting.push(match &mut shots {
            Some(shots) => shots.before(&asked, &engine)?,
            None => asked,
        });
        if waiting.len() == TOGETHER || questions.peek().is_none() {
            let threshold = args.sureness.threshold;
            let some = answer(&engine, &waiting, args.max_tokens as usize, threshold)?;
            for (asked, outcome) in waiting.iter().zip(some) {
                let one = &outcome.answered;
                if let Some(reason) = &outcome.problem {
                    failed += 1;
                    output::note(&format!("warning: {}: {reason}\n", one.id));
                }
                keep(&outcome, asked, &mut answers_file)?;
                if let Some(wrong) = &mut wrong {
                    wrong.add(asked, &one.answer, !is_right(one));
                }
                outcomes.push(outcome);
            }
            bar.inc(waiting.len() as u64);
            waiting.clear();
        }
    }
    bar.finish_and_clear();
    answers_file
        .flush()
        .with_context(|| format!("{}", answers_path.display()))?;
    if outcomes.is_empty() {
        bail!(
            "--task {}: there is no question in it",
            args.task().display()
        );
    }
    let seconds = start.elapsed().as_secs_f64();
    let name = args.task().display().to_string();
    if let (Some(wrong), Some(path)) = (wrong, &args.html) {
        wrong.write(path, &name, &engine.config().name)?;
    }
    let answered: Vec<Answered> = outcomes.iter().map(|one| one.answered.clone()).collect();
    let references = References::of(&answered);
    let metrics = args.metrics(references.most > 1);
    let mut shares = shares_by_kind(&outcomes);
    let kinds = figures_by_kind(&answered, &metrics).into_iter();
    let kinds: BTreeMap<_, _> = kinds
        .map(|(kind, metrics)| {
            let shares = shares.remove(&kind).unwrap_or_default();
            (kind, KindFigures { metrics, shares })
        })
        .collect();
    if args.json {
        return output::print_json(&Report {
            task: &name,
            model: &engine.config().name,
            questions: answered.len(),
            failed,
            seconds,
            shots: args.shots,
            references,
            kinds: &kinds,
            answers: answers_path.display().to_string(),
        });
    }
    output::print(&table(&kinds, &metrics))?;
    if metrics.contains(&Metric::Vqa) && (references.fewest, references.most) != (10, 10) {
        output::note(&references.words());
    }
    output::note(&format!(
        "{} questions in {seconds:.1} s, {:.1} a second; every answer is in {}\n",
        answered.len(),
        answered.len() as f64 / seconds.max(1e-9),
        answers_path.display()
    ));
    Ok(())
}

/// The examples that the flags ask for, if any.
fn examples(args: &EvalArgs, engine: &Engine) -> Result<Option<Shots>> {
    let Some(from) = args.shots_from.as_deref().filter(|_| args.shots > 0) else {
        return Ok(None);
    };
    let pool = task("--shots-from", from)?.questions(MOST_EXAMPLES)?;
    let pool = pool.collect::<Result<Vec<_>, _>>()?;
    let shots = Shots::new(pool, usize::from(args.shots), args.seed);
    let mut shots = shots.with_context(|| format!("--shots-from {}", from.display()))?;
    if args.similar {
        let stage = Stage::begin("looking");
        let looked = |done: usize, all: usize| stage.at(done as f64, all as f64);
        shots.choose_similar(engine, looked).context("--similar")?;
        stage.end();
    }
    Ok(Some(shots))
}

/// Makes the file `beside` the task, or one of its name in the folder `here` where that of the task
/// cannot be written to.
///
/// Errors if neither can be made.
pub(super) fn make_answers(beside: &Path, here: &Path) -> Result<(PathBuf, File)> {
    let error = match File::create(beside) {
        Ok(file) => return Ok((beside.to_owned(), file)),
        Err(error) => error,
    };
    let refused = matches!(
        error.kind(),
        ErrorKind::PermissionDenied | ErrorKind::ReadOnlyFilesystem
    );
    let name = beside.file_name().filter(|_| refused);
    let made = name
        .map(|name| here.join(name))
        .and_then(|here| Some((File::create(&here).ok()?, here)));
    match made {
        Some((file, here)) => Ok((here, file)),
        None => Err(error).with_context(|| {
            format!(
                "{} (--answers FILE keeps the answers elsewhere)",
                beside.display()
            )
        }),
    }
}

fn is_right(one: &Answered) -> bool {
    let mut references = one.references.iter();
    references.any(|reference| exact_match(&one.answer, reference))
}

/// Writes a line of the answers file.
pub(super) fn keep(outcome: &Outcome, asked: &Asked, file: &mut impl Write) -> Result<()> {
    let one = &outcome.answered;
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
        confidence: outcome.confidence(),
        guess: outcome.reply.as_ref().and_then(|reply| reply.guess()),
    };
    serde_json::to_writer(&mut *file, &kept)?;
    file.write_all(b"\n")?;
    Ok(())
}

fn table(kinds: &BTreeMap<String, KindFigures>, metrics: &[Metric]) -> String {
    let percent = |share: f64| format!("{:.2} %", 100.0 * share);
    let refuses = kinds.values().any(|kind| kind.shares.not_sure > 0.0);
    let told = |kind: &KindFigures| kind.shares.calibration_error;
    let tells = kinds.values().any(|kind| told(kind).is_some());
    let mut head = vec!["kind", "questions"];
    head.extend(metrics.iter().map(|metric| metric.title()));
    if refuses {
        head.extend(["right", "wrong", "not sure", "refused"]);
    }
    if tells {
        head.push("calibration error");
    }
    let mut table = output::Table::new(&head);
    let (all, others): (Vec<_>, Vec<_>) = kinds.iter().partition(|(kind, _)| *kind == "all");
    for (kind, figures) in others.into_iter().chain(all) {
        let mut row = vec![kind.clone(), figures.metrics.questions.to_string()];
        row.extend(metrics.iter().map(|metric| {
            let figure = figures.metrics.figures.get(metric);
            figure.map_or_else(String::new, |figure| match metric.is_share() {
                true => percent(*figure),
                false => format!("{figure:.2}"),
            })
        }));
        let shares = &figures.shares;
        if refuses {
            row.extend([shares.right, shares.wrong, shares.not_sure].map(percent));
            row.push(shares.refused.map_or_else(String::new, percent));
        }
        if tells {
            row.push(told(figures).map_or_else(String::new, |error| format!("{error:.3}")));
        }
        table.row(row);
    }
    table.to_text()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_go_elsewhere_where_nothing_can_be_written_beside_the_task() {
        let here = tempfile::tempdir().expect("a folder");
        // Nobody, not even root, makes a file there.
        let beside = Path::new("/sys/kernel/task.answers-mini.jsonl");
        let (path, _) = make_answers(beside, here.path()).expect("made");
        assert_eq!(path, here.path().join("task.answers-mini.jsonl"));
        let both = make_answers(beside, Path::new("/sys/kernel")).expect_err("nowhere");
        let said = format!("{both:#}");
        assert!(
            said.contains("/sys/kernel/task.answers") && said.contains("--answers"),
            "{said}"
        );
        let missing = here.path().join("none/task.jsonl");
        assert!(
            make_answers(&missing, here.path()).is_err(),
            "a mistake is told"
        );
    }
}
