//! Time of one layer while serving, on one GPU.

use serde::Serialize;

use crate::gpu::Gpu;
use crate::model::{Attention, Mixture, ModelShape};
use crate::serve_layout::{KvSplit, ServeLayout};

/// Share of H800's 16-bit peak and of its bandwidth that latent attention reaches while decoding:
/// 660 TFLOP/s and 3,000 GB/s (FlashMLA, README).
const LATENT: (f64, f64) = (660.0 / 989.4, 3000.0 / 3350.0);

/// Bandwidth of exchanging tokens for decoding, GB/s of each GPU, by GPUs that share the experts:
/// dispatch and combine (DeepEP V1, low-latency kernels, H800 with 400 Gb/s a GPU).
const DECODE_EXCHANGE: [(f64, f64, f64); 6] = [
    (8.0, 98.0, 127.0),
    (16.0, 63.0, 74.0),
    (32.0, 48.0, 53.0),
    (64.0, 43.0, 46.0),
    (128.0, 39.0, 39.0),
    (256.0, 39.0, 40.0),
];

/// The same for prefill, counted a node that a token goes to (DeepEP V1, normal kernels).
const PREFILL_EXCHANGE: [(f64, f64, f64); 4] = [
    (8.0, 153.0, 158.0),
    (16.0, 43.0, 43.0),
    (32.0, 58.0, 57.0),
    (64.0, 51.0, 50.0),
];
/// Network of the GPUs that these were measured on, GB/s.
const EXCHANGE_NETWORK: f64 = 50.0;

/// Small kernels of a layer that are not products: norms, positions, quantisation, activation, sums;
/// and those more that an expert layer has: router, sorting, weighting. Fitted on SGLang's four rows.
const SMALL_KERNELS: (f64, f64) = (30.0, 20.0);

/// Seconds of a layer by what they are spent on.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize)]
pub struct LayerSeconds {
    /// Products of weights outside experts.
    pub products: f64,
    /// Products of experts.
    pub experts: f64,
    /// Attention over what is remembered.
    pub attention: f64,
    /// Small kernels.
    pub elementwise: f64,
    /// Sums over the tensor group.
    pub tensor: f64,
    /// Tokens on their way to experts and back.
    pub exchange: f64,
}

/// Share of the shorter of computing and exchanging that disappears behind the longer when two half
/// batches take turns. Fitted on SGLang's four rows; DeepSeek's own test it.
pub const OVERLAP: f64 = 0.55;

impl LayerSeconds {
    /// What the GPU computes.
    pub fn compute(&self) -> f64 {
        self.products + self.experts + self.attention + self.elementwise
    }

    /// All of it: one thing after another, or half batches taking turns.
    pub fn total(&self, overlap: bool) -> f64 {
        let hidden = if overlap {
            OVERLAP * self.compute().min(self.exchange)
        } else {
            0.0
        };
        self.compute() + self.tensor + self.exchange - hidden
    }

    pub(crate) fn plus(&self, other: &Self) -> Self {
        Self {
            products: self.products + other.products,
            experts: self.experts + other.experts,
            attention: self.attention + other.attention,
            elementwise: self.elementwise + other.elementwise,
            tensor: self.tensor + other.tensor,
            exchange: self.exchange + other.exchange,
        }
    }

    pub(crate) fn times(&self, factor: f64) -> Self {
        Self {
            products: self.products * factor,
            experts: self.experts * factor,
            attention: self.attention * factor,
            elementwise: self.elementwise * factor,
            tensor: self.tensor * factor,
            exchange: self.exchange * factor,
        }
    }
}

/// Experts of a layer that a batch of `tokens` touches, on average, when each token visits `top_k` of
/// them by even chance: E (1 - (1 - k / E)^B).
pub fn experts_touched(mixture: &Mixture, tokens: f64) -> f64 {
    let experts = mixture.num_experts as f64;
    let missed = 1.0 - mixture.top_k as f64 / experts;
    experts * (1.0 - missed.powf(tokens))
}

/// Multiply-adds of one query with one remembered token while decoding: a latent vector is attended
/// to as it is (arXiv:2405.04434, section 2.1.2).
fn decode_score_work(attention: &Attention) -> f64 {
    match *attention {
        Attention::Heads {
            num_heads,
            head_dim,
            ..
        } => (2 * num_heads * head_dim) as f64,
        Attention::Latent {
            num_heads,
            kv_rank,
            rope_dim,
            ..
        } => (num_heads * (2 * kv_rank + rope_dim)) as f64,
    }
}

