//! Figures of a task that is a group of datasets: a row each, with what fits its questions.

use serde::Serialize;

use super::answer::Outcome;
use super::edits::nearest;
use super::shares::{Shares, share};

/// The figures of one dataset of a group.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct SetFigures {
    /// Questions asked.
    pub questions: usize,
    /// Share of right answers to questions other than yes or no, where there are any: a text is
    /// right as it stands, a formula by its tokens, a name whatever its case and article.
    pub right: Option<f64>,
    /// Edits for each character of what was to be read letter by letter, where anything was.
    pub characters_wrong: Option<f64>,
    /// Share of right answers to yes or no, where that was asked.
    pub yes_or_no: Option<f64>,
    /// Answers that say that the model is not sure.
    pub not_sure: usize,
    /// Share of answers that are wrong and do not say that the model is not sure.
    pub wrong: f64,
    /// Of what the model had right: the share that it held back, as [`Shares::refused`].
    pub refused: Option<f64>,
    /// How far confidence and share of right answers are apart, as [`Shares::calibration_error`].
    pub calibration_error: Option<f64>,
}

impl SetFigures {
    /// Of these answers.
    pub fn of(outcomes: &[Outcome]) -> Self {
        let (whether, open): (Vec<_>, Vec<_>) = outcomes.iter().partition(|one| one.is_whether());
        let spelled = outcomes.iter().filter(|one| one.spelled);
        let edits = spelled.map(|one| {
            let Outcome { answered, .. } = one;
            nearest(&answered.answer, &answered.references, |text| {
                text.chars().collect::<Vec<_>>()
            })
        });
        let (edits, length) = edits.fold((0, 0), |(a, b), (x, y)| (a + x, b + y));
        let shares = Shares::of(outcomes.iter());
        Self {
            questions: outcomes.len(),
            right: share(open.into_iter(), Outcome::is_right),
            characters_wrong: (length > 0).then(|| edits as f64 / length as f64),
            yes_or_no: share(whether.into_iter(), Outcome::is_right),
            not_sure: outcomes.iter().filter(|one| one.is_not_sure()).count(),
            wrong: shares.wrong,
            refused: shares.refused,
            calibration_error: shares.calibration_error,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::right::tests::outcome;
    use super::*;

    #[test]
    fn a_row_has_what_fits_its_questions() {
        let figures = SetFigures::of(&[
            outcome("A spanner.", &["wrench", "spanner"], false),
            outcome("hammer", &["wrench"], false),
            outcome("Yes", &["yes"], false),
            outcome("no", &["yes"], false),
            outcome("I am not sure.", &["no"], false),
        ]);
        assert_eq!(figures.right, Some(0.5));
        assert_eq!(figures.yes_or_no, Some(1.0 / 3.0));
        assert_eq!((figures.questions, figures.not_sure), (5, 1));
        assert_eq!((figures.wrong, figures.refused), (0.4, Some(0.0)));
        assert_eq!(figures.characters_wrong, None);
        assert_eq!(figures.calibration_error, None);

        let figures = SetFigures::of(&[
            outcome("helo", &["hello"], true),
            outcome("a", &["a"], true),
        ]);
        assert_eq!(figures.characters_wrong, Some(1.0 / 6.0));
        assert_eq!((figures.right, figures.yes_or_no), (Some(0.5), None));
    }
}
