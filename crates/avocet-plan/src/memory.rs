//! Memory of one GPU in training, by part.

use serde::Serialize;

use crate::count::Count;
use crate::layer::{Kernels, Workload};
use crate::layout::{Layout, Recompute, Sharding};
use crate::model::ModelShape;

/// Bytes of the optimizer a parameter: an f32 copy of the weight and Adam's two moments.
pub(crate) const OPTIMIZER_BYTES: f64 = 12.0;
/// Bytes that CUDA, its libraries and fragmentation keep from a model.
pub const RESERVED: f64 = 4e9;

/// Bytes of one GPU.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize)]
pub struct Memory {
    /// Parameters on this GPU.
    pub parameters: f64,
    /// Weights, 16 bits.
    pub weights: f64,
    /// Gradients.
    pub gradients: f64,
    /// Optimizer.
    pub optimizer: f64,
    /// What the backward pass will need, of all micro-batches in flight.
    pub activations: f64,
    /// What is held for the moment: logits, a layer being computed again, gathered weights.
    pub working: f64,
}

impl Memory {
    /// Everything, what CUDA keeps included.
    pub fn total(&self) -> f64 {
        self.weights + self.gradients + self.optimizer + self.activations + self.working + RESERVED
    }
}

/// Parameters of a stage on one GPU: those that all replicas hold, and experts.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Held {
    /// Everything but experts.
    pub shared: f64,
    /// Experts.
    pub experts: f64,
}

/// Parameters of stage `stage` on one GPU; image tower and resampler stand before the first.
pub fn held(model: &ModelShape, layout: &Layout, stage: usize) -> Held {
    let count = Count::of(model);
    let stages = layout.stages(model);
    let share = stages[stage] as f64 / model.num_layers as f64;
    let group = layout.tensor as f64;
    let d = model.dim as f64;
    // Keys and values of fewer heads than GPUs are held by several.
    let copies = (group / model.attention.num_kv_heads() as f64).max(1.0);
    let attention = model.attention.matrix_parameters(model.dim) as f64;
    let kv = d * model.attention.cached_numbers() as f64;
    let attention = model.num_layers as f64 * (attention + kv * (copies - 1.0));
    let cut = attention + (count.feed_forward + count.cross_attention) as f64;
    let whole = (count.router + count.norms) as f64;
    let mut shared = share * (cut / group + whole);
    let tables = (model.vocab_size as f64 * d, model.num_outputs as f64 * d);
    if stage == 0 {
        shared += (tables.0 + (count.vision + count.resampler) as f64) / group;
    }
    if stage + 1 == stages.len() && (stages.len() > 1 || !model.tied_embeddings) {
        shared += tables.1 / group;
    }
    Held {
        shared,
        experts: share * count.experts as f64 / group / layout.expert as f64,
    }
}

/// Bytes that one token leaves behind in one layer for its backward pass, on one GPU
/// (arXiv:2205.05198, section 4, extended to grouped heads, gates and experts).
pub fn layer_activations(
    model: &ModelShape,
    layout: &Layout,
    work: &Workload,
    recompute: Recompute,
    mixed: bool,
) -> f64 {
    let group = layout.tensor as f64;
    let shared = if layout.sequence_parallel { group } else { 1.0 };
    let d = model.dim as f64;
    if recompute == Recompute::Full {
        return 2.0 * d / shared;
    }
    let dropout = work.kernels == Kernels::Materialised;
    // Inputs of both norms, of attention and of the feed-forward; the masks of dropout.
    let mut whole = 4.0 * 2.0 * d + if dropout { 2.0 * d } else { 0.0 };
    let heads = model.attention.num_heads() as f64;
    let kv =
        model.attention.cached_numbers() as f64 / group.min(model.attention.num_kv_heads() as f64);
    // Queries and what attention gives, each as wide; keys and values.
    let mut cut = 2.0 * 2.0 * model.attention.query_width() as f64 / group + 2.0 * kv;
    match (work.kernels, recompute) {
        (Kernels::Materialised, Recompute::None) => {
            cut += 5.0 * heads * work.tokens as f64 / group;
        }
        (Kernels::Fused, _) => cut += 4.0 * heads / group,
        _ => {}
    }
    // What goes into the activation and what comes out, which is as wide as one matrix less.
    let block = |width: f64, matrices: f64| 2.0 * matrices * width / group;
    match (&model.mixture, &model.feed_forward) {
        (Some(mixture), _) if mixed => {
            let k = mixture.top_k as f64;
            let matrices = mixture.expert.matrices as f64;
            cut += block(
                k * mixture.expert.width as f64 + mixture.shared_width as f64,
                matrices,
            );
            // Each token's copies at their experts, and what the experts gave.
            whole += 2.0 * 2.0 * k * d;
        }
        (_, Some(dense)) => cut += block(dense.width as f64, dense.matrices as f64),
        _ => {}
    }
    whole / shared + cut
}

