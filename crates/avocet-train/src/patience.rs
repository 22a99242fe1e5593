//! When a stage has learned enough: held-out data is no longer predicted better. Its best values stay.

use serde::{Deserialize, Serialize};

/// The best measurement on held-out data so far.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Best {
    /// Steps of the run at that time; there is a checkpoint of it.
    pub step: u64,
    /// Mean loss of the kinds of held-out data.
    pub loss: f64,
    /// Measurements since then.
    pub since: u32,
}

impl Best {
    /// Takes a measurement at `step`; whether it is the best.
    pub(crate) fn take(best: &mut Option<Self>, step: u64, loss: f64) -> bool {
        match best {
            // What is no number is better than nothing.
            Some(best) if loss.is_nan() || loss >= best.loss => {
                best.since += 1;
                false
            }
            _ => {
                *best = Some(Self {
                    step,
                    loss,
                    since: 0,
                });
                true
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_least_loss_is_the_best_and_what_follows_is_counted() {
        let mut best = None;
        let losses = [3.0, 2.0, 2.0, f64::NAN, 2.5, 1.0];
        let taken: Vec<bool> = (1..)
            .zip(losses)
            .map(|(step, loss)| Best::take(&mut best, step, loss))
            .collect();
        assert_eq!(taken, [true, true, false, false, false, true]);
        let mut best = None;
        for (step, loss) in [(10, 1.0), (20, 2.0), (30, 1.5)] {
            Best::take(&mut best, step, loss);
        }
        let expected = Best {
            step: 10,
            loss: 1.0,
            since: 2,
        };
        assert_eq!(best, Some(expected));
    }
}
