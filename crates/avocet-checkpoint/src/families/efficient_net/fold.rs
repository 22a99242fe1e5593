//! Convolutions with the norms behind them folded into weights and biases.
//!
//! A norm that only infers is `gamma (x - mean) / sqrt(variance + eps) + beta`: a scale and a shift
//! of each channel. Both are put into the convolution before it, in f64, once.

use std::collections::BTreeMap;
use std::path::Path;

use avocet_config::EfficientNetConfig;
use avocet_kernels::HOST;
use candle_core::{DType, Result as CandleResult, Tensor};

use super::names::{Convolution, NORM, convolutions, missing, plain};
use crate::formats::safetensors::Safetensors;
use crate::io::Bytes;
use crate::tensors::Store;

/// Added to the variances of EfficientNet's norms.
const EPS: f64 = 1e-3;
/// Differences named before the rest is only counted.
const MOST_NAMED: usize = 4;

/// The tensors of `original`, the file `path`, by the field paths of our network.
///
/// Errors, in words, if a tensor is missing, of another shape or not used, or a number is none.
pub(super) fn folded(
    path: &Path,
    config: &EfficientNetConfig,
    original: &Store,
) -> Result<Store, String> {
    let mut differences = missing(config, original);
    if !differences.is_empty() {
        let more = differences.len().saturating_sub(MOST_NAMED);
        differences.truncate(MOST_NAMED);
        let rest = if more > 0 {
            format!("; and {more} more")
        } else {
            String::new()
        };
        return Err(format!("{}{rest}", differences.join("; ")));
    }
    let mut tensors = BTreeMap::new();
    let made = |error: candle_core::Error| error.to_string();
    for convolution in convolutions(config) {
        let Folded {
            weight,
            shape,
            bias,
        } = fold(&convolution, original)?;
        let weight = tensor(&weight, &shape).map_err(made)?;
        tensors.insert(convolution.ours.clone(), weight);
        let shape = [bias.len()];
        let bias = tensor(&bias, &shape).map_err(made)?;
        tensors.insert(format!("{}_bias", convolution.ours), bias);
    }
    for (ours, theirs, shape) in plain(config) {
        let numbers = numbers(original, &theirs)?;
        tensors.insert(ours.to_owned(), tensor(&numbers, &shape).map_err(made)?);
    }
    let bytes = safetensors::serialize(&tensors, None).map_err(|error| error.to_string())?;
    let weights = Safetensors::check(Bytes::Made(bytes)).map_err(|error| error.to_string())?;
    Store::made(path, weights).map_err(|error| error.to_string())
}

fn tensor(numbers: &[f64], shape: &[usize]) -> CandleResult<Tensor> {
    let numbers: Vec<f32> = numbers.iter().map(|&number| number as f32).collect();
    Tensor::from_vec(numbers, shape, &HOST)
}

/// The numbers of a tensor.
///
/// Errors if one of them is no number.
pub(super) fn numbers(original: &Store, name: &str) -> Result<Vec<f64>, String> {
    let read = || -> CandleResult<Vec<f32>> {
        let tensor = original.tensor(name, &HOST)?.to_dtype(DType::F32)?;
        tensor.flatten_all()?.to_vec1()
    };
    let numbers = read().map_err(|error| error.to_string())?;
    match numbers.iter().position(|number| !number.is_finite()) {
        Some(at) => Err(format!("tensor {name:?} has {} at {at}", numbers[at])),
        None => Ok(numbers.into_iter().map(f64::from).collect()),
    }
}

/// A convolution with its norm in it.
struct Folded {
    /// (out, k * k * in)
    weight: Vec<f64>,
    shape: [usize; 2],
    /// (out)
    bias: Vec<f64>,
}

/// The convolution with its norm in it.
fn fold(convolution: &Convolution, original: &Store) -> Result<Folded, String> {
    let name = &convolution.norm;
    let part = |part: &str| numbers(original, &format!("{name}.{part}"));
    let [scales, shifts, means, variances] = NORM.map(part);
    let (scales, shifts, means, variances) = (scales?, shifts?, means?, variances?);
    if let Some(at) = variances.iter().position(|variance| variance + EPS <= 0.0) {
        return Err(format!(
            "tensor \"{name}.running_var\" has {} at {at}",
            variances[at]
        ));
    }
    let scales: Vec<f64> = scales
        .iter()
        .zip(&variances)
        .map(|(scale, variance)| scale / (variance + EPS).sqrt())
        .collect();
    let bias = shifts.iter().zip(&means).zip(&scales);
    let bias = bias
        .map(|((shift, mean), scale)| shift - mean * scale)
        .collect();
    let weight = numbers(original, &format!("{}.weight", convolution.theirs))?;
    let outputs = scales.len();
    let each = weight.len() / outputs.max(1);
    let channels = convolution.shape[1];
    let taps = each / channels.max(1);
    let mut ours = Vec::with_capacity(weight.len());
    for (output, scale) in scales.iter().enumerate() {
        for tap in 0..taps {
            let window = (0..channels).map(|c| weight[output * each + c * taps + tap] * scale);
            ours.extend(window);
        }
    }
    Ok(Folded {
        weight: ours,
        shape: [outputs, each],
        bias,
    })
}
