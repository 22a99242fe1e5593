//! From logits to one token: greedy, or drawn by temperature and nucleus.

use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

/// How an answer is drawn from the model.
#[derive(Debug, Clone, PartialEq)]
pub struct SamplingOptions {
    /// The most tokens one answer may have.
    pub max_tokens: usize,
    /// 0 always takes the likeliest token.
    pub temperature: f64,
    /// Only the likeliest tokens whose probabilities reach this together are drawn from.
    pub top_p: f64,
    /// Seed of the draws; the same seed gives the same answer.
    pub seed: u64,
}

impl SamplingOptions {
    /// The likeliest token every time, at most `max_tokens` of them.
    pub fn greedy(max_tokens: usize) -> Self {
        Self {
            max_tokens,
            temperature: 0.0,
            top_p: 1.0,
            seed: 0,
        }
    }
}

/// Draws tokens one after another for one answer.
#[derive(Debug)]
pub struct Sampler {
    temperature: f64,
    top_p: f64,
    random: ChaCha8Rng,
}

impl Sampler {
    /// A sampler at the start of an answer.
    pub fn new(options: &SamplingOptions) -> Self {
        Self {
            temperature: options.temperature,
            top_p: options.top_p,
            random: ChaCha8Rng::seed_from_u64(options.seed),
        }
    }

    /// The next token given `logits` (V); NaN counts as impossible.
    pub fn next(&mut self, logits: &[f32]) -> u32 {
        if self.temperature <= 0.0 {
            return likeliest(logits);
        }
        let highest = logits
            .iter()
            .copied()
            .filter(|l| !l.is_nan())
            .fold(f32::NEG_INFINITY, f32::max);
        if !highest.is_finite() {
            return likeliest(logits);
        }
        // Dividing by a temperature near zero may overflow to -inf, which is probability 0: right.
        let mut weights: Vec<(u32, f64)> = (0u32..)
            .zip(logits)
            .map(|(id, &logit)| (id, (f64::from(logit - highest) / self.temperature).exp()))
            .filter(|(_, weight)| *weight > 0.0)
            .collect();
        weights.sort_by(|a, b| b.1.total_cmp(&a.1).then(a.0.cmp(&b.0)));
        let total: f64 = weights.iter().map(|(_, weight)| weight).sum();
        let mut kept_weight = 0.0;
        let kept = weights
            .iter()
            .position(|(_, weight)| {
                kept_weight += weight;
                kept_weight >= self.top_p * total
            })
            .map_or(weights.len(), |last| last + 1);
        let mut point = self.random.random::<f64>() * kept_weight;
        for (id, weight) in &weights[..kept] {
            point -= weight;
            if point < 0.0 {
                return *id;
            }
        }
        weights[kept - 1].0
    }
}

/// Index of the highest logit, the first of equals; NaN counts as impossible.
pub fn likeliest(logits: &[f32]) -> u32 {
    let mut best = (0, f32::NEG_INFINITY);
    for (id, &logit) in (0u32..).zip(logits) {
        if logit > best.1 {
            best = (id, logit);
        }
    }
    best.0
}

/// `log p(id)` under the softmax of `logits` (V); `None` if `id` has no row or the logits are not numbers.
pub fn log_probability(logits: &[f32], id: u32) -> Option<f64> {
    let chosen = f64::from(*logits.get(id as usize)?);
    let highest = f64::from(logits.iter().copied().fold(f32::NEG_INFINITY, f32::max));
    let sum: f64 = logits
        .iter()
        .map(|&logit| (f64::from(logit) - highest).exp())
        .sum();
    let value = chosen - highest - sum.ln();
    value.is_finite().then_some(value)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn options(temperature: f64, top_p: f64, seed: u64) -> SamplingOptions {
        SamplingOptions {
            max_tokens: 8,
            temperature,
            top_p,
            seed,
        }
    }

    fn draws(logits: &[f32], options: &SamplingOptions, count: usize) -> Vec<u32> {
        let mut sampler = Sampler::new(options);
        (0..count).map(|_| sampler.next(logits)).collect()
    }

    #[test]
    fn temperature_zero_takes_the_first_highest() {
        assert_eq!(
            draws(&[0.0, 2.0, 2.0, 1.0], &options(0.0, 1.0, 7), 3),
            [1, 1, 1]
        );
    }

    #[test]
    fn frequencies_follow_the_softmax() {
        let logits = [0.0, 1.0, 2.0];
        let drawn = draws(&logits, &options(1.0, 1.0, 1), 20_000);
        for id in 0..3u32 {
            let share = drawn.iter().filter(|d| **d == id).count() as f64 / 20_000.0;
            let expected = log_probability(&logits, id).map_or(0.0, f64::exp);
            // Three standard deviations of a share of 20,000 draws are at most 0.011.
            assert!(
                (share - expected).abs() < 0.011,
                "{id}: {share} against {expected}"
            );
        }
    }

    #[test]
    fn a_small_nucleus_leaves_only_the_likeliest() {
        assert!(
            draws(&[0.0, 1.0, 0.5], &options(1.0, 0.01, 3), 100)
                .iter()
                .all(|id| *id == 1)
        );
    }

    #[test]
    fn the_same_seed_repeats_the_same_tokens() {
        let logits: Vec<f32> = (0..50).map(|i| (i % 7) as f32 * 0.1).collect();
        assert_eq!(
            draws(&logits, &options(1.0, 0.9, 5), 40),
            draws(&logits, &options(1.0, 0.9, 5), 40)
        );
        assert_ne!(
            draws(&logits, &options(1.0, 0.9, 5), 40),
            draws(&logits, &options(1.0, 0.9, 6), 40)
        );
    }

    #[test]
    fn broken_logits_still_give_a_token_in_range() {
        for temperature in [0.0, 1e-300, 1.0, 1e300] {
            for logits in [
                vec![f32::NAN; 4],
                vec![f32::NEG_INFINITY; 4],
                vec![f32::INFINITY, 0.0, f32::NAN, 1.0],
                vec![f32::NAN, 3.0, f32::NEG_INFINITY, f32::NAN],
            ] {
                assert!(
                    draws(&logits, &options(temperature, 0.9, 1), 5)
                        .iter()
                        .all(|id| *id < 4)
                );
            }
        }
        assert_eq!(
            draws(&[f32::NAN, 3.0, f32::NAN], &options(1.0, 1.0, 1), 2),
            [1, 1]
        );
    }

    #[test]
    fn log_probabilities_sum_to_one_and_know_their_bounds() {
        let logits = [0.3, -1.0, 4.0];
        let sum: f64 = (0..3)
            .filter_map(|id| log_probability(&logits, id))
            .map(f64::exp)
            .sum();
        assert!((sum - 1.0).abs() < 1e-12);
        assert_eq!(log_probability(&logits, 3), None);
        assert_eq!(log_probability(&[f32::NAN, 0.0], 0), None);
    }
}