/// Memory of a GPU of stage `stage`, with `micro_batches` micro-batches a step.
pub fn memory(
    model: &ModelShape,
    layout: &Layout,
    work: &Workload,
    micro_batches: u64,
    stage: usize,
) -> Memory {
    let held = held(model, layout, stage);
    let parameters = held.shared + held.experts;
    let (data, apart) = (layout.data as f64, (layout.data / layout.expert) as f64);
    let cut = held.shared / data + held.experts / apart;
    let (kept, summed, stepped) = match layout.sharding {
        Sharding::None => (parameters, parameters, parameters),
        Sharding::Zero1 => (parameters, parameters, cut),
        Sharding::Fsdp => (cut, cut, cut),
    };
    let stages = layout.stages(model);
    let layers = stages[stage] as f64;
    let rows = (layout.micro_batch * work.tokens) as f64;
    let mixed = model.num_mixture_layers() as f64 / model.num_layers as f64;
    let of = |recompute, mixed| layer_activations(model, layout, work, recompute, mixed);
    let both = |recompute| mixed * of(recompute, true) + (1.0 - mixed) * of(recompute, false);
    // Micro-batches in flight: the first stage has as many as there are stages, the last one; with
    // chunks a little more (arXiv:2104.04473, section 2.2).
    let p = layout.pipeline as f64;
    let mut in_flight = (layout.pipeline - stage as u64) as f64;
    if layout.chunks > 1 {
        in_flight += (p - 1.0) / layout.chunks as f64;
    }
    let activations = layers * rows * both(layout.recompute) * in_flight.min(micro_batches as f64);
    let mut working = 0.0;
    if layout.recompute == Recompute::Full {
        working += rows * both(Recompute::None);
    }
    if stage + 1 == stages.len() {
        // Logits in f32 with their gradient in 16 bits.
        working += 6.0 * rows * model.num_outputs as f64 / layout.tensor as f64;
    }
    if layout.sharding == Sharding::Fsdp {
        // Two layers' weights and one layer's gradients are whole at a time.
        working += parameters / layers.max(1.0) * (2.0 * 2.0 + work.gradient_bytes);
    }
    Memory {
        parameters,
        weights: 2.0 * kept,
        gradients: work.gradient_bytes * summed,
        optimizer: OPTIMIZER_BYTES * stepped,
        activations,
        working,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::known;

    fn layout(recompute: Recompute, sequence_parallel: bool, sharding: Sharding) -> Layout {
        Layout {
            tensor: 8,
            pipeline: 8,
            data: 16,
            expert: 1,
            chunks: 1,
            micro_batch: 1,
            sharding,
            recompute,
            sequence_parallel,
        }
    }

    #[test]
    fn activations_follow_the_published_formulas() {
        // arXiv:2205.05198, table 2, in bytes a token and unit of width.
        let model = known::megatron(175);
        let work = Workload::megatron(2048);
        let scores = 5.0 * 96.0 * 2048.0 / 12288.0;
        let t = 8.0;
        for (recompute, sequence, published) in [
            (Recompute::None, false, 10.0 + 24.0 / t + scores / t),
            (Recompute::None, true, (34.0 + scores) / t),
            (Recompute::Selective, false, 10.0 + 24.0 / t),
            (Recompute::Selective, true, 34.0 / t),
            (Recompute::Full, false, 2.0),
        ] {
            let layout = layout(recompute, sequence, Sharding::None);
            let ours = layer_activations(&model, &layout, &work, recompute, false) / 12288.0;
            assert!(
                (ours - published).abs() < 1e-9,
                "{recompute:?} {sequence}: {ours} {published}"
            );
        }
    }

    #[test]
    fn sharding_divides_what_it_says_and_first_stages_hold_the_most() {
        let model = known::megatron(175);
        let work = Workload::modern(2048);
        let of = |sharding, stage| {
            memory(
                &model,
                &layout(Recompute::None, true, sharding),
                &work,
                64,
                stage,
            )
        };
        let (none, zero, fsdp) = (
            of(Sharding::None, 1),
            of(Sharding::Zero1, 1),
            of(Sharding::Fsdp, 1),
        );
        assert_eq!(none.optimizer, 16.0 * zero.optimizer);
        assert_eq!(none.weights, zero.weights);
        assert_eq!(none.weights, 16.0 * fsdp.weights);
        assert_eq!(none.gradients, 16.0 * fsdp.gradients);
        assert_eq!(
            of(Sharding::Zero1, 0).activations,
            8.0 * of(Sharding::Zero1, 7).activations
        );
        // 2 + 2 + 12 bytes a parameter, as ZeRO counts (arXiv:1910.02054, section 3.1).
        assert_eq!(
            (none.weights + none.gradients + none.optimizer) / none.parameters,
            16.0
        );
    }

    #[test]
    fn experts_are_shared_out_and_one_head_is_held_by_every_gpu() {
        let model = known::described();
        let with = |expert| Layout {
            expert,
            ..layout(Recompute::Full, true, Sharding::Zero1)
        };
        let (one, four) = (held(&model, &with(1), 1), held(&model, &with(4), 1));
        assert_eq!(one.experts, 4.0 * four.experts);
        assert_eq!(one.shared, four.shared);
        let kv = 15.0 * 2.0 * 10_752.0 * 128.0;
        let cut = 15.0 * 2.0 * 10_752.0 * 168.0 * 128.0 / 8.0;
        let small = 15.0 * (16.0 + 2.0) * 10_752.0;
        assert!(
            (one.shared / (cut + kv + small) - 1.0).abs() < 1e-3,
            "{one:?}"
        );
    }
}
