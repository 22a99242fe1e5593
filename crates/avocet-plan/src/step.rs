//! Time of a training step: stages, the pipeline's bubble, reduction and optimizer.

use serde::Serialize;

use crate::count::{image_flops, training_flops};
use crate::error::{Result, refuse};
use crate::layer::{LayerTime, Seconds, Workload, layer_time};
use crate::layout::{Cluster, Layout, Sharding};
use crate::memory::{Memory, held, memory};
use crate::model::ModelShape;

/// Bytes that the optimizer moves a parameter, in f32 but for the 16-bit weight: it scales the gradient
/// and looks for infinities (8), takes its norm (4), reads it with weight and moments (16), writes
/// these (12), copies the weight (6) and zeroes the gradient (4).
const STEP_BYTES: f64 = 8.0 + 4.0 + 16.0 + 12.0 + 6.0 + 4.0;

/// A training step in time and memory.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Step {
    /// Sequences of the step.
    pub sequences: u64,
    /// Micro-batches of a replica.
    pub micro_batches: u64,
    /// Seconds of the whole step.
    pub seconds: f64,
    /// What the slowest stage computes and sends, of all micro-batches, by kind.
    pub busy: Seconds,
    /// What of that is computed again.
    pub recomputed_s: f64,
    /// The slowest stage's work on the output head or the images.
    pub ends_s: f64,
    /// Sending to the next stage.
    pub between_stages_s: f64,
    /// Waiting for the pipeline to fill and drain, and for the slowest stage.
    pub bubble_s: f64,
    /// Reduction of gradients that nothing hides, and gathering of weights.
    pub data_s: f64,
    /// The optimizer.
    pub optimizer_s: f64,
    /// Model FLOP over what the GPUs at work could do.
    pub mfu: f64,
    /// The same with what is computed again counted as well.
    pub hfu: f64,
    /// The fullest GPU.
    pub memory: Memory,
}

/// Times a step of `sequences` sequences.
///
/// Errors if the layout cannot be, or the replicas have no whole micro-batch each.
pub fn step(
    model: &ModelShape,
    cluster: &Cluster,
    layout: &Layout,
    work: &Workload,
    sequences: u64,
) -> Result<Step> {
    layout.check(model, cluster)?;
    let share = layout.data * layout.micro_batch;
    if sequences < share {
        let reason = format!(
            "{sequences} sequences, but {} replicas take {} each",
            layout.data, layout.micro_batch
        );
        return refuse("batch", reason);
    }
    // The nearest number of whole micro-batches.
    let micro_batches = (sequences + share / 2) / share;
    if layout.chunks > 1 && micro_batches < layout.pipeline {
        let reason = format!(
            "{micro_batches} micro-batches, fewer than {} stages",
            layout.pipeline
        );
        return refuse("interleave", reason);
    }
    Ok(timed(model, cluster, layout, work, micro_batches))
}

fn timed(
    model: &ModelShape,
    cluster: &Cluster,
    layout: &Layout,
    work: &Workload,
    micro_batches: u64,
) -> Step {
    let gpu = &cluster.gpu;
    let dense = layer_time(gpu, model, layout, work, false);
    let mixed = layer_time(gpu, model, layout, work, true);
    let stages = layout.stages(model);
    let rows = (layout.micro_batch * work.tokens) as f64;
    let hop = rows * model.dim as f64 * 2.0;
    // A tensor group cuts what it sends and puts it together again by NVLink
    // (arXiv:2104.04473, section 4.1).
    let group = layout.tensor as f64;
    let hop_s = if layout.pipeline == 1 {
        0.0
    } else {
        let stride = layout.tensor * layout.data.min(gpu.per_node);
        let sent = hop / group / gpu.link(layout.pipeline, stride);
        let gathered = if layout.sequence_parallel {
            0.0
        } else {
            gpu.gather_s(hop, layout.tensor, 1)
        };
        2.0 * layout.chunks as f64 * (sent + gathered)
    };
    let ends = ends(model, cluster, layout, work, stages.len());
    let mut first_layer = 0;
    let mut of_stage = Vec::with_capacity(stages.len());
    for (index, &layers) in stages.iter().enumerate() {
        let mut layer_times = LayerTime::default();
        let plain = model
            .num_dense_layers
            .saturating_sub(first_layer)
            .min(layers);
        let plain = if model.mixture.is_some() {
            plain
        } else {
            layers
        };
        for (time, count) in [(&dense, plain), (&mixed, layers - plain)] {
            let count = count as f64;
            layer_times.forward = layer_times.forward.plus(&time.forward.times(count));
            layer_times.backward = layer_times.backward.plus(&time.backward.times(count));
            layer_times.recomputed = layer_times.recomputed.plus(&time.recomputed.times(count));
        }
        first_layer += layers;
        of_stage.push((layer_times, ends[index]));
    }
    let spread = if layout.gpus() > gpu.per_node {
        gpu.rates.spread
    } else {
        1.0
    };
    let total = |(layers, end): &(LayerTime, f64)| spread * layers.total() + end + hop_s;
    let slowest = of_stage
        .iter()
        .max_by(|a, b| total(a).total_cmp(&total(b)))
        .expect("there is a stage");
    let longest = total(slowest);
    let all: f64 = of_stage.iter().map(total).sum();
    let m = micro_batches as f64;
    // One micro-batch passes every stage, forward and backward, while the others follow at the
    // pace of the slowest; chunks shorten the way (arXiv:2104.04473, section 2.2).
    let pipeline = m * longest + (all - longest) / layout.chunks as f64;
    let busy = LayerTime {
        forward: slowest.0.forward.times(spread),
        backward: slowest.0.backward.times(spread),
        recomputed: slowest.0.recomputed.times(spread),
    };
    let data_s = reduction(model, cluster, layout, work, micro_batches, &busy);
    let stepped = (0..stages.len())
        .map(|stage| {
            let held = held(model, layout, stage);
            match layout.sharding {
                Sharding::None => held.shared + held.experts,
                _ => {
                    held.shared / layout.data as f64
                        + held.experts / (layout.data / layout.expert) as f64
                }
            }
        })
        .fold(0.0, f64::max);
    let optimizer_s = gpu.elementwise_s(STEP_BYTES * stepped, 1.0);
    let seconds = pipeline + data_s + optimizer_s;
    let sequences = micro_batches * layout.data * layout.micro_batch;
    let full_square = work.kernels == crate::layer::Kernels::Materialised;
    let tokens = (sequences * work.tokens) as f64;
    let images = 3.0 * sequences as f64 * work.images * image_flops(model);
    let flops = tokens * training_flops(model, work.tokens as f64, full_square) + images;
    let possible = seconds * layout.gpus() as f64 * gpu.peak;
    let recomputed_s = m * busy.recomputed.total();
    let useful = busy.forward.total() + busy.backward.total();
    let memory = (0..stages.len())
        .map(|stage| memory(model, layout, work, micro_batches, stage))
        .max_by(|a, b| a.total().total_cmp(&b.total()))
        .expect("there is a stage");
    Step {
        sequences,
        micro_batches,
        seconds,
        busy: busy
            .forward
            .plus(&busy.backward)
            .plus(&busy.recomputed)
            .times(m),
        recomputed_s,
        ends_s: m * slowest.1,
        between_stages_s: m * hop_s,
        bubble_s: pipeline - m * longest,
        data_s,
        optimizer_s,
        mfu: flops / possible,
        hfu: flops / possible * (1.0 + busy.recomputed.total() / useful.max(f64::MIN_POSITIVE)),
        memory,
    }
}

