//! What failures cost: how often to save, and how much of the time is useful.

use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use serde::Serialize;

use crate::error::{Result, positive};

/// GPU-hours between two interruptions that nobody planned: 419 of them in 54 days on 16,384 H100
/// (Llama 3, arXiv:2407.21783, section 3.3.4).
pub const GPU_HOURS_A_FAILURE: f64 = 16_384.0 * 54.0 * 24.0 / 419.0;

/// Seconds that training stands still for a checkpoint, if nobody says otherwise: its state is copied
/// to the hosts' memory, and from there to storage while training goes on. An assumption, as is
/// [`RESTART_S`]; with both, Llama 3's cluster comes to the "over 90 % effective training time" that
/// its authors report.
pub const CHECKPOINT_S: f64 = 10.0;
/// Seconds from a failure until training goes on: noticing it, a spare node, loading, warming up.
pub const RESTART_S: f64 = 480.0;

/// How a run saves itself and comes back.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Failures {
    /// Seconds between two failures of the whole cluster, on average.
    pub between_s: f64,
    /// Seconds that training stands still for a checkpoint.
    pub checkpoint_s: f64,
    /// Seconds from a failure until training goes on from the last checkpoint.
    pub restart_s: f64,
}

/// The share of time that trains.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Goodput {
    /// Seconds of training between two checkpoints.
    pub interval_s: f64,
    /// Useful time over all time.
    pub share: f64,
    /// Failures a day.
    pub failures_a_day: f64,
}

impl Failures {
    /// Of a cluster of `count` GPUs that each fail once in `gpu_hours`.
    ///
    /// Errors if a time is not above 0.
    pub fn of(count: u64, gpu_hours: f64, checkpoint_s: f64, restart_s: f64) -> Result<Self> {
        positive("mtbf", gpu_hours)?;
        positive("checkpoint", checkpoint_s)?;
        positive("restart", restart_s)?;
        Ok(Self {
            between_s: gpu_hours * 3600.0 / count as f64,
            checkpoint_s,
            restart_s,
        })
    }

    /// Daly's interval of higher order (2006, equation 37); never longer than the time between
    /// failures.
    pub(crate) fn daly_s(&self) -> f64 {
        let (delta, m) = (self.checkpoint_s, self.between_s);
        if delta >= 2.0 * m {
            return m;
        }
        let x = delta / (2.0 * m);
        (2.0 * delta * m).sqrt() * (1.0 + x.sqrt() / 3.0 + x / 9.0) - delta
    }

    /// Share of useful time when a checkpoint is taken after every `interval_s` of training, with
    /// failures at any time, also during checkpoints and restarts (Daly 2006, equation 20):
    /// tau / (M exp(R / M) (exp((tau + delta) / M) - 1)).
    pub(crate) fn goodput_at(&self, interval_s: f64) -> f64 {
        let m = self.between_s;
        let segment = ((interval_s + self.checkpoint_s) / m).exp_m1();
        let share = interval_s / (m * (self.restart_s / m).exp() * segment);
        if share.is_finite() { share } else { 0.0 }
    }

    /// The same at Daly's interval.
    pub fn goodput(&self) -> Goodput {
        let interval_s = self.daly_s();
        Goodput {
            interval_s,
            share: self.goodput_at(interval_s),
            failures_a_day: 86_400.0 / self.between_s,
        }
    }

    /// Share of useful time of a drawn history of `segments` checkpoints, failures falling by an
    /// exponential law; the same for the same seed.
    pub fn simulate(&self, interval_s: f64, segments: u32, seed: u64) -> f64 {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        // No history is followed for more failures than this; a cluster that never gets through a
        // segment would be followed for ever.
        let mut left = 1000 * u64::from(segments);
        let mut next = || {
            let even: f64 = rng.random();
            -self.between_s * (1.0 - even).ln()
        };
        let (mut time, mut done) = (0.0, 0u32);
        let mut until_failure = next();
        while done < segments && left > 0 {
            let segment = interval_s + self.checkpoint_s;
            if until_failure >= segment {
                until_failure -= segment;
                time += segment;
                done += 1;
                continue;
            }
            time += until_failure;
            until_failure = next();
            // A failure while coming back starts the restart again.
            while until_failure < self.restart_s && left > 0 {
                time += until_failure;
                until_failure = next();
                left -= 1;
            }
            time += self.restart_s;
            until_failure -= self.restart_s;
            left = left.saturating_sub(1);
        }
        f64::from(done) * interval_s / time.max(f64::MIN_POSITIVE)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn llama() -> Failures {
        Failures::of(16_384, GPU_HOURS_A_FAILURE, CHECKPOINT_S, RESTART_S).unwrap()
    }

    #[test]
    fn llamas_cluster_fails_every_three_hours() {
        let failures = llama();
        assert!(
            (failures.between_s / 3600.0 - 3.09).abs() < 0.01,
            "{failures:?}"
        );
        // "Over 90 % effective training time" (arXiv:2407.21783, section 3.3.4).
        assert!(failures.goodput().share > 0.9, "{:?}", failures.goodput());
    }

    #[test]
    fn drawn_histories_agree_with_the_closed_form() {
        for (checkpoint_s, restart_s) in [(30.0, 600.0), (300.0, 1800.0), (5.0, 6000.0)] {
            let failures =
                Failures::of(16_384, GPU_HOURS_A_FAILURE, checkpoint_s, restart_s).unwrap();
            let interval = failures.daly_s();
            let (drawn, closed) = (
                failures.simulate(interval, 1_000_000, 7),
                failures.goodput_at(interval),
            );
            assert!((drawn / closed - 1.0).abs() < 0.01, "{drawn} {closed}");
            assert_eq!(
                drawn,
                failures.simulate(interval, 1_000_000, 7),
                "a seed repeats"
            );
            assert_ne!(drawn, failures.simulate(interval, 1_000_000, 8));
        }
    }

    #[test]
    fn dalys_interval_is_the_best_there_is() {
        let failures = llama();
        let best = failures.goodput().share;
        for factor in [0.5, 0.8, 1.25, 2.0] {
            assert!(
                failures.goodput_at(failures.daly_s() * factor) < best,
                "{factor}"
            );
        }
        // Young's interval (1974): sqrt(2 delta M).
        let young_s = (2.0 * failures.checkpoint_s * failures.between_s).sqrt();
        assert!((failures.daly_s() / young_s - 1.0).abs() < 0.1);
    }

    #[test]
    fn a_hopeless_cluster_is_no_endless_loop() {
        let failures = Failures::of(10_000_000, 1.0, 600.0, 6000.0).unwrap();
        assert_eq!(failures.goodput().share, 0.0);
        assert_eq!(failures.simulate(60.0, 100, 1), 0.0);
    }
}
