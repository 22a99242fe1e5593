//! How much text a stage has read, how much of it was new, and how much that is for its model.

use avocet_config::ModelConfig;
use avocet_data::SourceReport;
use avocet_model::ParameterCount;
use serde::{Deserialize, Serialize};

use crate::error::{Result, TrainError};

/// Tokens for each parameter that a dense model is best trained on for its compute
/// (arXiv:2203.15556, table 3).
const CHINCHILLA: f64 = 20.0;

/// What a stage has read so far.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct DataSeen {
    /// Each source, in the order of the training file.
    pub sources: Vec<SourceReport>,
    /// Parameters that one text token meets.
    pub active_parameters: u64,
    /// All parameters.
    pub total_parameters: u64,
}

impl DataSeen {
    /// Of a stage that trains this model.
    ///
    /// Errors if the model's shape is invalid.
    pub fn new(sources: &[SourceReport], model: &ModelConfig) -> Result<Self> {
        let count = ParameterCount::of(model);
        let count = count.map_err(|error| TrainError::Model(error.to_string()))?;
        Ok(Self {
            sources: sources.to_vec(),
            active_parameters: count.active,
            total_parameters: count.total,
        })
    }

    /// Tokens read, repeats included, and tokens of different samples.
    pub fn tokens(&self) -> (u64, u64) {
        let sum = |of: fn(&SourceReport) -> u64| self.sources.iter().map(of).sum();
        (sum(|s| s.seen_tokens), sum(|s| s.unique_tokens))
    }

    /// The head of the table, a row for each source, and one for all.
    pub fn rows(&self) -> Vec<[String; 5]> {
        let head = ["source", "samples", "epochs", "tokens seen", "unique"];
        let mut rows = vec![head.map(str::to_owned)];
        for source in &self.sources {
            rows.push([
                source.name.clone(),
                source.seen_samples.to_string(),
                format!("{:.2}", source.epochs),
                source.seen_tokens.to_string(),
                source.unique_tokens.to_string(),
            ]);
        }
        let (seen, unique) = self.tokens();
        let samples: u64 = self.sources.iter().map(|s| s.seen_samples).sum();
        rows.push([
            "all".into(),
            samples.to_string(),
            String::new(),
            seen.to_string(),
            unique.to_string(),
        ]);
        rows
    }

    /// Tokens for each parameter, beside what is best for a dense model.
    pub(crate) fn chinchilla(&self) -> String {
        let per = |parameters: u64| self.tokens().0 as f64 / parameters.max(1) as f64;
        format!(
            "{:.2} text tokens for each active parameter, {:.2} for each of all; a dense model is \
             best trained on about {CHINCHILLA:.0} for its compute",
            per(self.active_parameters),
            per(self.total_parameters)
        )
    }

    /// The table and the line below it, as plain text.
    pub fn text(&self) -> String {
        let rows = self.rows();
        let width = |column: usize| rows.iter().map(|row| row[column].chars().count()).max();
        let widths: Vec<usize> = (0..5).map(|column| width(column).unwrap_or(0)).collect();
        let mut text = String::new();
        for [source, samples, epochs, seen, unique] in rows {
            text.push_str(&format!(
                "  {source:<0$}  {samples:>1$}  {epochs:>2$}  {seen:>3$}  {unique:>4$}\n",
                widths[0], widths[1], widths[2], widths[3], widths[4]
            ));
        }
        text + "  " + &self.chinchilla()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn repeats_are_told_from_new_text_and_all_is_held_against_the_parameters() {
        let source = |name: &str, tokens| SourceReport {
            name: name.into(),
            samples: 10,
            seen_samples: 20,
            unique_samples: 10,
            epochs: 2.0,
            seen_tokens: 2 * tokens,
            unique_tokens: tokens,
        };
        let seen = DataSeen {
            sources: vec![source("web/train", 300), source("code/train", 100)],
            active_parameters: 400,
            total_parameters: 1600,
        };
        assert_eq!(seen.tokens(), (800, 400));
        let text = seen.text();
        assert!(
            text.contains("web/train        20    2.00          600     300"),
            "{text}"
        );
        assert!(
            text.contains("2.00 text tokens for each active parameter, 0.50"),
            "{text}"
        );
    }
}
