//! `avocet eval` of a folder of datasets: a table with a row for each.

use std::collections::BTreeMap;
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use avocet_infer::Engine;
use avocet_train::eval::{Outcome, SetFigures, Task, answer};
use serde::Serialize;

use super::answers::{TOGETHER, keep, make_answers};
use super::args::EvalArgs;
use crate::ui::output;
use crate::ui::progress::counted;

#[derive(Serialize)]
struct Report<'a> {
    task: String,
    model: &'a str,
    sets: &'a BTreeMap<String, SetFigures>,
    answers: String,
}

/// Answers the questions of every set and prints the figures.
pub fn run(args: &EvalArgs, sets: &[(String, Task)], engine: &Engine) -> Result<()> {
    for note in Task::left_out(args.task()) {
        output::note(&format!("{note}\n"));
    }
    let model = &engine.config().name;
    let (path, file) = match &args.answers {
        Some(path) => {
            let file = std::fs::File::create(path);
            let file = file.with_context(|| format!("--answers {}", path.display()))?;
            (path.clone(), file)
        }
        None => make_answers(&beside(args.task(), model), Path::new(""))?,
    };
    let mut file = BufWriter::new(file);
    let (mut figures, mut all) = (BTreeMap::new(), Vec::new());
    let bar = counted("questions");
    for (name, task) in sets {
        let outcomes = outcomes(args, (name.as_str(), task), engine, &mut file)?;
        bar.inc(outcomes.len() as u64);
        figures.insert(name.clone(), SetFigures::of(&outcomes));
        all.extend(outcomes);
    }
    bar.finish_and_clear();
    file.flush().with_context(|| path.display().to_string())?;
    if all.is_empty() {
        bail!(
            "--task {}: there is no question in it",
            args.task().display()
        );
    }
    if args.json {
        return output::print_json(&Report {
            task: args.task().display().to_string(),
            model,
            sets: &figures,
            answers: path.display().to_string(),
        });
    }
    let total = SetFigures::of(&all);
    let rows = figures.iter().map(|(name, row)| (name.as_str(), row));
    output::print(&table(rows.chain([("all", &total)])))?;
    output::note(&format!("every answer is in {}\n", path.display()));
    Ok(())
}

/// Errors if a flag is given that is for a single task: before a model is loaded for nothing.
pub fn check(args: &EvalArgs) -> Result<()> {
    let flags = [
        ("--html", args.html.is_some()),
        ("--shots", args.shots > 0),
        ("--metrics", !args.metrics.is_empty()),
    ];
    match flags.iter().find(|(_, given)| *given) {
        Some((flag, _)) => bail!(
            "{flag} is for a single task; {} is a folder of them",
            args.task().display()
        ),
        None => Ok(()),
    }
}

/// The file of answers: beside the folder, or in the one that it was found in.
fn beside(task: &Path, model: &str) -> PathBuf {
    let found = match task.exists() {
        true => task.to_owned(),
        false => Path::new(avocet_train::eval::DATASETS).join(task),
    };
    Task::Dataset(found).answers_path(model)
}

/// What became of the questions of one set.
fn outcomes(
    args: &EvalArgs,
    (name, task): (&str, &Task),
    engine: &Engine,
    file: &mut impl Write,
) -> Result<Vec<Outcome>> {
    let mut questions = task.questions(args.limit.unwrap_or(usize::MAX))?;
    let (tokens, threshold) = (args.max_tokens as usize, args.sureness.threshold);
    let mut all = Vec::new();
    loop {
        // The pictures of so many are held, not those of the whole set.
        let some = questions.by_ref().take(TOGETHER);
        let some = some.collect::<Result<Vec<_>, _>>()?;
        if some.is_empty() {
            return Ok(all);
        }
        let outcomes = answer(engine, &some, tokens, threshold)?;
        for (asked, mut one) in some.iter().zip(outcomes) {
            if let Some(reason) = &one.problem {
                output::note(&format!("warning: {name}: {}: {reason}\n", one.answered.id));
            }
            one.answered.kind = format!("{name}/{}", one.answered.kind);
            keep(&one, asked, file)?;
            all.push(one);
        }
    }
}

fn table<'a>(rows: impl Iterator<Item = (&'a str, &'a SetFigures)>) -> String {
    let head = [
        "set",
        "questions",
        "right",
        "characters wrong",
        "yes or no",
        "wrong",
        "not sure",
        "refused",
        "calibration error",
    ];
    let mut table = output::Table::new(&head);
    let share = |figure: Option<f64>| {
        figure.map_or_else(String::new, |figure| format!("{:.1} %", 100.0 * figure))
    };
    for (name, row) in rows {
        table.row(vec![
            name.to_owned(),
            row.questions.to_string(),
            share(row.right),
            share(row.characters_wrong),
            share(row.yes_or_no),
            share(Some(row.wrong)),
            row.not_sure.to_string(),
            share(row.refused),
            row.calibration_error
                .map_or_else(String::new, |error| format!("{error:.3}")),
        ]);
    }
    table.to_text()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_not_asked_is_left_empty() {
        let row = SetFigures {
            questions: 7,
            right: Some(0.5),
            not_sure: 2,
            wrong: 0.25,
            ..SetFigures::default()
        };
        let text = table([("flags", &row)].into_iter());
        let last = text.lines().last().unwrap_or_default();
        let cells: Vec<&str> = last.split_whitespace().collect();
        assert_eq!(cells, ["flags", "7", "50.0", "%", "25.0", "%", "2"]);
    }
}
