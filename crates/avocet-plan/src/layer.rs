//! Time of one decoder layer on one GPU of a tensor group, forward and backward.

use serde::Serialize;

use crate::gpu::Gpu;
use crate::layout::{Layout, Recompute};
use crate::model::{Attention, ModelShape};

/// How attention and the elementwise work around products are computed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Kernels {
    /// Scores are written to memory, with dropout, as Megatron-LM did in 2022.
    Materialised,
    /// Fused attention (FlashAttention, arXiv:2205.14135), no dropout.
    Fused,
}

/// What the time of a training step depends on beside the model, the GPU and the layout.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Workload {
    /// Tokens of a sequence.
    pub tokens: u64,
    /// The kernels.
    pub kernels: Kernels,
    /// Bytes of a gradient's number: 2, or 4 where gradients are summed in f32.
    pub gradient_bytes: f64,
    /// Whether the reduction of gradients overlaps the backward pass.
    pub overlap: bool,
    /// Images of a sequence, for a model that sees.
    pub images: f64,
}

impl Workload {
    /// Sequences of so many tokens, trained with today's kernels.
    pub fn modern(tokens: u64) -> Self {
        Self {
            tokens,
            kernels: Kernels::Fused,
            gradient_bytes: 2.0,
            overlap: true,
            images: 0.0,
        }
    }

    /// As Megatron-LM trained in 2022: scores in memory, gradients summed in f32 after the
    /// backward pass.
    pub fn megatron(tokens: u64) -> Self {
        Self {
            tokens,
            kernels: Kernels::Materialised,
            gradient_bytes: 4.0,
            overlap: false,
            images: 0.0,
        }
    }
}

/// Seconds by what they are spent on.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize)]
pub struct Seconds {
    /// Matrix products of weights.
    pub products: f64,
    /// Scores of attention.
    pub attention: f64,
    /// Norms, activations, residuals: bound by memory.
    pub elementwise: f64,
    /// Collectives inside the tensor group.
    pub tensor: f64,
    /// Exchange of tokens between the GPUs that share experts.
    pub expert: f64,
}

impl Seconds {
    /// All of them.
    pub fn total(&self) -> f64 {
        self.products + self.attention + self.elementwise + self.tensor + self.expert
    }

    /// Both.
    #[must_use]
    pub fn plus(&self, other: &Self) -> Self {
        Self {
            products: self.products + other.products,
            attention: self.attention + other.attention,
            elementwise: self.elementwise + other.elementwise,
            tensor: self.tensor + other.tensor,
            expert: self.expert + other.expert,
        }
    }

    /// So many times this.
    #[must_use]
    pub fn times(&self, factor: f64) -> Self {
        Self {
            products: self.products * factor,
            attention: self.attention * factor,
            elementwise: self.elementwise * factor,
            tensor: self.tensor * factor,
            expert: self.expert * factor,
        }
    }
}

/// Time of a layer for one micro-batch.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize)]
pub struct LayerTime {
    /// The forward pass.
    pub forward: Seconds,
    /// The backward pass, without anything computed again.
    pub backward: Seconds,
    /// What is computed again.
    pub recomputed: Seconds,
}

impl LayerTime {
    /// Everything.
    pub fn total(&self) -> f64 {
        self.forward.total() + self.backward.total() + self.recomputed.total()
    }
}

/// One product with its gradients: (count, rows, columns, depth).
struct Product(f64, f64, f64, f64);

