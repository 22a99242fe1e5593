//! Sums over the steps between two lines of metrics.

use avocet_products::{Precision, product_peak};

use crate::checkpoint::RunState;
use crate::feed::StepBatches;
use crate::figures::StepReport;
use crate::metrics::StepMetrics;

/// Sums over the steps since the line before.
#[derive(Debug, Default)]
pub(crate) struct Meter {
    stage: String,
    precision: Precision,
    steps: u64,
    samples: u64,
    tokens: u64,
    patches: u64,
    flops: f64,
    seconds: f64,
    data_s: f64,
    last: (u64, u64, u64),
    samples_per_s: f64,
}

impl Meter {
    /// Of a stage whose products are computed in `precision`.
    pub(crate) fn new(stage: &str, precision: Precision) -> Self {
        Self {
            stage: stage.to_string(),
            precision,
            ..Self::default()
        }
    }

    /// Counts a step that took `seconds`, `data_s` of them waiting for data.
    pub(crate) fn add(
        &mut self,
        fed: &StepBatches,
        report: &StepReport,
        data_s: f64,
        seconds: f64,
    ) {
        let tokens: usize = fed.batches.iter().map(|batch| batch.ids.len()).sum();
        let grids = fed.batches.iter().flat_map(|batch| &batch.grids);
        let patches: usize = grids.map(|(rows, columns)| rows * columns).sum();
        self.last = (fed.samples, tokens as u64, patches as u64);
        self.steps += 1;
        self.samples += self.last.0;
        self.tokens += self.last.1;
        self.patches += self.last.2;
        self.flops += report.flops;
        self.seconds += seconds;
        self.data_s += data_s;
    }

    /// The line of the step that `report` is of; the sums start again.
    pub(crate) fn line(&mut self, state: &RunState, report: &StepReport, rate: f64) -> StepMetrics {
        let seconds = self.seconds.max(1e-9);
        let steps = self.steps.max(1) as f64;
        self.samples_per_s = self.samples as f64 / seconds;
        let share = |load: &Vec<u64>| {
            let total = load.iter().sum::<u64>().max(1) as f64;
            load.iter().map(|&count| count as f64 / total).collect()
        };
        let line = StepMetrics {
            step: state.step,
            stage: self.stage.clone(),
            stage_step: state.stage_step,
            loss: report.loss,
            parts: report.parts.clone(),
            kinds: report.kinds.clone(),
            accuracy: report.accuracy.clone(),
            gradient_norm: report.gradient_norm,
            learning_rate: rate,
            samples: self.last.0,
            tokens: self.last.1,
            patches: self.last.2,
            step_s: seconds / steps,
            data_s: self.data_s / steps,
            samples_per_s: self.samples_per_s,
            tokens_per_s: self.tokens as f64 / seconds,
            patches_per_s: self.patches as f64 / seconds,
            mfu: self.flops / seconds / (product_peak(self.precision) * 1e9),
            expert_load: report.loads.iter().map(share).collect(),
            skipped: state.skipped,
            seconds: state.seconds,
            samples_seen: state.samples_seen,
            flops: state.flops,
            ..StepMetrics::default()
        };
        *self = Self {
            samples_per_s: self.samples_per_s,
            ..Self::new(&self.stage, self.precision)
        };
        line
    }

    /// Samples a second, as of the last line or since then.
    pub(crate) fn samples_per_s(&self) -> f64 {
        match self.seconds {
            0.0 => self.samples_per_s,
            seconds => self.samples as f64 / seconds,
        }
    }

    /// What the progress display says of a step.
    pub(crate) fn message(report: &StepReport, samples_per_s: f64) -> String {
        let mut message = format!("loss {:.4}", report.loss);
        for (name, part) in &report.parts {
            if !matches!(name.as_str(), "balance" | "z") {
                message.push_str(&format!(" {name} {part:.4}"));
            }
        }
        message.push_str(&format!("  {samples_per_s:.1} samples/s"));
        message
    }
}
