//! How far confidence is from the truth, and the calibration that brings it nearer.

use std::collections::BTreeMap;

use avocet_config::{AnswerKind, CalibrationConfig, ConfidenceConfig, features};

use super::answer::Outcome;

/// Bins of the error.
const BINS: usize = 15;
/// With fewer answers of a kind nothing is fitted.
const FEWEST: usize = 30;
/// Rounds of Newton's method, which needs a tenth of them.
const ROUNDS: usize = 60;
/// How strongly the fit is held to what changes nothing: as by so many answers.
const PRIOR: f64 = 1.0;
/// Share of the right answers that the threshold holds back.
const HELD_BACK: f64 = 0.05;
/// Of readings, of which most may be right where not all is: a half-read line is of use.
const READINGS_HELD_BACK: f64 = 0.005;
/// Above it an answer stands: it is rather right than wrong.
const HIGHEST_THRESHOLD: f64 = 0.5;

/// Expected calibration error: the mean, over answers, of how far the confidence of the bin that
/// they fall in is from the share of right ones there, in 15 bins of even width; none where no
/// answer has a confidence. What is held back counts by what would have been said.
///
/// Naeini et al. 2015; Guo et al. 2017, arXiv:1706.04599, equation 3.
pub fn calibration_error<'a>(outcomes: impl Iterator<Item = &'a Outcome>) -> Option<f64> {
    let told = outcomes.filter_map(|one| Some((one.confidence()?, one.knows())));
    error_of(told)
}

/// Of confidences, each with whether the answer is right.
fn error_of(told: impl Iterator<Item = (f64, bool)>) -> Option<f64> {
    let mut bins = [(0.0, 0.0); BINS];
    let mut count = 0.0;
    for (confidence, right) in told {
        let bin = &mut bins[((confidence * BINS as f64) as usize).min(BINS - 1)];
        bin.0 += confidence;
        bin.1 += f64::from(right);
        count += 1.0;
    }
    let apart: f64 = bins.iter().map(|(sure, right)| (sure - right).abs()).sum();
    (count > 0.0).then(|| apart / count)
}

/// The calibration that makes these answers the most probable, for each kind of which there are at
/// least 30, with thresholds that hold back one in twenty of what was right, and of readings one in two
/// hundred of what was right or nearly so; `before` is what the
/// model has, whose other fields stay.
pub fn calibrate(outcomes: &[Outcome], before: Option<&ConfidenceConfig>) -> ConfidenceConfig {
    let mut config = before.cloned().unwrap_or_default();
    let mut kinds: BTreeMap<AnswerKind, Vec<Trial>> = BTreeMap::new();
    for outcome in outcomes {
        let answer = outcome.reply.as_ref();
        let Some(answer) = answer.and_then(|reply| reply.answer.as_ref()) else {
            continue;
        };
        let tokens = answer.token_ids.len();
        let trial = Trial {
            log_probability: answer.log_probability,
            tokens,
            right: outcome.knows(),
            of_use: outcome.is_of_use() && !outcome.is_unknowable(),
        };
        let kind = config.kind(&answer.text, tokens);
        kinds.entry(kind).or_default().push(trial);
    }
    for (kind, trials) in kinds {
        if trials.len() >= FEWEST {
            let share = match kind {
                AnswerKind::Reading => READINGS_HELD_BACK,
                AnswerKind::YesOrNo | AnswerKind::Name => HELD_BACK,
            };
            *config.of_mut(kind) = fitted(&trials, share);
        }
    }
    config
}

/// One answer with what became of it.
struct Trial {
    log_probability: f64,
    tokens: usize,
    right: bool,
    of_use: bool,
}