/// Time of a layer for one micro-batch; `mixed` says whether it has the mixture or the dense block.
pub fn layer_time(
    gpu: &Gpu,
    model: &ModelShape,
    layout: &Layout,
    work: &Workload,
    mixed: bool,
) -> LayerTime {
    let group = layout.tensor as f64;
    let d = model.dim as f64;
    let rows = (layout.micro_batch * work.tokens) as f64;
    let products = products(model, layout, rows, mixed);
    let mut forward = Seconds::default();
    let mut backward = Seconds::default();
    for Product(count, m, n, k) in products {
        forward.products += gpu.product_s(count, m, n, k);
        backward.products += gpu.product_s(count, m, k, n) + gpu.product_s(count, k, n, m);
    }
    let (core, core_backward) = core_attention(gpu, model, layout, work);
    forward.attention = core.attention;
    forward.elementwise = core.elementwise;
    backward.attention = core_backward.attention;
    backward.elementwise = core_backward.elementwise;
    let (bytes, kernels) = elementwise(model, layout, work, rows, mixed);
    forward.elementwise += gpu.elementwise_s(bytes, kernels);
    backward.elementwise += gpu.elementwise_s(2.0 * bytes, kernels);
    // Two sums over the tensor group in each direction (arXiv:1909.08053, section 3), or as long a
    // pair of gather and scatter each with sequence parallelism.
    let sums = 2.0 * gpu.all_reduce_s(rows * d * 2.0, layout.tensor, 1);
    forward.tensor = sums;
    backward.tensor = sums;
    if layout.sequence_parallel {
        // What the two column-parallel products read was kept in parts and is gathered again.
        backward.tensor += 2.0 * gpu.gather_s(rows * d * 2.0, layout.tensor, 1);
    }
    if mixed && let Some(mixture) = &model.mixture {
        let held = if layout.sequence_parallel { group } else { 1.0 };
        let sent = rows * mixture.top_k as f64 * d * 2.0 / held;
        let away = (layout.expert - 1) as f64 / layout.expert as f64;
        let link = gpu.link(layout.expert, layout.tensor);
        let exchange = 2.0 * away * sent / link;
        forward.expert = exchange;
        backward.expert = exchange;
    }
    let recomputed = match layout.recompute {
        Recompute::None => Seconds::default(),
        Recompute::Selective => core,
        Recompute::Full => forward,
    };
    LayerTime {
        forward,
        backward,
        recomputed,
    }
}

/// The products of a layer's forward pass on one GPU.
fn products(model: &ModelShape, layout: &Layout, rows: f64, mixed: bool) -> Vec<Product> {
    let group = layout.tensor as f64;
    let d = model.dim as f64;
    let mut products = match model.attention {
        Attention::Heads {
            num_heads,
            num_kv_heads,
            head_dim,
        } => {
            let kv = (num_kv_heads as f64 / group).max(1.0);
            let queries = num_heads as f64 / group;
            let width = (queries + 2.0 * kv) * head_dim as f64;
            vec![
                Product(1.0, rows, width, d),
                Product(1.0, rows, d, queries * head_dim as f64),
            ]
        }
        Attention::Latent {
            num_heads,
            query_rank,
            kv_rank,
            rope_dim,
            nope_dim,
            value_dim,
        } => {
            let heads = num_heads as f64 / group;
            vec![
                Product(1.0, rows, (query_rank + kv_rank + rope_dim) as f64, d),
                Product(
                    1.0,
                    rows,
                    heads * (nope_dim + rope_dim) as f64,
                    query_rank as f64,
                ),
                Product(
                    1.0,
                    rows,
                    heads * (nope_dim + value_dim) as f64,
                    kv_rank as f64,
                ),
                Product(1.0, rows, d, heads * value_dim as f64),
            ]
        }
    };
    let mut block = |count: f64, rows: f64, width: f64, matrices: f64| {
        let width = width / group;
        products.push(Product(count, rows, (matrices - 1.0) * width, d));
        products.push(Product(count, rows, d, width));
    };
    match (&model.mixture, &model.feed_forward) {
        (Some(mixture), _) if mixed => {
            // Balanced: each GPU of the expert group sends and takes as many tokens as it has.
            let held = (mixture.num_experts / layout.expert) as f64;
            let each = rows * mixture.top_k as f64 / held;
            let (width, matrices) = (mixture.expert.width as f64, mixture.expert.matrices as f64);
            block(held, each, width, matrices);
            if mixture.shared_width > 0 {
                block(1.0, rows, mixture.shared_width as f64, matrices);
            }
            products.push(Product(1.0, rows, mixture.num_experts as f64, d));
        }
        (_, Some(dense)) => block(1.0, rows, dense.width as f64, dense.matrices as f64),
        _ => {}
    }
    products
}

