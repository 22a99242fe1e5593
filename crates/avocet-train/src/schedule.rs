//! How the learning rate and the batch size move over a stage.

use serde::{Deserialize, Serialize};

use crate::error::{Result, TrainError};

/// Linear warm-up from 0 to the peak, then a half cosine down to the floor.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct LearningRate {
    /// The highest rate.
    pub peak: f64,
    /// The rate at the last step.
    pub floor: f64,
    /// Steps of the warm-up.
    pub warmup_steps: u64,
    /// Steps of the whole stage.
    pub total_steps: u64,
}

impl LearningRate {
    /// The rate of the step that follows `done` steps.
    pub fn at(&self, done: u64) -> f64 {
        if done < self.warmup_steps {
            return self.peak * (done + 1) as f64 / self.warmup_steps as f64;
        }
        let falling = self.total_steps.saturating_sub(self.warmup_steps).max(1);
        let progress = ((done - self.warmup_steps) as f64 / falling as f64).min(1.0);
        let height = 0.5 * (1.0 + (std::f64::consts::PI * progress).cos());
        self.floor + (self.peak - self.floor) * height
    }
}

/// A batch that grows: from `from` samples at the start, in equal stairs, to the full size.
///
/// Small batches teach more a sample while the loss is high (arXiv:2005.14165, section 2.3).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct BatchRamp {
    /// Samples of the first batches.
    pub from: usize,
    /// Steps after which the batch has its full size.
    pub steps: u64,
    /// How much each stair adds.
    pub increment: usize,
}

impl BatchRamp {
    /// Samples of the step that follows `done` steps, when the full batch has `full`.
    pub fn at(&self, done: u64, full: usize) -> usize {
        if done >= self.steps || self.from >= full {
            return full;
        }
        let stairs = (full - self.from).div_ceil(self.increment) as u64;
        let climbed = (done * stairs / self.steps) as usize;
        (self.from + climbed * self.increment).min(full)
    }

    /// Errors if a field is out of range.
    pub fn validate(&self, field: &str, full: usize) -> Result<()> {
        if self.from == 0 || self.increment == 0 || self.steps == 0 {
            return Err(TrainError::config(
                field,
                "from, steps and increment must be at least 1",
            ));
        }
        if self.from > full {
            let message = format!(
                "starts at {} samples, above the full batch of {full}",
                self.from
            );
            return Err(TrainError::config(field, message));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const RATE: LearningRate = LearningRate {
        peak: 1.0,
        floor: 0.1,
        warmup_steps: 10,
        total_steps: 110,
    };

    #[test]
    fn warm_up_is_linear_and_never_zero() {
        assert_eq!(RATE.at(0), 0.1);
        assert_eq!(RATE.at(4), 0.5);
        assert_eq!(RATE.at(9), 1.0);
    }

    #[test]
    fn the_cosine_passes_its_peak_middle_and_floor() {
        assert_eq!(RATE.at(10), 1.0);
        assert!((RATE.at(60) - 0.55).abs() < 1e-12);
        assert!((RATE.at(110) - 0.1).abs() < 1e-12);
        assert_eq!(RATE.at(5_000), RATE.at(110));
    }

    #[test]
    fn the_rate_never_rises_after_the_warm_up() {
        assert!((10..200).all(|step| RATE.at(step + 1) <= RATE.at(step)));
    }

    #[test]
    fn a_stage_all_of_warm_up_divides_nothing_by_zero() {
        let rate = LearningRate {
            warmup_steps: 110,
            ..RATE
        };
        assert!((0..300).all(|step| rate.at(step).is_finite()));
    }

    #[test]
    fn the_batch_climbs_in_equal_stairs_to_its_full_size() {
        let ramp = BatchRamp {
            from: 8,
            steps: 100,
            increment: 8,
        };
        let sizes: Vec<usize> = [0, 32, 34, 66, 67, 99, 100, 999]
            .map(|s| ramp.at(s, 32))
            .into();
        assert_eq!(sizes, [8, 8, 16, 16, 24, 24, 32, 32]);
    }
}
