//! The last third of a step: the sums of all ranks move the parameters.

use std::time::Instant;

use candle_core::Tensor;

use super::Learner;
use crate::error::Result;
use crate::figures::{StepReport, StepWork};

impl Learner {
    /// Moves parameters and router biases by what all ranks computed, at `rate`. A gradient that
    /// is not finite changes nothing and is reported.
    pub(super) fn update(&mut self, sums: StepWork, rate: f64) -> Result<StepReport> {
        let StepWork { gradients, figures } = sums;
        let mut report = figures.report();
        let started = Instant::now();
        report.gradient_norm = self.ranks.norm(&gradients)?;
        report.applied = report.gradient_norm.is_finite();
        if report.applied {
            let scale = clipped(report.gradient_norm, self.clip);
            self.optimizer.step(&gradients, rate, scale)?;
        }
        report.optimizer_s = started.elapsed().as_secs_f64();
        if report.applied {
            self.move_router_biases(&report.loads)?;
        }
        Ok(report)
    }

    /// Moves the loss-free router biases against the experts' load (arXiv:2408.15664): an expert
    /// above the mean becomes a little less likely to be chosen, one below a little more.
    fn move_router_biases(&self, loads: &[Vec<u64>]) -> Result<()> {
        if self.router_bias_rate == 0.0 {
            return Ok(());
        }
        for (bias, load) in self.params.router_biases().iter().zip(loads) {
            let mean = load.iter().sum::<u64>() as f64 / load.len().max(1) as f64;
            let against =
                |&load: &u64| (mean - load as f64).signum() * f64::from(load as f64 != mean);
            let moves = load
                .iter()
                .map(|l| (against(l) * self.router_bias_rate) as f32);
            let moves = Tensor::from_vec(moves.collect(), load.len(), bias.device())?;
            bias.set(&(bias.as_detached_tensor() + moves)?)?;
        }
        Ok(())
    }
}

/// What gradients of this global norm are multiplied by, so that it is at most `clip`.
fn clipped(norm: f64, clip: Option<f64>) -> f64 {
    match clip {
        Some(most) if norm > most => most / (norm + 1e-6),
        _ => 1.0,
    }
}

#[cfg(test)]
mod tests {
    use super::clipped;

    #[test]
    fn clipping_scales_the_whole_gradient_to_the_limit() {
        assert_eq!(clipped(0.5, Some(1.0)), 1.0);
        assert_eq!(clipped(5.0, None), 1.0);
        assert!((clipped(5.0, Some(1.0)) * 5.0 - 1.0).abs() < 1e-6);
    }
}