/// A layer's decoding step of `requests` requests.
pub(crate) fn decode_layer(
    gpu: &Gpu,
    model: &ModelShape,
    layout: &ServeLayout,
    requests: f64,
    context: f64,
    tokens: f64,
    mixed: bool,
) -> LayerSeconds {
    let rows = requests * tokens;
    let group = layout.tensor as f64;
    let mut time = projections(gpu, model, layout, rows, mixed);
    let here = match layout.kv {
        KvSplit::Batch => (requests / group).max(1.0),
        KvSplit::Heads | KvSplit::Replicated => requests,
    };
    let cached = model.attention.cached_numbers() as f64 * layout.kv_bytes;
    let cached = match layout.kv {
        KvSplit::Heads => cached / group.min(model.attention.num_kv_heads() as f64),
        KvSplit::Replicated | KvSplit::Batch => cached,
    };
    // Batch-split keys are attended to by all heads of few requests, others by few heads of all.
    let heads_here = match layout.kv {
        KvSplit::Batch => 1.0,
        KvSplit::Heads | KvSplit::Replicated => group,
    };
    let flops = 2.0 * here * tokens * context * decode_score_work(&model.attention) / heads_here;
    let (computing, reading) = match model.attention {
        Attention::Latent { .. } => LATENT,
        Attention::Heads { .. } => (gpu.rates.attention, gpu.rates.memory),
    };
    time.attention = (here * context * cached / (gpu.bandwidth * reading))
        .max(flops / (gpu.peak * computing))
        + gpu.rates.kernel_s;
    if layout.kv == KvSplit::Batch && layout.tensor > 1 {
        // Queries go to the GPU that holds their request, and what was attended to comes back.
        let moved = 2.0 * rows * model.attention.query_width() as f64 * 2.0;
        time.tensor += 2.0 * gpu.gather_s(moved / group, layout.tensor, 1);
    }
    if mixed && let Some(mixture) = &model.mixture {
        time.exchange = decode_exchange(gpu, model, mixture, layout, rows);
    }
    time
}

/// A layer's share of reading `tokens` tokens.
pub(crate) fn prefill_layer(
    gpu: &Gpu,
    model: &ModelShape,
    layout: &ServeLayout,
    tokens: f64,
    prompt: f64,
    mixed: bool,
) -> LayerSeconds {
    let mut time = projections(gpu, model, layout, tokens, mixed);
    let work = model.attention.score_work() as f64 / layout.tensor as f64;
    let flops = 2.0 * tokens * (prompt + 1.0) / 2.0 * work;
    time.attention = flops / (gpu.peak * gpu.rates.attention) + gpu.rates.kernel_s;
    if mixed && let Some(mixture) = &model.mixture {
        time.exchange = prefill_exchange(gpu, model, mixture, layout, tokens);
    }
    time
}

/// Everything of a layer that does not look at other tokens.
fn projections(
    gpu: &Gpu,
    model: &ModelShape,
    layout: &ServeLayout,
    rows: f64,
    mixed: bool,
) -> LayerSeconds {
    let group = layout.tensor as f64;
    let d = model.dim as f64;
    let product = |count: f64, m: f64, n: f64, k: f64| {
        if layout.weight_bytes <= 1.0 {
            gpu.product_8bit_s(count, m, n, k)
        } else {
            gpu.product_s(count, m, n, k)
        }
    };
    let block = |count: f64, rows: f64, width: f64, matrices: f64| {
        let width = width / group;
        product(count, rows, (matrices - 1.0) * width, d) + product(count, rows, d, width)
    };
    let mut time = LayerSeconds::default();
    time.products += match model.attention {
        Attention::Heads {
            num_heads,
            num_kv_heads,
            head_dim,
        } => {
            let heads = num_heads as f64 / group;
            let kv = (num_kv_heads as f64 / group).max(1.0);
            let head = head_dim as f64;
            product(1.0, rows, (heads + 2.0 * kv) * head, d) + product(1.0, rows, d, heads * head)
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
            let (query, kv) = (query_rank as f64, kv_rank as f64);
            product(1.0, rows, query + kv + rope_dim as f64, d)
                + product(1.0, rows, heads * (nope_dim + rope_dim) as f64, query)
                // A small product for each head, of 16-bit numbers.
                + gpu.product_s(heads, rows, kv, nope_dim as f64)
                + gpu.product_s(heads, rows, value_dim as f64, kv)
                + product(1.0, rows, d, heads * value_dim as f64)
        }
    };
    let (mut kernels, more) = SMALL_KERNELS;
    // Two norms and two sums over the stream, and what is turned or quantised between them.
    let mut bytes = rows * d * 24.0 + 6.0 * rows * model.attention.query_width() as f64 / group;
    match (&model.mixture, &model.feed_forward) {
        (Some(mixture), _) if mixed => {
            let matrices = mixture.expert.matrices as f64;
            let k = mixture.top_k as f64;
            let held = mixture.num_experts as f64 / layout.expert as f64;
            // An expert-parallel group's tokens all meet here.
            let visits = rows * k;
            let all = rows * layout.expert as f64;
            let touched = experts_touched(mixture, all) / mixture.num_experts as f64 * held;
            time.experts = block(
                touched,
                visits / touched,
                mixture.expert.width as f64,
                matrices,
            );
            if mixture.shared_width > 0 {
                time.products += block(1.0, rows, mixture.shared_width as f64, matrices);
            }
            let widths = k * mixture.expert.width as f64 + mixture.shared_width as f64;
            bytes += 2.0 * rows * matrices * widths / group + 8.0 * rows * k * d;
            kernels += more;
            time.products += gpu.product_s(1.0, rows, mixture.num_experts as f64, d);
        }
        (_, Some(dense)) => {
            let (width, matrices) = (dense.width as f64, dense.matrices as f64);
            time.products += block(1.0, rows, width, matrices);
            bytes += 2.0 * rows * matrices * width / group;
        }
        _ => {}
    }
    time.elementwise = gpu.elementwise_s(bytes, kernels);
    time.tensor = 2.0 * gpu.all_reduce_s(rows * d * 2.0, layout.tensor, 1);
    time
}

