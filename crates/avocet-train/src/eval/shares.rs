//! What became of the questions of a kind: right, wrong, or not sure; and how far a model is from
//! knowing which.

use std::collections::BTreeMap;

use serde::Serialize;

use super::answer::Outcome;
use super::calibration::calibration_error;

/// The shares of right, wrong and withheld answers of one kind of question, which add up to 1.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize)]
pub struct Shares {
    /// Right, whatever case and article of a name; "not sure" where nobody can know.
    pub right: f64,
    /// Said, and wrong.
    pub wrong: f64,
    /// Not sure of what can be known.
    pub not_sure: f64,
    /// Of what the model had right: the share that it held back, not being sure. None where it had
    /// nothing right, or where nobody can know.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub refused: Option<f64>,
    /// How far confidence and share of right answers are apart ([`calibration_error`]); none where
    /// the model was never asked.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub calibration_error: Option<f64>,
}

impl Shares {
    /// Of these answers.
    pub fn of<'a>(outcomes: impl Iterator<Item = &'a Outcome> + Clone) -> Self {
        let right = share(outcomes.clone(), Outcome::is_right).unwrap_or(0.0);
        let withheld = |one: &Outcome| !one.is_right() && one.is_not_sure();
        let not_sure = share(outcomes.clone(), withheld).unwrap_or(0.0);
        let wrong = |one: &Outcome| !one.is_right() && !one.is_not_sure();
        let known = outcomes.clone();
        let known = known.filter(|one| !one.is_unknowable() && one.knows());
        Self {
            right,
            wrong: share(outcomes.clone(), wrong).unwrap_or(0.0),
            not_sure,
            refused: share(known, Outcome::is_not_sure),
            calibration_error: calibration_error(outcomes),
        }
    }
}

/// Shares by kind, and of all together under `all`.
pub fn shares_by_kind(outcomes: &[Outcome]) -> BTreeMap<String, Shares> {
    let mut by_kind: BTreeMap<&str, Vec<&Outcome>> = BTreeMap::new();
    for outcome in outcomes {
        for kind in [outcome.answered.kind.as_str(), "all"] {
            by_kind.entry(kind).or_default().push(outcome);
        }
    }
    let kinds = by_kind.into_iter();
    kinds
        .map(|(kind, of)| (kind.to_owned(), Shares::of(of.into_iter())))
        .collect()
}

/// The share of those of which something holds; none where there are none.
pub(super) fn share<'a>(
    outcomes: impl Iterator<Item = &'a Outcome>,
    holds: impl Fn(&Outcome) -> bool,
) -> Option<f64> {
    let (mut count, mut of) = (0u32, 0u32);
    for outcome in outcomes {
        of += 1;
        count += u32::from(holds(outcome));
    }
    (of > 0).then(|| f64::from(count) / f64::from(of))
}

#[cfg(test)]
mod tests {
    use super::super::right::tests::held;
    use super::*;

    #[test]
    fn what_was_known_and_held_back_is_counted() {
        let outcomes = [
            held("a dog", 0.9, &["dog"]),
            held("a cat", 0.2, &["cat"]),
            held("a cow", 0.2, &["horse"]),
            held("a hen", 0.8, &["duck"]),
            held("a man", 0.1, &["not sure"]),
        ];
        let kinds = shares_by_kind(&outcomes);
        let all = kinds["all"];
        assert_eq!((all.right, all.wrong, all.not_sure), (0.4, 0.2, 0.4));
        assert_eq!(all.refused, Some(0.5));
        // 0.1 off, 0.8 off, 0.2 twice with one of two right, 0.1 off.
        let error = all.calibration_error.expect("confidences");
        assert!(
            (error - (0.1 + 0.8 + 0.6 + 0.1) / 5.0).abs() < 1e-12,
            "{error}"
        );
        assert_eq!(kinds.len(), 2);
    }
}
