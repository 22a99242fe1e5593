//! A training step of avocet's own on a machine with a CPU: time from the machine's measured peak and
//! bandwidth, memory from what the engine keeps.

use serde::Serialize;

use crate::count::{Count, image_flops, matrix_work, score_flops};
use crate::error::{Result, positive, refuse};
use crate::model::{Attention, CrossAttention, FeedForward, Mixture, ModelShape, Vision};
use crate::published::Truth;

/// A machine, as `avocet bench` measures it.
///
/// On a machine that others use as well, both are the rates that are left over.
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
    /// Seconds of arithmetic.
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

/// Share of the rate of large products that a step's own products reach. Fitted.
const PRODUCT_SHARE: f64 = 0.787;
/// Product FLOP that the rest of a step is worth in time for each parameter: the optimizer's arithmetic,
/// sums of gradients, packing of weights. Fitted.
const PARAMETER_WORK: f64 = 734.0;
/// Times that an activation is read or written in a step. Assumed: written and read forward, read and
/// its gradient written backward.
const ACTIVATION_PASSES: f64 = 4.0;
/// Bytes of the program, the data made ahead, the auxiliary heads, and what the allocator keeps. Fitted.
const PROGRAM_BYTES: f64 = 244e6;
/// Bytes held for each byte of activations: gradients of activations, and what is not given back at
/// once. Fitted.
const ACTIVATION_SHARE: f64 = 1.30;
/// f32 numbers a parameter beside the gradients of running micro-batches: weight, summed gradient, two
/// moments.
const STATE_NUMBERS: f64 = 4.0;
/// Numbers a parameter that the optimizer reads and writes: weight, gradient, two moments.
const STEP_NUMBERS: f64 = 7.0;

/// f32 numbers that a text token and a patch leave behind for the backward pass.
pub(crate) fn kept_numbers(model: &ModelShape) -> (f64, f64) {
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
    let products_s = (flops / PRODUCT_SHARE + PARAMETER_WORK * parameters) / machine.product_peak;
    let moved = 4.0 * (ACTIVATION_PASSES * numbers + STEP_NUMBERS * parameters);
    let moving_s = moved / machine.bandwidth;
    let seconds = products_s + moving_s;
    let state = STATE_NUMBERS + running;
    Ok(MachineStep {
        flops,
        products_s,
        moving_s,
        seconds,
        mfu: flops / seconds / machine.product_peak,
        peak_bytes: PROGRAM_BYTES + 4.0 * parameters * state + 4.0 * ACTIVATION_SHARE * in_flight,
    })
}

