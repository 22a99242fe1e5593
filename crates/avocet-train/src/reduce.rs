//! What the ranks of a run make of one step together.
//!
//! A rank is one of the processes that train one model, each on micro-batches of its own. They
//! meet twice in a step. Before the forward passes they agree on what the loss is the mean of and
//! on the names that are met for the first time; after the backward passes they add up gradients
//! and figures. Whatever follows is computed by each of these sums, which are the same on all:
//! whether the gradient is finite, how it is clipped, how router biases move.

use avocet_data::Batch;

use crate::error::Result;
use crate::figures::StepWork;
use crate::gradients::Gradients;

/// What a rank's micro-batches add to what a step must know before it computes.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct StepTotals {
    /// Sum of the weights of answer tokens.
    pub answer_weight: f32,
    /// Number of micro-batches.
    pub micro_batches: usize,
    /// Names that have no place in the naming head, in the order in which they come.
    pub names: Vec<String>,
}

impl StepTotals {
    /// Of these micro-batches, but for the names.
    pub(crate) fn of(batches: &[Batch]) -> Self {
        Self {
            answer_weight: batches.iter().flat_map(|batch| &batch.weights).sum(),
            micro_batches: batches.len(),
            names: Vec::new(),
        }
    }

    /// Adds those of the next rank.
    pub fn add(&mut self, later: Self) {
        self.answer_weight += later.answer_weight;
        self.micro_batches += later.micro_batches;
        self.names.extend(later.names);
    }
}

/// How the ranks of a run add up what each has of a step.
///
/// Every rank makes the same calls in the same order, and gets the same sums, bit for bit: added
/// in the order of the ranks, a run on N ranks with a micro-batch each is the run on one with N.
pub trait Reduce: std::fmt::Debug + Send + Sync {
    /// The totals of all ranks.
    ///
    /// Errors if a rank is gone.
    fn totals(&self, mine: StepTotals) -> Result<StepTotals>;

    /// Gradients and figures, added up over all ranks. A parameter that took part on no rank has
    /// no gradient.
    ///
    /// Errors if a rank is gone.
    fn work(&self, mine: StepWork) -> Result<StepWork>;

    /// The length of the summed gradients of all parameters, of which this rank has `sums`: all
    /// of them, where no rank has parameters or gradients of its own.
    fn norm(&self, sums: &Gradients) -> Result<f64> {
        sums.norm()
    }
}

/// A single process: its sums are those of all.
#[derive(Debug, Clone, Copy, Default)]
pub struct OneProcess;

impl Reduce for OneProcess {
    fn totals(&self, mine: StepTotals) -> Result<StepTotals> {
        Ok(mine)
    }

    fn work(&self, mine: StepWork) -> Result<StepWork> {
        Ok(mine)
    }
}