/// Seconds a micro-batch beside the layers: images and the embedding on the first stage, the head on
/// the last.
fn ends(
    model: &ModelShape,
    cluster: &Cluster,
    layout: &Layout,
    work: &Workload,
    stages: usize,
) -> Vec<f64> {
    let gpu = &cluster.gpu;
    let group = layout.tensor as f64;
    let rows = (layout.micro_batch * work.tokens) as f64;
    let (d, outputs) = (model.dim as f64, model.num_outputs as f64 / group);
    let head = gpu.product_s(1.0, rows, outputs, d)
        + gpu.product_s(1.0, rows, d, outputs)
        + gpu.product_s(1.0, d, outputs, rows);
    // The loss reads and writes the logits about four times, in f32.
    let loss = gpu.elementwise_s(4.0 * 4.0 * rows * outputs, 6.0);
    let images = layout.micro_batch as f64 * work.images;
    let mut tower = 3.0 * images * image_flops(model) / group / (gpu.peak * gpu.rates.product);
    if let (Some(cross), true) = (&model.cross, images > 0.0) {
        let layer = 2.0 * d * (cross.num_heads * cross.head_dim) as f64
            + cross.feed_forward.parameters(model.dim) as f64;
        let layers = cross.num_layers as f64 / stages as f64;
        tower += 6.0 * rows * layers * layer / group / (gpu.peak * gpu.rates.product);
    }
    let embedding = gpu.elementwise_s(3.0 * 4.0 * rows * d, 3.0);
    let mut ends = vec![0.0; stages];
    ends[0] += tower + embedding;
    ends[stages - 1] += head + loss;
    ends
}

/// Seconds of reducing gradients and gathering weights that stay visible.
fn reduction(
    model: &ModelShape,
    cluster: &Cluster,
    layout: &Layout,
    work: &Workload,
    micro_batches: u64,
    busy: &LayerTime,
) -> f64 {
    let gpu = &cluster.gpu;
    let held = held(model, layout, 0);
    let stride = layout.tensor;
    let apart = layout.data / layout.expert;
    let over = |bytes: f64| {
        gpu.gather_s(bytes * held.shared, layout.data, stride)
            + gpu.gather_s(bytes * held.experts, apart, stride * layout.expert)
    };
    // Gradients are reduced and scattered; weights (or the rest of the sums) gathered.
    let (reduce, gather) = match layout.sharding {
        Sharding::None => (2.0 * over(work.gradient_bytes), 0.0),
        Sharding::Zero1 => (over(work.gradient_bytes), over(2.0)),
        // Weights are gathered for the forward and the backward pass of every micro-batch.
        Sharding::Fsdp => {
            let m = micro_batches as f64;
            (m * over(work.gradient_bytes), 2.0 * m * over(2.0))
        }
    };
    if !work.overlap {
        return reduce + gather;
    }
    // Hidden behind the passes they belong to: those of the last and the first micro-batch, or of
    // all with weights gathered layer by layer. A tenth of the compute goes on anyway.
    let passes = if layout.sharding == Sharding::Fsdp {
        micro_batches as f64
    } else {
        1.0
    };
    let hidden = |time: f64, behind: f64| (time - behind).max(0.1 * time);
    hidden(
        reduce,
        passes * (busy.backward.total() + busy.recomputed.total()),
    ) + hidden(gather, passes * busy.forward.total())
}
