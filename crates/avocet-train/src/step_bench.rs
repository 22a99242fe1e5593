//! How long a training step takes, on a synthetic batch of the real one's shape.

use std::collections::HashMap;
use std::time::Instant;

use avocet_config::ModelConfig;
use avocet_data::{Batch, Truth};
use avocet_kernels::Placement;
use avocet_products::{Precision, product_peak};
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use serde::Serialize;

use crate::config::{AuxiliaryConfig, LossWeights, ModelSource, StageConfig, StageKind};
use crate::error::Result;
use crate::learner::Learner;
use crate::params::Params;

/// Samples of the synthetic batch.
const SAMPLES: usize = 64;
/// Parts of the batch that run side by side, as in the recipe of `mini`.
const MICRO_BATCHES: usize = 2;

/// What a training step takes.
#[derive(Debug, Clone, Serialize)]
pub struct StepBench {
    /// The model's name.
    pub model: String,
    /// Median time of a whole step.
    pub train_step_ms: f64,
    /// Median time of the forward passes of the micro-batches, which run side by side, in all.
    pub forward_ms: f64,
    /// Median time of their backward passes in all.
    pub backward_ms: f64,
    /// Median time of the optimizer, clipping included.
    pub optimizer_ms: f64,
    /// Most memory the process ever held.
    pub peak_rss_mib: f64,
    /// Text tokens a second.
    pub tokens_per_s: f64,
    /// Samples a second.
    pub samples_per_s: f64,
    /// Share of the measured peak of matrix products.
    pub mfu: f64,
    /// That peak.
    pub peak_gflops: f64,
    /// Format of the large products.
    pub precision: &'static str,
    /// Threads at work.
    pub threads: usize,
    /// Steps measured.
    pub steps: usize,
    /// Samples, text tokens and patches of the batch.
    pub batch: (usize, usize, usize),
}

/// Times `steps` training steps of everything in `config`, placed so, after two to warm up.
///
/// Errors if the configuration is invalid.
pub fn step_bench(config: &ModelConfig, steps: usize, placement: &Placement) -> Result<StepBench> {
    let stage = stage(config);
    let params = Params::new(1, stage.selection(), HashMap::new(), placement);
    let mut learner = Learner::new(config, &stage, params, Vec::new())?;
    let batches: Vec<Batch> = (1..=MICRO_BATCHES as u64)
        .map(|seed| synthetic_batch(config, SAMPLES / MICRO_BATCHES, seed))
        .collect();
    let mut times: [Vec<f64>; 4] = Default::default();
    let mut flops = 0.0;
    for step in 0..steps.max(1) + 2 {
        let started = Instant::now();
        let report = learner.step(&batches, stage.learning_rate, false)?;
        let whole = started.elapsed().as_secs_f64();
        flops = report.flops;
        if step >= 2 {
            let parts = [
                whole,
                report.forward_s,
                report.backward_s,
                report.optimizer_s,
            ];
            times
                .iter_mut()
                .zip(parts)
                .for_each(|(times, part)| times.push(part));
        }
    }
    let [whole, forward, backward, optimizer] = times.map(median);
    let peak_gflops = product_peak(placement.precision);
    let tokens: usize = batches.iter().map(|batch| batch.ids.len()).sum();
    let grids = batches.iter().flat_map(|batch| &batch.grids);
    let patches = grids.map(|(rows, columns)| rows * columns).sum();
    Ok(StepBench {
        model: config.name.clone(),
        train_step_ms: whole * 1e3,
        forward_ms: forward * 1e3,
        backward_ms: backward * 1e3,
        optimizer_ms: optimizer * 1e3,
        peak_rss_mib: peak_rss_mib().unwrap_or(0.0),
        tokens_per_s: tokens as f64 / whole,
        samples_per_s: SAMPLES as f64 / whole,
        mfu: flops / whole / (peak_gflops * 1e9),
        peak_gflops,
        precision: match placement.precision {
            Precision::F32 => "f32",
            Precision::Bf16 => "bf16",
        },
        threads: rayon::current_num_threads(),
        steps: steps.max(1),
        batch: (SAMPLES, tokens, patches),
    })
}

/// A joint stage with every loss switched on, trained as a real one is.
fn stage(config: &ModelConfig) -> StageConfig {
    StageConfig {
        losses: LossWeights {
            ctc: if config.vision.is_some() { 0.1 } else { 0.0 },
            ..LossWeights::default()
        },
        auxiliary: AuxiliaryConfig::default(),
        clip: Some(1.0),
        ..StageConfig::new(
            "bench",
            StageKind::Joint,
            ModelSource::Inline(Box::new(config.clone())),
            SAMPLES,
        )
    }
}

/// A seeded batch of pictures with a question and a short answer each: 40 to 144 patches (or as
/// many as the model takes) and 20 to 40 tokens a sample.
pub fn synthetic_batch(config: &ModelConfig, samples: usize, seed: u64) -> Batch {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let mut batch = Batch {
        offsets: vec![0],
        ..Batch::default()
    };
    for sample in 0..samples {
        let mut image = None;
        if let Some(vision) = &config.vision {
            let most = vision.max_patches;
            let wanted = rng.random_range(most.min(40)..=most.min(144));
            let rows = rng.random_range(1..=wanted.isqrt());
            let grid = (rows, wanted / rows);
            let count = grid.0 * grid.1 * 3 * vision.patch_size * vision.patch_size;
            batch
                .patches
                .extend((0..count).map(|_| rng.random_range(-1f32..1.0)));
            batch.grids.push(grid);
            let length = grid.1.min(8);
            let text = (0..length).map(|_| rng.random_range('a'..='z')).collect();
            batch.truths.push(Some(Truth::Text(text)));
            image = Some(sample as u32);
        }
        let most = config.decoder.max_context.min(40);
        let tokens = rng.random_range(most.min(20)..=most);
        let answer = rng.random_range(2..=8).min(tokens);
        for place in 0..tokens {
            let vocabulary = config.decoder.vocab_size as u32;
            batch.ids.push(rng.random_range(0..vocabulary));
            batch.targets.push(rng.random_range(0..vocabulary));
            batch
                .weights
                .push(f32::from(u8::from(place + answer >= tokens)));
            let seen = image.filter(|_| place > 0);
            batch.visible_images.push(avocet_model::only(seen));
        }
        batch.offsets.push(batch.ids.len());
        batch
            .kinds
            .push(if sample % 2 == 0 { "even" } else { "odd" }.to_string());
    }
    batch
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

/// The kernel's record of the most memory that this process held, mapped files included, in MiB;
/// `None` where there is no such record.
pub fn peak_rss_mib() -> Option<f64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix("VmHWM:"))?;
    let kib: f64 = line.trim().trim_end_matches("kB").trim().parse().ok()?;
    Some(kib / 1024.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bench_of_the_tiny_model_reports_every_figure() -> Result<()> {
        let config = avocet_config::preset("tiny").expect("a preset");
        let bench = step_bench(&config, 2, &Placement::default())?;
        let json = serde_json::to_value(&bench).expect("serialises");
        let figures = [
            "train_step_ms",
            "forward_ms",
            "backward_ms",
            "optimizer_ms",
            "mfu",
        ];
        for figure in figures {
            assert!(
                json[figure].as_f64().is_some_and(|value| value > 0.0),
                "{figure}"
            );
        }
        assert_eq!(bench.batch.0, 64);
        Ok(())
    }
}