/// Scores, their softmax and the sum of values: forward and backward.
fn core_attention(
    gpu: &Gpu,
    model: &ModelShape,
    layout: &Layout,
    work: &Workload,
) -> (Seconds, Seconds) {
    let (b, s) = (layout.micro_batch as f64, work.tokens as f64);
    let heads = model.attention.num_heads() as f64 / layout.tensor as f64;
    let flops = 2.0 * b * s * s * model.attention.score_work() as f64 / layout.tensor as f64;
    match work.kernels {
        Kernels::Fused => {
            // Half of the square is masked and skipped; the backward pass computes the scores
            // again, five products instead of two (arXiv:2307.08691).
            let peak = gpu.peak;
            let forward = 0.5 * flops / (peak * gpu.rates.attention) + gpu.rates.kernel_s;
            let backward =
                0.5 * 2.5 * flops / (peak * gpu.rates.attention_backward) + gpu.rates.kernel_s;
            (of_attention(forward, 0.0), of_attention(backward, 0.0))
        }
        Kernels::Materialised => {
            let head = (model.attention.score_work() / model.attention.num_heads()) as f64 / 2.0;
            let square = b * heads;
            let one = gpu.product_s(square, s, s, head) + gpu.product_s(square, s, head, s);
            // Softmax reads and writes the scores, dropout as well and keeps a mask; backwards
            // one more is read.
            let numbers = square * s * s;
            let around = gpu.elementwise_s(9.0 * numbers, 2.0);
            let around_backward = gpu.elementwise_s(11.0 * numbers, 2.0);
            (
                of_attention(one, around),
                of_attention(2.0 * one, around_backward),
            )
        }
    }
}

fn of_attention(attention: f64, elementwise: f64) -> Seconds {
    Seconds {
        attention,
        elementwise,
        ..Seconds::default()
    }
}

/// Bytes that the elementwise kernels of a forward pass move, and how many kernels there are.
fn elementwise(
    model: &ModelShape,
    layout: &Layout,
    work: &Workload,
    rows: f64,
    mixed: bool,
) -> (f64, f64) {
    let group = layout.tensor as f64;
    let d = model.dim as f64;
    let shared = if layout.sequence_parallel { group } else { 1.0 };
    // Two norms read and write the stream; two residual sums read two and write one.
    let mut stream = 2.0 * 4.0 + 2.0 * 6.0;
    if work.kernels == Kernels::Materialised {
        stream += 2.0; // the masks of dropout
    }
    let mut bytes = rows * d * stream / shared;
    // Queries and keys are turned or rearranged: read and written.
    let cached =
        model.attention.cached_numbers() as f64 / group.min(model.attention.num_kv_heads() as f64);
    bytes += 4.0 * rows * (model.attention.query_width() as f64 / group + cached);
    let mut kernels = 6.0;
    let activation = |width: f64, matrices: f64| 2.0 * rows * matrices * width / group;
    match (&model.mixture, &model.feed_forward) {
        (Some(mixture), _) if mixed => {
            let k = mixture.top_k as f64;
            let width = k * mixture.expert.width as f64 + mixture.shared_width as f64;
            bytes += activation(width, mixture.expert.matrices as f64);
            // Tokens are copied to their experts' places and back.
            bytes += 2.0 * 4.0 * rows * k * d;
            kernels += 8.0;
        }
        (_, Some(dense)) => bytes += activation(dense.width as f64, dense.matrices as f64),
        _ => {}
    }
    (bytes, kernels)
}
