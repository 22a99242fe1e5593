//! Initial values that depend on a seed and the parameter's name alone: neither the order of
//! creation nor the presence of other parts changes them.

use avocet_kernels::HOST;
use candle_core::{Result, Shape, Tensor};
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use sha2::{Digest, Sha256};

use crate::parameter::Init;

/// A tensor drawn by `init` from the random stream of (seed, name).
pub fn seeded(shape: &Shape, init: Init, seed: u64, name: &str) -> Result<Tensor> {
    let mut digest = Sha256::new();
    digest.update(seed.to_le_bytes());
    digest.update(name.as_bytes());
    let mut rng = ChaCha8Rng::from_seed(digest.finalize().into());
    let count = shape.elem_count();
    let values: Vec<f32> = match init {
        Init::Constant(value) => vec![value as f32; count],
        Init::Normal { stdev } => normal(&mut rng, stdev, count),
    };
    Tensor::from_vec(values, shape.clone(), &HOST)
}

/// Box and Muller's method: two uniform draws give two normal ones.
fn normal(rng: &mut ChaCha8Rng, stdev: f64, count: usize) -> Vec<f32> {
    let mut values = Vec::with_capacity(count + 1);
    while values.len() < count {
        let radius = (-2.0 * (1.0 - rng.random::<f64>()).ln()).sqrt();
        let (sin, cos) = (std::f64::consts::TAU * rng.random::<f64>()).sin_cos();
        values.push((stdev * radius * cos) as f32);
        values.push((stdev * radius * sin) as f32);
    }
    values.truncate(count);
    values
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn normal_draws_have_mean_zero_and_the_asked_deviation() {
        let mut rng = ChaCha8Rng::seed_from_u64(1);
        let draws = normal(&mut rng, 2.0, 20_001);
        let mean = draws.iter().map(|&x| f64::from(x)).sum::<f64>() / 20_001.0;
        let variance = draws
            .iter()
            .map(|&x| (f64::from(x) - mean).powi(2))
            .sum::<f64>()
            / 20_001.0;
        assert!(mean.abs() < 0.05, "mean {mean}"); // 3.5 standard errors
        assert!(
            (variance.sqrt() - 2.0).abs() < 0.05,
            "deviation {}",
            variance.sqrt()
        );
    }
}
