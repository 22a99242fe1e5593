//! Why a plan could not be made.

/// Why a plan could not be made.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum PlanError {
    /// A number is out of its range, or two numbers disagree.
    #[error("{what}: {reason}")]
    Input {
        /// What was given: a flag or a field.
        what: &'static str,
        /// What is wrong with it, with both numbers when two disagree.
        reason: String,
    },
    /// No GPU is known by this name.
    #[error("gpu: {name:?} is not known; known are {known}")]
    UnknownGpu {
        /// The name asked for.
        name: String,
        /// The names there are.
        known: String,
    },
    /// No layout of the model on the cluster fits.
    #[error("no layout of {model} fits on {count} {gpu}: {reasons}")]
    NothingFits {
        /// The model.
        model: String,
        /// The GPU.
        gpu: String,
        /// How many.
        count: u64,
        /// Why layouts were refused, the most frequent reason first.
        reasons: String,
    },
}

/// A result of planning.
pub type Result<T> = std::result::Result<T, PlanError>;

/// An error about `what`.
pub(crate) fn refuse<T>(what: &'static str, reason: impl Into<String>) -> Result<T> {
    Err(PlanError::Input {
        what,
        reason: reason.into(),
    })
}

/// Errors unless `value` is a finite number above 0.
pub(crate) fn positive(what: &'static str, value: f64) -> Result<()> {
    if value.is_finite() && value > 0.0 {
        Ok(())
    } else {
        refuse(what, format!("is {value}, must be above 0"))
    }
}
