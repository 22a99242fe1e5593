//! What the decoder is shown of a frozen recogniser's opinion, beside the patches of its own tower.

use serde::{Deserialize, Serialize};

use crate::check::{positive, refuse, size};
use crate::error::ConfigError;

/// Most rows that stand beside an image's patches.
const MOST_ROWS: usize = 4096;

/// The rows that stand beside an image's patches: features of the frozen classifier in
/// `[efficient_net]`, pooled over windows, and the names of what it holds likely, spelled.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ConceptsConfig {
    /// The features are pooled over so many overlapping windows down and across, and over the
    /// whole.
    pub windows: usize,
    /// Names shown of those that are likeliest.
    pub num_names: usize,
    /// Kinds shown, the most specific of those that are likely enough.
    pub num_kinds: usize,
    /// Least probability of a kind that is shown.
    pub least_kind: f64,
    /// Tokens of a name that are shown; the rest is cut off.
    pub max_name_tokens: usize,
    /// What the rows are multiplied by in a fresh model. Small ones leave a decoder that reads
    /// already as it was, since its norm of the rows does not enlarge them.
    pub initial_gate: f64,
}

impl ConceptsConfig {
    /// Rows of features of an image: one a window, and one of the whole.
    pub fn num_windows(&self) -> usize {
        self.windows * self.windows + 1
    }

    /// Most names shown of an image: the likeliest, the exact one of the likeliest, and kinds.
    pub fn max_names(&self) -> usize {
        self.num_names + 1 + self.num_kinds
    }

    /// Most rows that stand beside an image's patches.
    pub fn max_rows(&self) -> usize {
        self.num_windows() + self.max_names() * self.max_name_tokens
    }

    pub(crate) fn validate(&self) -> Result<(), ConfigError> {
        size("concepts.windows", self.windows)?;
        size("concepts.num_names", self.num_names)?;
        size("concepts.max_name_tokens", self.max_name_tokens)?;
        let counts = [
            self.windows,
            self.num_names,
            self.num_kinds,
            self.max_name_tokens,
        ];
        if counts.iter().any(|count| *count > MOST_ROWS) || self.max_rows() > MOST_ROWS {
            return refuse(
                "concepts",
                format!("asks for more than {MOST_ROWS} rows an image"),
            );
        }
        if !(self.least_kind.is_finite() && (0.0..=1.0).contains(&self.least_kind)) {
            return refuse(
                "concepts.least_kind",
                format!("is {}, must be a probability", self.least_kind),
            );
        }
        positive("concepts.initial_gate", self.initial_gate)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_that_would_be_too_many_are_refused_before_they_are_counted() {
        let small = ConceptsConfig {
            windows: 3,
            num_names: 5,
            num_kinds: 5,
            least_kind: 0.3,
            max_name_tokens: 12,
            initial_gate: 1e-4,
        };
        assert!(small.validate().is_ok());
        assert_eq!(small.max_rows(), 10 + 11 * 12);
        for change in [
            |c: &mut ConceptsConfig| c.windows = usize::MAX,
            |c: &mut ConceptsConfig| c.num_kinds = usize::MAX / 2,
            |c: &mut ConceptsConfig| c.max_name_tokens = 0,
            |c: &mut ConceptsConfig| c.least_kind = f64::NAN,
            |c: &mut ConceptsConfig| c.initial_gate = 0.0,
        ] {
            let mut wrong = small.clone();
            change(&mut wrong);
            assert!(wrong.validate().is_err(), "{wrong:?}");
        }
    }
}
