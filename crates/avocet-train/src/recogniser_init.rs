//! The first values of a recogniser: those of a published EfficientNet-Lite, and the statistics of
//! its pooled features.
//!
//! The statistics are those of the pictures it was trained on, as the norm behind its last
//! convolution remembers them: before the last ReLU6 a feature was about normal, with the norm's
//! shift as its mean and its scale as its deviation.

use std::collections::HashMap;
use std::path::Path;

use avocet_checkpoint::EfficientNetFiles;
use avocet_checkpoint::pickle::Pickle;
use avocet_kernels::HOST;
use avocet_model::{RECOGNISER, efficient_net_specs};
use candle_core::{Device, Tensor};

use crate::error::{Result, TrainError};

/// The norm behind the last convolution, in the naming of the file.
const SCALE: &str = "_bn1.weight";
const SHIFT: &str = "_bn1.bias";
/// What is left of a feature's deviation when it is averaged over a picture, whose places are
/// alike.
const LEFT_BY_POOLING: f64 = 0.6;
/// Where features end (ReLU6).
const HIGHEST: f64 = 6.0;
/// Steps of the integrals.
const STEPS: usize = 2000;

/// Whether `path` is a file of `torch.save`.
pub(crate) fn is_network(path: &Path) -> bool {
    let ending = path.extension().and_then(|ending| ending.to_str());
    ending.is_some_and(|ending| ["pth", "pt"].contains(&ending)) && path.is_file()
}

/// The values of a recogniser by its parameters' names, on `device`.
///
/// Errors if `path` holds no EfficientNet-Lite.
pub(crate) fn values(path: &Path, device: &Device) -> Result<HashMap<String, Tensor>> {
    let wrong = |error: String| TrainError::damaged(path, error);
    let files = EfficientNetFiles::open(path).map_err(|error| wrong(error.to_string()))?;
    let specs = efficient_net_specs(files.config())?;
    let builder = files
        .into_builder()
        .map_err(|error| wrong(error.to_string()))?;
    let mut values = HashMap::new();
    for spec in specs {
        let value = builder.tensor_of(&spec)?.to_device(device)?;
        values.insert(format!("{RECOGNISER}.tower.{}", spec.name), value);
    }
    let file = Pickle::open(path).map_err(|error| wrong(error.to_string()))?;
    let numbers = |name: &str| -> Result<Vec<f32>> {
        let missing = || wrong(format!("tensor {name:?} is missing"));
        Ok(file.tensor(name, &HOST)?.ok_or_else(missing)?.to_vec1()?)
    };
    let (scale, shift) = (numbers(SCALE)?, numbers(SHIFT)?);
    let pooled = shift.iter().zip(&scale);
    let (mean, deviation): (Vec<f32>, Vec<f32>) = pooled
        .map(|(shift, scale)| clipped(f64::from(*shift), f64::from(scale.abs())))
        .map(|(mean, deviation)| (mean as f32, (deviation * LEFT_BY_POOLING) as f32))
        .unzip();
    for (name, numbers) in [("feature_mean", mean), ("feature_deviation", deviation)] {
        let count = numbers.len();
        let value = Tensor::from_vec(numbers, count, device)?;
        values.insert(format!("{RECOGNISER}.{name}"), value);
    }
    Ok(values)
}

/// Mean and deviation of a normal variable that is cut off at 0 and at [`HIGHEST`].
fn clipped(mean: f64, deviation: f64) -> (f64, f64) {
    let (mut weight, mut first, mut second) = (0.0, 0.0, 0.0);
    for step in 0..STEPS {
        let at = (step as f64 + 0.5) / STEPS as f64 * 12.0 - 6.0;
        let share = (-at * at / 2.0).exp();
        let value = (mean + deviation * at).clamp(0.0, HIGHEST);
        weight += share;
        first += share * value;
        second += share * value * value;
    }
    let middle = first / weight;
    (middle, (second / weight - middle * middle).max(0.0).sqrt())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_cut_off_moves_the_mean_and_narrows_the_spread() {
        let (mean, deviation) = clipped(3.0, 0.1);
        assert!((mean - 3.0).abs() < 1e-3 && (deviation - 0.1).abs() < 1e-3);
        // Half of it is below 0: 1 / sqrt(2 pi), and sqrt(1/2 - 1 / (2 pi)).
        let (mean, deviation) = clipped(0.0, 1.0);
        assert!((mean - 0.398_942).abs() < 1e-3, "{mean}");
        assert!((deviation - 0.583_8).abs() < 1e-3, "{deviation}");
        assert!(clipped(-3.0, 0.5).0 < 1e-6);
    }
}
