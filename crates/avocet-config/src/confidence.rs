//! How a model's probabilities become a confidence, and below which it says that it is not sure.
//!
//! The numbers are fitted on held-out questions (`avocet eval --calibrate`); a model without them
//! is taken at its word and always answers.

use serde::{Deserialize, Serialize};

use crate::check::{is_default, refuse};
use crate::error::ConfigError;

/// Log-odds beyond which nothing is told apart: a model is never surer than 1 - 1e-6.
const MOST_LOG_ODDS: f64 = 14.0;
/// The longest question for the coarser thing.
const MOST_CHARACTERS: usize = 400;

/// What is known of a model's sureness.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ConfidenceConfig {
    /// Answers of more tokens, their end included, are readings (a line, a formula), of which most
    /// may be right where not all is.
    #[serde(default = "eight")]
    pub reading_tokens: usize,
    /// What is asked about a picture where the model is not sure of an open question: if it is sure
    /// of the answer to this, that is said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub coarser: Option<String>,
    /// Of the answers yes and no.
    #[serde(default, skip_serializing_if = "is_default")]
    pub yes_or_no: CalibrationConfig,
    /// Of other short answers: names, numbers.
    #[serde(default, skip_serializing_if = "is_default")]
    pub name: CalibrationConfig,
    /// Of readings.
    #[serde(default, skip_serializing_if = "is_default")]
    pub reading: CalibrationConfig,
}

/// A straight line through log-odds (Platt 1999, "Probabilistic outputs for support vector
/// machines"), with the length of the answer as a second number. The default changes nothing.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct CalibrationConfig {
    /// Factor on the log-odds of the answer's probability: 1 over a temperature.
    #[serde(default = "one")]
    pub scale: f64,
    /// Added to them.
    #[serde(default)]
    pub offset: f64,
    /// Added for each e-folding of the number of tokens.
    #[serde(default)]
    pub length: f64,
    /// Confidence below which the model says that it is not sure; 0 always answers.
    #[serde(default)]
    pub threshold: f64,
}

/// What an answer is, as far as its confidence goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum AnswerKind {
    /// Yes or no.
    YesOrNo,
    /// Another short answer.
    Name,
    /// A long one: a line, a formula.
    Reading,
}

impl AnswerKind {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::YesOrNo, Self::Name, Self::Reading];
}

fn eight() -> usize {
    8
}

fn one() -> f64 {
    1.0
}

impl Default for ConfidenceConfig {
    fn default() -> Self {
        Self {
            reading_tokens: eight(),
            coarser: None,
            yes_or_no: CalibrationConfig::default(),
            name: CalibrationConfig::default(),
            reading: CalibrationConfig::default(),
        }
    }
}

impl Default for CalibrationConfig {
    fn default() -> Self {
        Self {
            scale: one(),
            offset: 0.0,
            length: 0.0,
            threshold: 0.0,
        }
    }
}

impl CalibrationConfig {
    /// The probability that an answer of `tokens` tokens is right, which the model gave this
    /// probability, as a logarithm.
    pub fn confidence(&self, log_probability: f64, tokens: usize) -> f64 {
        let [odds, length] = features(log_probability, tokens);
        let odds = self.scale * odds + self.offset + self.length * length;
        1.0 / (1.0 + (-odds).exp())
    }
}

/// What a confidence is computed from: the log-odds of an answer's probability, which is given as a
/// logarithm, and the logarithm of the number of its tokens.
pub fn features(log_probability: f64, tokens: usize) -> [f64; 2] {
    // log(p / (1 - p)), exact also where p is nearly 1.
    let odds = log_probability - (-log_probability.exp_m1()).ln();
    let odds = if odds.is_nan() {
        -MOST_LOG_ODDS
    } else {
        odds.clamp(-MOST_LOG_ODDS, MOST_LOG_ODDS)
    };
    [odds, (tokens.max(1) as f64).ln()]
}

impl ConfidenceConfig {
    /// What an answer of these words, and of so many tokens, is.
    pub fn kind(&self, text: &str, tokens: usize) -> AnswerKind {
        let word = text.trim().trim_end_matches('.');
        if word.eq_ignore_ascii_case("yes") || word.eq_ignore_ascii_case("no") {
            AnswerKind::YesOrNo
        } else if tokens > self.reading_tokens {
            AnswerKind::Reading
        } else {
            AnswerKind::Name
        }
    }