/// A model of the measured runs: layers of the decoder and of the tower, width, query heads, width of an
/// expert and of cross-attention's feed-forward; everything else is as in `mini`.
type Variant = (&'static str, u64, u64, u64, u64, u64, u64);

const MINI: Variant = ("mini", 4, 4, 256, 8, 128, 512);
const DEEP: Variant = ("mini, deep", 8, 6, 256, 8, 128, 512);
const WIDE: Variant = ("mini, wide", 4, 4, 384, 12, 192, 768);

/// What a dataset's samples are on average: its name, text tokens, patches.
type Data = (&'static str, f64, f64);

const MIXED: Data = ("mixed", 16.3, 65.3);
const LINES: Data = ("lines of text", 21.4, 65.9);
const SHAPES: Data = ("shapes", 11.2, 64.0);

/// A measured run: model, samples, micro-batches, data, peak memory in MiB, whether it was fitted on.
type Measured = (Variant, u64, u64, Data, f64, bool);

/// Peak memory of real training runs in f32 on two cores, the mean of up to four runs each.
const MEMORY: [Measured; 16] = [
    (MINI, 64, 2, MIXED, 1028.9, false),
    (MINI, 32, 2, MIXED, 730.6, true),
    (MINI, 64, 2, LINES, 1033.0, false),
    (MINI, 64, 2, SHAPES, 923.0, false),
    (MINI, 16, 1, MIXED, 568.0, true),
    (MINI, 16, 2, MIXED, 660.9, false),
    (MINI, 32, 1, MIXED, 678.8, false),
    (MINI, 64, 1, MIXED, 1015.7, true),
    (MINI, 64, 4, MIXED, 813.0, false),
    (MINI, 128, 1, MIXED, 1673.0, true),
    (MINI, 128, 2, MIXED, 1568.7, false),
    (MINI, 128, 4, MIXED, 1099.0, false),
    (DEEP, 32, 2, MIXED, 1212.3, true),
    (DEEP, 64, 2, MIXED, 1451.6, false),
    (WIDE, 32, 2, MIXED, 1134.7, false),
    (WIDE, 64, 2, MIXED, 1270.8, true),
];

/// A timed run: model, samples, micro-batches, tokens and patches of the step, GFLOP/s of products
/// (1040 x 512 x 512) and GB/s of copies measured in turn with its steps, seconds of a step, whether it
/// was fitted on.
type Timed = (Variant, u64, u64, (f64, f64), (f64, f64), f64, bool);

/// Steps in f32 on two threads of a machine that others used as well, so that products, copies and steps
/// were measured in turn and got the same share of it.
const TIMES: [Timed; 9] = [
    (MINI, 64, 2, (1932.0, 5515.0), (28.4, 9.78), 5.0087, true),
    (MINI, 32, 2, (992.0, 2790.0), (24.8, 7.28), 3.3711, true),
    (MINI, 16, 2, (478.0, 1466.0), (33.4, 10.93), 1.2834, false),
    (
        MINI,
        128,
        2,
        (3864.0, 11_458.0),
        (40.8, 13.18),
        7.4225,
        false,
    ),
    (MINI, 64, 1, (1900.0, 6068.0), (34.5, 10.93), 4.3502, false),
    (DEEP, 32, 2, (992.0, 2790.0), (38.4, 11.99), 3.8844, false),
    (DEEP, 64, 2, (1932.0, 5515.0), (39.8, 14.62), 5.6695, false),
    (WIDE, 32, 2, (992.0, 2790.0), (29.4, 8.61), 3.7058, true),
    (WIDE, 64, 2, (1932.0, 5515.0), (42.1, 14.89), 4.9471, false),
];

/// The same with nothing else running.
const TIMES_ALONE: [Timed; 2] = [
    (MINI, 64, 2, (1932.0, 5515.0), (158.3, 29.66), 1.1117, false),
    (MINI, 32, 2, (992.0, 2790.0), (159.2, 31.85), 0.5764, false),
];

/// Runs of avocet's own trainer, measured on two cores, beside what is planned for them.
///
/// The recipe of `mini` takes 64 samples in 2 micro-batches, and 32 at first; these are held to 5 %.
pub fn measured() -> Vec<Truth> {
    // Memory depends on neither.
    let machine = Machine {
        product_peak: 1e11,
        bandwidth: 1e10,
    };
    let row = |&(variant, samples, micro_batches, data, published, fitted): &Measured| {
        let batch = Batch {
            samples,
            micro_batches,
            tokens: data.1,
            patches: data.2,
        };
        let step = machine_step(&variant_shape(variant), &machine, &batch);
        let planned = step.expect("the batches can be").peak_bytes / 1024.0 / 1024.0;
        let recipe = variant == MINI && micro_batches == 2 && (32..=64).contains(&samples);
        Truth {
            run: format!("{}, {samples} / {micro_batches} {}", variant.0, data.0),
            quantity: "peak memory",
            unit: "MiB",
            published,
            planned,
            tolerance: if recipe { 0.05 } else { 0.12 },
            fitted,
            source: "avocet train, maximum resident set, means of 1 to 4 runs",
        }
    };
    let timed = |timed: &Timed, how: &str| {
        let &(variant, samples, micro_batches, sample, rates, published, fitted) = timed;
        let machine = Machine {
            product_peak: rates.0 * 1e9,
            bandwidth: rates.1 * 1e9,
        };
        let batch = Batch {
            samples,
            micro_batches,
            tokens: sample.0 / samples as f64,
            patches: sample.1 / samples as f64,
        };
        let step = machine_step(&variant_shape(variant), &machine, &batch);
        Truth {
            run: format!("{}, {samples} / {micro_batches} {how}", variant.0),
            quantity: "step",
            unit: "s",
            published,
            planned: step.expect("the batches can be").seconds,
            tolerance: 0.15,
            fitted,
            source: "training steps in turn with products and copies, means over the run",
        }
    };
    let times = TIMES.iter().map(|row| timed(row, "synthetic"));
    let alone = TIMES_ALONE.iter().map(|row| timed(row, "synthetic, alone"));
    MEMORY.iter().map(row).chain(times).chain(alone).collect()
}

/// The shape of a variant of `mini`.
fn variant_shape(variant: Variant) -> ModelShape {
    let (name, num_layers, tower_layers, dim, num_heads, expert, cross) = variant;
    let swiglu = |width| FeedForward { width, matrices: 3 };
    ModelShape {
        name: name.into(),
        dim,
        num_layers,
        vocab_size: 2048,
        num_outputs: 2048,
        tied_embeddings: true,
        max_context: 512,
        attention: Attention::Heads {
            num_heads,
            num_kv_heads: 1,
            head_dim: 32,
        },
        feed_forward: None,
        mixture: Some(Mixture {
            num_experts: 16,
            top_k: 2,
            expert: swiglu(expert),
            shared_width: 0,
            shared_gate: 0,
            groups: None,
        }),
        num_dense_layers: 0,
        norm_vectors: 1,
        norms_per_layer: 2,
        attention_vectors: 0,
        feed_forward_vectors: 0,
        embedding_extra: 0,
        cross: Some(CrossAttention {
            num_layers: num_layers / 2,
            num_heads,
            num_kv_heads: 1,
            head_dim: 32,
            feed_forward: swiglu(cross),
            vectors: 2 * dim + 192 + 2,
        }),
        vision: Some(Vision {
            num_layers: tower_layers,
            dim: 192,
            feed_forward: swiglu(512),
            block_vectors: 12 * 192,
            stem: 32 * 27 + 64 * 288 + 192 * 576 + 2 * (32 + 64) + 192 + 192,
            stem_outputs: 16 * 32 + 4 * 64 + 192,
            max_patches: 144,
            output_dim: 192,
            resampler: None,
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn planned(samples: u64, micro_batches: u64) -> MachineStep {
        let machine = Machine {
            product_peak: 2.8e11,
            bandwidth: 2e10,
        };
        let batch = Batch {
            samples,
            micro_batches,
            tokens: 30.0,
            patches: 88.0,
        };
        machine_step(&variant_shape(MINI), &machine, &batch).unwrap()
    }

    #[test]
    fn the_measured_shape_is_that_of_mini() {
        assert_eq!(Count::of(&variant_shape(MINI)).total(), 10_407_972);
    }

    #[test]
    fn micro_batches_save_memory_and_no_time() {
        let (one, four) = (planned(64, 1), planned(64, 4));
        assert!(four.peak_bytes < one.peak_bytes);
        assert_eq!(four.seconds, one.seconds);
        assert!(planned(128, 2).seconds > 1.9 * planned(64, 2).seconds);
    }

    #[test]
    fn what_cannot_be_is_refused() {
        let machine = Machine {
            product_peak: 0.0,
            bandwidth: 1.0,
        };
        let batch = Batch {
            samples: 4,
            micro_batches: 8,
            tokens: 1.0,
            patches: 0.0,
        };
        let model = variant_shape(MINI);
        assert!(machine_step(&model, &machine, &batch).is_err());
        let machine = Machine {
            product_peak: 1e9,
            ..machine
        };
        let error = machine_step(&model, &machine, &batch)
            .unwrap_err()
            .to_string();
        assert!(error.contains("8 of 4 samples"), "{error}");
    }
}
