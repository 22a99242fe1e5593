//! How good the result of a run is on what it did not learn from, in words.

use std::collections::BTreeMap;
use std::path::Path;

use anyhow::Result;
use avocet_checkpoint::ModelFiles;
use avocet_infer::Engine;
use avocet_train::eval::{Outcome, Task, answer};
use serde::Serialize;

/// Questions answered together.
const TOGETHER: usize = 32;
/// Mistakes that are named.
const MOST_NAMED: usize = 3;
/// The most tokens of an answer.
const MAX_TOKENS: usize = 64;
/// Standard deviations within which nineteen of twenty shares lie.
const DEVIATIONS: f64 = 1.96;

/// What became of the questions that were held out.
#[derive(Debug, Serialize)]
pub struct Unseen {
    questions: usize,
    right: usize,
    not_sure: usize,
    /// What it took what for, and how often: the most frequent first.
    mistakes: Vec<Mistake>,
    /// The dataset.
    dataset: String,
    #[serde(skip)]
    names: bool,
}

#[derive(Debug, PartialEq, Serialize)]
struct Mistake {
    truth: String,
    answer: String,
    times: usize,
}

/// Asks the result, a model's `folder`, what was held out.
///
/// Errors if the result or the dataset cannot be read.
pub fn unseen(folder: &Path, dataset: &Path) -> Result<Unseen> {
    let engine = Engine::load(&ModelFiles::open(folder)?)?;
    let mut questions = Task::Dataset(dataset.to_owned()).questions(usize::MAX)?;
    let mut outcomes = Vec::new();
    loop {
        let some = questions.by_ref().take(TOGETHER);
        let some = some.collect::<Result<Vec<_>, _>>()?;
        if some.is_empty() {
            return Ok(Unseen::of(&outcomes, dataset));
        }
        outcomes.extend(answer(&engine, &some, MAX_TOKENS, None)?);
    }
}

impl Unseen {
    fn of(outcomes: &[Outcome], dataset: &Path) -> Self {
        let wrong = outcomes
            .iter()
            .filter(|one| !one.is_right() && !one.is_not_sure());
        let mut taken: BTreeMap<(String, String), usize> = BTreeMap::new();
        for one in wrong {
            let truth = one.answered.references.first().cloned();
            let key = (truth.unwrap_or_default(), one.answered.answer.clone());
            *taken.entry(key).or_default() += 1;
        }
        let mistakes = taken.into_iter().map(|((truth, answer), times)| Mistake {
            truth,
            answer,
            times,
        });
        let mut mistakes: Vec<Mistake> = mistakes.collect();
        mistakes.sort_by_key(|mistake| std::cmp::Reverse(mistake.times));
        Self {
            questions: outcomes.len(),
            right: outcomes.iter().filter(|one| one.is_right()).count(),
            not_sure: outcomes
                .iter()
                .filter(|one| !one.is_right() && one.is_not_sure())
                .count(),
            mistakes,
            dataset: dataset.display().to_string(),
            names: outcomes.iter().all(|one| !one.spelled),
        }
    }

    /// A sentence or two, with what may be expected of other pictures.
    pub fn words(&self) -> String {
        let Self {
            questions, right, ..
        } = self;
        let done = if self.names { "named" } else { "read" };
        let (least, most) = likely(*right, *questions);
        let mut said = format!(
            "of {questions} pictures it had not seen it {done} {right} rightly, which makes {least:.0} to \
             {most:.0} % of others like them likely\n"
        );
        if self.not_sure > 0 {
            said.push_str(&format!("of {} it was not sure\n", self.not_sure));
        }
        let named = self.mistakes.iter().take(MOST_NAMED).map(|mistake| {
            let times = match mistake.times {
                1 => String::new(),
                times => format!(" ({times} times)"),
            };
            format!("{:?} for {:?}{times}", mistake.answer, mistake.truth)
        });
        let named: Vec<String> = named.collect();
        if !named.is_empty() {
            said.push_str(&format!("it said {}\n", named.join(", ")));
        }
        said
    }
}

/// Between which shares, in percent, the truth lies in nineteen of twenty cases, where `right` of so
/// many were right (Wilson 1927).
fn likely(right: usize, questions: usize) -> (f64, f64) {
    if questions == 0 {
        return (0.0, 100.0);
    }
    let (n, z) = (questions as f64, DEVIATIONS * DEVIATIONS);
    let share = right as f64 / n;
    let middle = share + z / (2.0 * n);
    let reach = (z * (share * (1.0 - share) / n + z / (4.0 * n * n))).sqrt();
    let percent = |value: f64| 100.0 * (value / (1.0 + z / n)).clamp(0.0, 1.0);
    (percent(middle - reach), percent(middle + reach))
}

#[cfg(test)]
mod tests {
    use super::*;
    use avocet_train::eval::Answered;

    fn outcome(answer: &str, truth: &str) -> Outcome {
        Outcome {
            answered: Answered {
                id: String::new(),
                kind: String::new(),
                answer: answer.into(),
                references: vec![truth.into()],
            },
            spelled: false,
            reply: None,
            problem: None,
        }
    }

    #[test]
    fn what_was_not_seen_is_summed_up_in_words() {
        let mut all: Vec<Outcome> = (0..13).map(|_| outcome("a cat", "cat")).collect();
        all.extend([
            outcome("a cat", "dog"),
            outcome("a cat", "dog"),
            outcome("not sure", "dog"),
        ]);
        let said = Unseen::of(&all, Path::new("held-out")).words();
        assert_eq!(
            said,
            "of 16 pictures it had not seen it named 13 rightly, which makes 57 to 93 % of others like \
             them likely\nof 1 it was not sure\nit said \"a cat\" for \"dog\" (2 times)\n"
        );
    }

    #[test]
    fn few_pictures_tell_little() {
        // As R's prop.test(15, 16, correct = FALSE) has it.
        let (least, most) = likely(15, 16);
        assert!(
            (least - 71.7).abs() < 0.1 && (most - 98.9).abs() < 0.1,
            "{least} {most}"
        );
        assert_eq!(likely(0, 0), (0.0, 100.0));
    }
}