    /// The calibration of such answers.
    pub fn of(&self, kind: AnswerKind) -> &CalibrationConfig {
        match kind {
            AnswerKind::YesOrNo => &self.yes_or_no,
            AnswerKind::Name => &self.name,
            AnswerKind::Reading => &self.reading,
        }
    }

    /// The same, to be changed.
    pub fn of_mut(&mut self, kind: AnswerKind) -> &mut CalibrationConfig {
        match kind {
            AnswerKind::YesOrNo => &mut self.yes_or_no,
            AnswerKind::Name => &mut self.name,
            AnswerKind::Reading => &mut self.reading,
        }
    }

    /// The `[confidence]` table as it stands in a model's configuration.
    pub fn to_toml(&self) -> String {
        let table = std::collections::BTreeMap::from([("confidence", self)]);
        toml::to_string(&table).expect("the structs hold nothing that TOML cannot write")
    }

    /// Whether it may be that the model does not answer.
    pub fn may_refuse(&self) -> bool {
        let mut kinds = AnswerKind::ALL.into_iter();
        kinds.any(|kind| self.of(kind).threshold > 0.0)
    }

    /// Errors if a number is none or a threshold no probability.
    pub fn validate(&self) -> Result<(), ConfigError> {
        for kind in [&self.yes_or_no, &self.name, &self.reading] {
            let numbers = [kind.scale, kind.offset, kind.length];
            if !numbers.iter().all(|number| number.abs() <= 1e3) {
                return refuse(
                    "confidence",
                    format!("{numbers:?}: scale, offset and length must be within 1000 of 0"),
                );
            }
            if !(0.0..=1.0).contains(&kind.threshold) {
                return refuse(
                    "confidence.threshold",
                    format!("is {}, must be 0 to 1", kind.threshold),
                );
            }
        }
        let coarser = self.coarser.as_deref();
        if coarser.is_some_and(|text| text.trim().is_empty() || text.len() > MOST_CHARACTERS) {
            return refuse(
                "confidence.coarser",
                format!("must be a question of at most {MOST_CHARACTERS} bytes"),
            );
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn without_a_calibration_a_model_is_taken_at_its_word() {
        let plain = CalibrationConfig::default();
        for p in [0.001f64, 0.3, 0.5, 0.99] {
            assert!((plain.confidence(p.ln(), 5) - p).abs() < 1e-12, "{p}");
        }
        for certain in [0.0, -1e-300] {
            let sure = plain.confidence(certain, 1);
            assert!((0.999_999..1.0).contains(&sure), "{sure}");
        }
        for broken in [f64::NEG_INFINITY, f64::NAN] {
            assert!(plain.confidence(broken, 0) < 1e-6);
        }
    }

    #[test]
    fn a_calibration_moves_log_odds_on_a_line() {
        let tempered = CalibrationConfig {
            scale: 0.5,
            offset: 1.0,
            length: -2.0,
            threshold: 0.0,
        };
        let odds = 0.5 * (0.8f64 / 0.2).ln() + 1.0 - 2.0 * 3f64.ln();
        let expected = 1.0 / (1.0 + (-odds).exp());
        assert!((tempered.confidence(0.8f64.ln(), 3) - expected).abs() < 1e-12);
    }

    #[test]
    fn answers_are_told_apart_by_their_words_and_length() {
        let config = ConfidenceConfig::default();
        for (text, tokens, kind) in [
            ("Yes.", 2, AnswerKind::YesOrNo),
            ("no", 2, AnswerKind::YesOrNo),
            ("nothing", 3, AnswerKind::Name),
            ("a line of print", 9, AnswerKind::Reading),
        ] {
            assert_eq!(config.kind(text, tokens), kind, "{text}");
        }
    }

    #[test]
    fn numbers_that_cannot_be_are_refused_by_name() {
        let read = |text: &str| {
            let config: ConfidenceConfig = toml::from_str(text).expect(text);
            config.validate()
        };
        assert!(read("").is_ok());
        assert!(read("coarser = \"What kind of thing is it?\"\n[name]\nthreshold = 0.4").is_ok());
        for (text, said) in [
            ("[name]\nscale = nan", "confidence"),
            ("[reading]\noffset = 1e9", "confidence"),
            ("[yes_or_no]\nthreshold = 1.5", "confidence.threshold"),
            ("[name]\nthreshold = nan", "confidence.threshold"),
            ("coarser = \" \"", "confidence.coarser"),
        ] {
            let error = read(text).expect_err(text).to_string();
            assert!(error.contains(said), "{text}: {error}");
        }
    }
}