/// Logistic regression by Newton's method, held to the identity, with the threshold that holds
/// `held_back` of what is of use back.
fn fitted(trials: &[Trial], held_back: f64) -> CalibrationConfig {
    let start = [1.0, 0.0, 0.0];
    let rows: Vec<([f64; 3], f64)> = trials
        .iter()
        .map(|trial| {
            let [odds, length] = features(trial.log_probability, trial.tokens);
            ([odds, 1.0, length], f64::from(trial.right))
        })
        .collect();
    let mut weights = start;
    for _ in 0..ROUNDS {
        let mut slope: [f64; 3] = std::array::from_fn(|i| PRIOR * (weights[i] - start[i]));
        let mut curve = [[PRIOR, 0.0, 0.0], [0.0, PRIOR, 0.0], [0.0, 0.0, PRIOR]];
        for (row, right) in &rows {
            let odds: f64 = weights.iter().zip(row).map(|(w, x)| w * x).sum();
            let sure = 1.0 / (1.0 + (-odds).exp());
            for ((slope, line), x) in slope.iter_mut().zip(&mut curve).zip(row) {
                *slope += (sure - right) * x;
                let bend = sure * (1.0 - sure) * x;
                line.iter_mut()
                    .zip(row)
                    .for_each(|(cell, y)| *cell += bend * y);
            }
        }
        let step = solved(curve, slope);
        // Far from the best place a whole step may lead farther away.
        let longest = step.iter().fold(1.0f64, |most, part| most.max(part.abs()));
        weights
            .iter_mut()
            .zip(step)
            .for_each(|(weight, part)| *weight -= part / longest);
    }
    let rounded = |number: f64| (number * 1e4).round() / 1e4;
    let mut config = CalibrationConfig {
        scale: rounded(weights[0]),
        offset: rounded(weights[1]),
        length: rounded(weights[2]),
        threshold: 0.0,
    };
    let of_use = trials.iter().filter(|trial| trial.of_use);
    let mut sure: Vec<f64> = of_use
        .map(|trial| config.confidence(trial.log_probability, trial.tokens))
        .collect();
    sure.sort_by(f64::total_cmp);
    if sure.len() >= FEWEST {
        let place = (held_back * sure.len() as f64) as usize;
        config.threshold = (sure[place].min(HIGHEST_THRESHOLD) * 1e4).floor() / 1e4;
    }
    config
}

/// `x` of `a x = b` by Cramer's rule; `a` is positive definite.
fn solved(a: [[f64; 3]; 3], b: [f64; 3]) -> [f64; 3] {
    let whole = determinant(a);
    std::array::from_fn(|column| {
        let mut replaced = a;
        let lines = replaced.iter_mut().zip(b);
        lines.for_each(|(line, value)| line[column] = value);
        determinant(replaced) / whole
    })
}

fn determinant([a, b, c]: [[f64; 3]; 3]) -> f64 {
    a[0] * (b[1] * c[2] - b[2] * c[1]) - a[1] * (b[0] * c[2] - b[2] * c[0])
        + a[2] * (b[0] * c[1] - b[1] * c[0])
}

#[cfg(test)]
mod tests {
    use super::super::right::tests::held;
    use super::*;

    #[test]
    fn the_error_is_how_far_confidence_and_truth_are_apart() {
        let told = |answers: &[(f64, bool)]| error_of(answers.iter().copied());
        assert_eq!(told(&[]), None);
        let even = [(0.5, true), (0.5, false)];
        assert_eq!(told(&even), Some(0.0));
        let boasts: Vec<_> = [(1.0, true), (1.0, false)].repeat(10);
        assert_eq!(told(&boasts), Some(0.5));
        // Errors of different bins do not make up for each other.
        assert_eq!(told(&[(1.0, false), (0.0, true)]), Some(1.0));
    }

    /// Answers that are right as often as a model half as sure would say, spread evenly.
    fn boastful(count: usize) -> Vec<Outcome> {
        let mut lot = 1u64;
        let mut draw = || {
            lot = lot
                .wrapping_mul(6364136223846793005)
                .wrapping_add(1442695040888963407);
            (lot >> 33) as f64 / (1u64 << 31) as f64
        };
        let one = |_| {
            let odds: f64 = 12.0 * draw() - 6.0;
            let truth = 1.0 / (1.0 + (-odds).exp());
            let said = 1.0 / (1.0 + (-2.0 * odds).exp());
            let answer = if draw() < truth { "a dog" } else { "a cat" };
            held(answer, said, &["dog"])
        };
        (0..count).map(one).collect()
    }

    #[test]
    fn a_boastful_model_is_calmed_down() {
        let told = boastful(4000);
        let config = calibrate(&told, None);
        let name = config.name;
        // A standard error of the scale is 0.02 here.
        assert!(
            (name.scale - 0.5).abs() < 0.06 && name.offset.abs() < 0.2,
            "{name:?}"
        );
        let before = calibration_error(told.iter()).expect("confidences");
        let after = error_of(told.iter().map(|one| {
            let log = one.confidence().map_or(0.0, f64::ln);
            (name.confidence(log, 2), one.knows())
        }));
        let after = after.expect("confidences");
        assert!(before > 0.05 && after < 0.03, "{before} to {after}");
        // One in twenty of what is right lies below.
        let right: Vec<_> = told.iter().filter(|one| one.knows()).collect();
        let below = right.iter().filter(|one| {
            let log = one.confidence().map_or(0.0, f64::ln);
            name.confidence(log, 2) < name.threshold
        });
        let share = below.count() as f64 / right.len() as f64;
        assert!((0.03..0.07).contains(&share), "{share}");
        assert_eq!(config.yes_or_no, CalibrationConfig::default());
    }

    #[test]
    fn a_few_answers_teach_nothing() {
        let config = calibrate(&boastful(20), None);
        assert_eq!(config, ConfidenceConfig::default());
    }
}
