//! Initial values that depend on a seed and the parameter's name alone: neither the order of
//! creation nor the presence of other parts changes them.

use avocet_kernels::HOST;
use candle_core::{Result, Shape, Tensor};
use candle_nn::Init;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use sha2::{Digest, Sha256};

/// A tensor drawn by `init` from the random stream of (seed, name).
pub fn seeded(shape: &Shape, init: Init, seed: u64, name: &str) -> Result<Tensor> {
    let mut digest = Sha256::new();
    digest.update(seed.to_le_bytes());
    digest.update(name.as_bytes());
    let mut rng = ChaCha8Rng::from_seed(digest.finalize().into());
    let count = shape.elem_count();
    let values: Vec<f32> = match init {
        Init::Const(value) => vec![value as f32; count],
        Init::Uniform { lo, up } => uniform(&mut rng, lo, up, count),
        Init::Randn { mean, stdev } => normal(&mut rng, mean, stdev, count),
        Init::Kaiming {
            dist,
            fan,
            non_linearity,
        } => {
            let std = non_linearity.gain() / (fan.for_shape(shape) as f64).sqrt();
            match dist {
                candle_nn::init::NormalOrUniform::Normal => normal(&mut rng, 0.0, std, count),
                candle_nn::init::NormalOrUniform::Uniform => {
                    let bound = 3f64.sqrt() * std;
                    uniform(&mut rng, -bound, bound, count)
                }
            }
        }
    };
    Tensor::from_vec(values, shape.clone(), &HOST)
}

fn uniform(rng: &mut ChaCha8Rng, low: f64, high: f64, count: usize) -> Vec<f32> {
    let draw = |_| (low + (high - low) * rng.random::<f64>()) as f32;
    (0..count).map(draw).collect()
}

/// Box and Muller's method: two uniform draws give two normal ones.
fn normal(rng: &mut ChaCha8Rng, mean: f64, stdev: f64, count: usize) -> Vec<f32> {
    let mut values = Vec::with_capacity(count + 1);
    while values.len() < count {
        let radius = (-2.0 * (1.0 - rng.random::<f64>()).ln()).sqrt();
        let (sin, cos) = (std::f64::consts::TAU * rng.random::<f64>()).sin_cos();
        values.push((mean + stdev * radius * cos) as f32);
        values.push((mean + stdev * radius * sin) as f32);
    }
    values.truncate(count);
    values
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn normal_draws_have_the_asked_mean_and_deviation() {
        let mut rng = ChaCha8Rng::seed_from_u64(1);
        let draws = normal(&mut rng, 0.5, 2.0, 20_001);
        let mean = draws.iter().map(|&x| f64::from(x)).sum::<f64>() / 20_001.0;
        let variance = draws
            .iter()
            .map(|&x| (f64::from(x) - mean).powi(2))
            .sum::<f64>()
            / 20_001.0;
        assert!((mean - 0.5).abs() < 0.05, "mean {mean}"); // 3.5 standard errors
        assert!(
            (variance.sqrt() - 2.0).abs() < 0.05,
            "deviation {}",
            variance.sqrt()
        );
    }
}
