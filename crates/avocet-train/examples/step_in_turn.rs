//! Times training steps in turn with large products and with copies, so that the three can be compared
//! on a machine that others use as well: what `avocet plan train --gpu cpu` was held against.
//!
//! `step_in_turn PRESET|FILE.toml SAMPLES MICRO_BATCHES ROUNDS`; CANDLE_NUM_THREADS=1 as `avocet` sets it.

use std::collections::HashMap;
use std::hint::black_box;
use std::time::Instant;

use avocet_config::{ModelConfig, preset};
use avocet_kernels::{Placement, Weight};
use avocet_train::config::{LossWeights, ModelSource, StageConfig, StageKind};
use avocet_train::step_bench::synthetic_batch;
use avocet_train::{Learner, Params, Result, TrainError};
use candle_core::{Device, Tensor};
use rayon::prelude::*;

/// Rows, depth and columns of the product.
const PRODUCT: (usize, usize, usize) = (1040, 512, 512);
/// Numbers of each array of the copy `a = b + 0.5 c`.
const NUMBERS: usize = 12_000_000;
/// Seconds that products take in a round at most; copies a third of it.
const SHARE_S: f64 = 1.5;

/// Work done and the seconds it took.
#[derive(Default)]
struct Sum {
    work: f64,
    seconds: f64,
}

impl Sum {
    /// Repeats something that does `work` until `least` seconds are over.
    fn add(&mut self, least: f64, work: f64, mut repeat: impl FnMut() -> Result<()>) -> Result<()> {
        let start = Instant::now();
        while start.elapsed().as_secs_f64() < least {
            repeat()?;
            self.work += work;
        }
        self.seconds += start.elapsed().as_secs_f64();
        Ok(())
    }
}

fn main() -> Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let wrong = || TrainError::Model("PRESET|FILE.toml SAMPLES MICRO_BATCHES ROUNDS".into());
    let [model, numbers @ ..] = &arguments[..] else {
        return Err(wrong());
    };
    let numbers: Vec<usize> = numbers.iter().filter_map(|n| n.parse().ok()).collect();
    let [samples, parts, rounds] = numbers[..] else {
        return Err(wrong());
    };
    let config = match std::fs::read_to_string(model) {
        Ok(text) => ModelConfig::from_toml(&text),
        Err(_) => preset(model),
    };
    let config = config.map_err(|error| TrainError::Model(error.to_string()))?;
    let source = ModelSource::Inline(Box::new(config.clone()));
    let stage = StageConfig {
        losses: LossWeights {
            ctc: 0.1,
            ..LossWeights::default()
        },
        clip: Some(1.0),
        ..StageConfig::new("bench", StageKind::Joint, source, samples)
    };
    let params = Params::new(1, stage.selection(), HashMap::new(), &Placement::default());
    let mut learner = Learner::new(&config, &stage, params, Vec::new())?;
    let batches: Vec<_> = (1..=parts as u64)
        .map(|seed| synthetic_batch(&config, samples / parts.max(1), seed))
        .collect();
    let (rows, depth, columns) = PRODUCT;
    let x = Tensor::rand(-1f32, 1.0, (rows, depth), &Device::Cpu)?;
    let w = Weight::from(Tensor::rand(-1f32, 1.0, (columns, depth), &Device::Cpu)?);
    let (mut a, b, c) = (
        vec![0f32; NUMBERS],
        vec![1f32; NUMBERS],
        vec![2f32; NUMBERS],
    );
    let each = NUMBERS.div_ceil(rayon::current_num_threads());
    let (mut steps, mut products, mut copies) = (Sum::default(), Sum::default(), Sum::default());
    for round in 0..rounds + 2 {
        let start = Instant::now();
        let report = learner.step(&batches, stage.learning_rate, false)?;
        let seconds = start.elapsed().as_secs_f64();
        // The first two warm up.
        if round < 2 {
            continue;
        }
        steps.work += report.flops;
        steps.seconds += seconds;
        let flops = 2.0 * (rows * depth * columns) as f64;
        let least = seconds.min(SHARE_S);
        products.add(least, flops, || {
            black_box(w.linear(&x)?);
            Ok(())
        })?;
        copies.add(least / 3.0, (12 * NUMBERS) as f64, || {
            let parts = a.par_chunks_mut(each).zip(b.par_chunks(each));
            parts.zip(c.par_chunks(each)).for_each(|((a, b), c)| {
                for ((a, b), c) in a.iter_mut().zip(b).zip(c) {
                    *a = b + 0.5 * c;
                }
            });
            Ok(())
        })?;
    }
    let tokens: usize = batches.iter().map(|batch| batch.ids.len()).sum();
    let grids = batches.iter().flat_map(|batch| &batch.grids);
    let patches: usize = grids.map(|(rows, columns)| rows * columns).sum();
    println!(
        "{}, {samples} / {parts}: {tokens} tokens, {patches} patches, {:.1} GFLOP, {:.4} s a step, \
         products {:.1} GFLOP/s, copies {:.2} GB/s",
        config.name,
        steps.work / rounds as f64 / 1e9,
        steps.seconds / rounds as f64,
        products.work / products.seconds / 1e9,
        copies.work / copies.seconds / 1e9,
    );
    Ok(())
}
