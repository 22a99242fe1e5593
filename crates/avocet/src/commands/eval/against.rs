//! `avocet eval --against`: two models answer the same questions; what one forgot, and what it learned.

use std::collections::BTreeMap;
use std::path::PathBuf;

use anyhow::{Result, bail};
use avocet_infer::Engine;
use avocet_train::eval::{Task, answer};
use serde::Serialize;

use super::answers::TOGETHER;
use super::args::{EvalArgs, task};
use crate::input::model;
use crate::ui::output;
use crate::ui::progress::counted;

#[derive(Serialize)]
struct Report<'a> {
    task: String,
    model: &'a str,
    against: &'a str,
    kinds: BTreeMap<String, Difference>,
}

/// What two models make of the questions of one kind.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize)]
struct Difference {
    questions: usize,
    /// Right answers of the model that is compared with.
    before: usize,
    /// Right answers of the model.
    after: usize,
    /// Right before, and wrong after.
    forgotten: usize,
    /// Wrong before, and right after.
    learned: usize,
}

impl Difference {
    fn take(&mut self, before: bool, after: bool) {
        self.questions += 1;
        self.before += usize::from(before);
        self.after += usize::from(after);
        self.forgotten += usize::from(before && !after);
        self.learned += usize::from(!before && after);
    }
}

/// Has both models answer, and prints a row for each kind of question, or for each set of a group.
///
/// Errors if a flag is given that is for one model's answers.
pub fn run(args: &EvalArgs, against: &str) -> Result<()> {
    let flags = [
        ("--html", args.html.is_some()),
        ("--shots", args.shots > 0),
        ("--metrics", !args.metrics.is_empty()),
        ("--answers", args.answers.is_some()),
    ];
    if let Some((flag, _)) = flags.iter().find(|(_, given)| *given) {
        bail!("{flag} is for the answers of one model, not for --against");
    }
    let tasks: Vec<(Option<String>, Task)> = match Task::group(args.task()) {
        Some(sets) => sets
            .into_iter()
            .map(|(name, set)| (Some(name), set))
            .collect(),
        None => vec![(None, task("--task", args.task())?)],
    };
    let engine = model::load(&args.model, &args.settings)?;
    let other = model::load(against, &args.settings)?;
    let mut kinds: BTreeMap<String, Difference> = BTreeMap::new();
    let bar = counted("questions");
    for (set, task) in &tasks {
        compare(args, [&other, &engine], task, |kind, before, after| {
            let kind = set.as_deref().unwrap_or(kind);
            for kind in [kind, "all"] {
                let row = kinds.entry(kind.to_owned()).or_default();
                row.take(before, after);
            }
            bar.inc(1);
        })?;
    }
    bar.finish_and_clear();
    if kinds.is_empty() {
        bail!(
            "--task {}: there is no question in it",
            args.task().display()
        );
    }
    let (model, against) = (name(&args.model, &engine), name(against, &other));
    if args.json {
        return output::print_json(&Report {
            task: args.task().display().to_string(),
            model: &model,
            against: &against,
            kinds,
        });
    }
    output::print(&table(&kinds, &against, &model))
}

/// What a model is called: a folder by its own name, which tells runs apart.
fn name(reference: &str, engine: &Engine) -> String {
    let path = PathBuf::from(reference);
    let last = path.file_name().filter(|_| path.exists());
    last.map_or_else(
        || engine.config().name.clone(),
        |name| name.to_string_lossy().into_owned(),
    )
}

/// Tells of each question its kind, and whether each of two models answers it rightly.
fn compare(
    args: &EvalArgs,
    [before, after]: [&Engine; 2],
    task: &Task,
    mut each: impl FnMut(&str, bool, bool),
) -> Result<()> {
    let mut questions = task.questions(args.limit.unwrap_or(usize::MAX))?;
    let (tokens, threshold) = (args.max_tokens as usize, args.sureness.threshold);
    loop {
        let some = questions.by_ref().take(TOGETHER);
        let some = some.collect::<Result<Vec<_>, _>>()?;
        if some.is_empty() {
            return Ok(());
        }
        let first = answer(before, &some, tokens, threshold)?;
        let second = answer(after, &some, tokens, threshold)?;
        for (one, other) in first.iter().zip(&second) {
            each(&one.answered.kind, one.is_right(), other.is_right());
        }
    }
}

fn table(kinds: &BTreeMap<String, Difference>, before: &str, after: &str) -> String {
    let mut table =
        output::Table::new(&["kind", "questions", before, after, "forgotten", "learned"]);
    let (all, others): (Vec<_>, Vec<_>) = kinds.iter().partition(|(kind, _)| *kind == "all");
    for (kind, row) in others.into_iter().chain(all) {
        let share = |count: usize| format!("{:.2} %", 100.0 * count as f64 / row.questions as f64);
        table.row(vec![
            kind.clone(),
            row.questions.to_string(),
            share(row.before),
            share(row.after),
            row.forgotten.to_string(),
            row.learned.to_string(),
        ]);
    }
    table.to_text()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_forgotten_and_what_is_learned_do_not_make_up_for_each_other() {
        let mut row = Difference::default();
        for (before, after) in [(true, true), (true, false), (false, true), (false, false)] {
            row.take(before, after);
        }
        let expected = Difference {
            questions: 4,
            before: 2,
            after: 2,
            forgotten: 1,
            learned: 1,
        };
        assert_eq!(row, expected);
        let text = table(&[("flag".to_owned(), row)].into(), "mini", "run");
        assert!(
            text.contains("50.00 %") && text.contains("forgotten"),
            "{text}"
        );
    }
}
