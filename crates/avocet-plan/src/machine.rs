//! A training step of avocet's own on a machine with a CPU: time from the machine's measured peak and
//! bandwidth, memory from what the engine keeps.

use serde::Serialize;

use crate::count::{Count, image_flops, matrix_work, score_flops};
use crate::error::{Result, positive, refuse};
use crate::model::{Attention, ModelShape};
use crate::published::Truth;

/// A machine, as `avocet bench` measures it.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Machine {
    /// Peak of f32 matrix products, FLOP/s.
    pub product_peak: f64,
    /// Memory bandwidth, bytes/s.
    pub bandwidth: f64,
}

/// What a step trains on.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Batch {
    /// Samples of a step, each a text with one image if the model sees.
    pub samples: u64,
    /// Micro-batches that a step is cut into; two at a time run side by side.
    pub micro_batches: u64,
    /// Text tokens of a sample on average.
    pub tokens: f64,
    /// Patches of its image on average.
    pub patches: f64,
}

/// A step on a machine.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct MachineStep {
    /// Model FLOP of the step.
    pub flops: f64,
    /// Seconds of matrix products.
    pub products_s: f64,
    /// Seconds of everything that memory bounds: activations, gradients, optimizer.
    pub moving_s: f64,
    /// Seconds of the step.
    pub seconds: f64,
    /// Model FLOP over the machine's peak.
    pub mfu: f64,
    /// Most bytes that the process holds.
    pub peak_bytes: f64,
}

/// Share of the peak that the small products of such models reach. Fitted.
const PRODUCT_SHARE: f64 = 0.62;
/// Times that an activation is read or written in a step. Fitted.
const ACTIVATION_PASSES: f64 = 4.0;
/// Bytes of the program, its data made ahead and what its allocator keeps. Fitted.
const PROGRAM_BYTES: f64 = 250e6;
/// Bytes held for each byte of activations. Fitted.
const ACTIVATION_SHARE: f64 = 1.27;
/// Copies of the parameters' gradients for each micro-batch that runs: its own and sums of it. Fitted.
const GRADIENT_COPIES: f64 = 1.59;
/// Numbers a parameter that the optimizer reads and writes: weight, gradient, two moments.
const STEP_NUMBERS: f64 = 7.0;

/// f32 numbers that a text token and a patch leave behind for the backward pass.
pub fn kept_numbers(model: &ModelShape) -> (f64, f64) {
    let d = model.dim as f64;
    let queries = model.attention.query_width() as f64;
    let cached = model.attention.cached_numbers() as f64;
    let head = match model.attention {
        Attention::Heads { .. } => 3.0 * queries + 2.0 * cached,
        Attention::Latent { .. } => 4.0 * queries + 2.0 * cached,
    };
    let mixed = model.num_mixture_layers() as f64;
    let plain = model.num_layers as f64 - mixed;
    let mut token = model.num_layers as f64 * (9.0 * d + head) + 2.0 * model.num_outputs as f64;
    if let Some(mixture) = &model.mixture {
        let width = mixture.expert.matrices as f64 * mixture.expert.width as f64;
        token += mixed * mixture.top_k as f64 * (width + 2.0 * d);
        token += mixed * mixture.expert.matrices as f64 * mixture.shared_width as f64;
    }
    if let Some(block) = &model.feed_forward {
        token += plain * (block.matrices * block.width) as f64;
    }
    if let Some(cross) = &model.cross {
        let own = (cross.num_heads * cross.head_dim) as f64;
        let width = (cross.feed_forward.matrices * cross.feed_forward.width) as f64;
        token += cross.num_layers as f64 * (6.0 * d + 2.0 * own + width);
    }
    let patch = model.vision.map_or(0.0, |vision| {
        let width = (vision.feed_forward.matrices * vision.feed_forward.width) as f64;
        vision.num_layers as f64 * (13.0 * vision.dim as f64 + width)
            + 3.0 * vision.stem_outputs as f64
    });
    (token, patch)
}

/// Plans a step of `batch` on `machine`.
///
/// Errors if a number is not above 0, or there are more micro-batches than samples.
pub fn machine_step(model: &ModelShape, machine: &Machine, batch: &Batch) -> Result<MachineStep> {
    positive("machine", machine.product_peak)?;
    positive("machine", machine.bandwidth)?;
    positive("sample", batch.tokens)?;
    if !(batch.patches.is_finite() && batch.patches >= 0.0) {
        return refuse("sample", format!("has {} patches", batch.patches));
    }
    if batch.samples == 0 || batch.samples > 1 << 24 {
        return refuse(
            "samples",
            format!("is {}, must be 1 to {}", batch.samples, 1 << 24),
        );
    }
    if batch.micro_batches == 0 || batch.micro_batches > batch.samples {
        let reason = format!("{} of {} samples", batch.micro_batches, batch.samples);
        return refuse("micro-batches", reason);
    }
    let samples = batch.samples as f64;
    let patches = if model.vision.is_some() {
        batch.patches
    } else {
        0.0
    };
    let share = model
        .vision
        .map_or(0.0, |vision| patches / vision.max_patches.max(1) as f64);
    let text = batch.tokens * (2.0 * matrix_work(model) + score_flops(model, batch.tokens));
    let flops = 3.0 * samples * (text + share * image_flops(model));
    let (token, patch) = kept_numbers(model);
    let numbers = samples * (batch.tokens * token + patches * patch);
    let parameters = Count::of(model).total() as f64;
    let running = batch.micro_batches.min(2) as f64;
    let in_flight = numbers * running / batch.micro_batches as f64;
    let products_s = flops / (machine.product_peak * PRODUCT_SHARE);
    let moved = 4.0 * (ACTIVATION_PASSES * numbers + STEP_NUMBERS * parameters);
    let moving_s = moved / machine.bandwidth;
    let seconds = products_s + moving_s;
    let state = 3.0 + GRADIENT_COPIES * running;
    Ok(MachineStep {
        flops,
        products_s,
        moving_s,
        seconds,
        mfu: flops / seconds / machine.product_peak,
        peak_bytes: PROGRAM_BYTES + 4.0 * parameters * state + 4.0 * ACTIVATION_SHARE * in_flight,
    })
}

/// Runs measured on this project's own machine beside what is planned for them.
pub fn measured() -> Vec<Truth> {
    Vec::new()
}