/// Seconds of sending each token to its experts in 8 bits and getting the results in 16.
fn decode_exchange(
    gpu: &Gpu,
    model: &ModelShape,
    mixture: &Mixture,
    layout: &ServeLayout,
    rows: f64,
) -> f64 {
    if layout.expert == 1 {
        return 0.0;
    }
    let sent = rows * mixture.top_k as f64 * model.dim as f64;
    exchange_s(gpu, &DECODE_EXCHANGE, layout, sent)
}

/// The same for prompts: a token goes once to each node that has experts of it.
fn prefill_exchange(
    gpu: &Gpu,
    model: &ModelShape,
    mixture: &Mixture,
    layout: &ServeLayout,
    rows: f64,
) -> f64 {
    if layout.expert == 1 {
        return 0.0;
    }
    let nodes = (layout.expert as f64 / gpu.per_node as f64).ceil();
    let sent = rows * nodes_visited(mixture, nodes) * model.dim as f64;
    exchange_s(gpu, &PREFILL_EXCHANGE, layout, sent)
}

/// Seconds of sending that many numbers in 8 bits and getting as many back in 16, at the rates
/// measured for groups of that size.
fn exchange_s(gpu: &Gpu, rates: &[(f64, f64, f64)], layout: &ServeLayout, sent: f64) -> f64 {
    let (out, back) = interpolated(rates, layout.expert as f64);
    let scale = gpu.network / (EXCHANGE_NETWORK * 1e9);
    (sent / out + 2.0 * sent / back) / 1e9 / scale
}

/// Nodes that a token's experts lie on, on average, its own counted like any other.
fn nodes_visited(mixture: &Mixture, nodes: f64) -> f64 {
    let drawn = |nodes: f64, visits: f64| nodes * (1.0 - (1.0 - 1.0 / nodes).powf(visits));
    match mixture.groups {
        Some((groups, chosen)) => {
            // Groups are chosen without putting back; a node holds several.
            let a_node = (groups as f64 / nodes).max(1.0);
            let missed = (0..chosen).fold(1.0, |missed, taken| {
                let left = groups as f64 - taken as f64;
                missed * ((left - a_node) / left).max(0.0)
            });
            (groups as f64 / a_node) * (1.0 - missed)
        }
        None => drawn(nodes, mixture.top_k as f64),
    }
}

/// Both columns at `size`, between its neighbours by the logarithm.
fn interpolated(table: &[(f64, f64, f64)], size: f64) -> (f64, f64) {
    let last = table.len() - 1;
    let above = table.iter().position(|row| row.0 >= size).unwrap_or(last);
    let (low, high) = (table[above.saturating_sub(1)], table[above]);
    if low.0 >= high.0 || size >= high.0 {
        return (high.1, high.2);
    }
    let share = ((size / low.0).ln() / (high.0 / low.0).ln()).clamp(0.0, 1.0);
    (
        low.1 + share * (high.1 - low.1),
        low.2 + share * (high.2 - low.2),
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::known;

    #[test]
    fn a_token_of_deepseek_visits_at_most_four_groups() {
        let mixture = known::deepseek_v3().mixture.unwrap();
        assert_eq!(nodes_visited(&mixture, 1.0), 1.0);
        // Four of eight groups, two a node: 4 (1 - C(6, 4) / C(8, 4)).
        let expected = 4.0 * (1.0 - 15.0 / 70.0);
        assert!((nodes_visited(&mixture, 4.0) - expected).abs() < 1e-12);
        assert!(nodes_visited(&mixture, 16.0) <= 4.0);
    }

    #[test]
    fn tables_give_their_own_rows_and_what_lies_between() {
        assert_eq!(interpolated(&DECODE_EXCHANGE, 8.0), (98.0, 127.0));
        assert_eq!(interpolated(&DECODE_EXCHANGE, 1000.0), (39.0, 40.0));
        let (out, _) = interpolated(&DECODE_EXCHANGE, 72.0);
        assert!(out < 43.0 && out > 39.0, "{out}");
    }
}
