//! Serving: rooflines of prefill and decode, memory, latency against batch.
//!
//! Two ways to spread a model are known. In a tensor x pipeline group every GPU holds a part of each
//! matrix of its stage's layers. In an expert-parallel group ([`ServeLayout::expert`] above 1) every
//! GPU holds all of attention and its share of the experts, has requests of its own, and exchanges
//! tokens with the others in every layer.

use serde::Serialize;

use crate::count::Count;
use crate::error::{Result, refuse};
use crate::figure::Figure;
use crate::gpu::Gpu;
use crate::memory::RESERVED;
use crate::model::ModelShape;
use crate::serve_layout::{KvSplit, ServeLayout};
use crate::serving_layer::{LayerSeconds, decode_layer, experts_touched, prefill_layer};

/// Memory of the fullest GPU while serving.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct ServeMemory {
    /// Weights.
    pub weights: f64,
    /// Keys and values of one request.
    pub kv_a_request: f64,
    /// Requests that fit beside the weights: of the whole group in a tensor x pipeline group, of one
    /// GPU in an expert-parallel one.
    pub requests: f64,
}

/// Memory for requests of `context` tokens.
///
/// Errors if the weights alone do not fit.
pub fn serve_memory(
    gpu: &Gpu,
    model: &ModelShape,
    layout: &ServeLayout,
    context: f64,
) -> Result<ServeMemory> {
    let count = Count::of(model);
    let layers = layout.stages.iter().copied().max().unwrap_or(0) as f64 / model.num_layers as f64;
    let tables = (model.dim * model.vocab_size.max(model.num_outputs)) as f64;
    let tables = if layout.stages.len() == 1 {
        count.embedding as f64
    } else {
        tables
    };
    let whole = (count.total() - count.experts - count.embedding) as f64;
    let parameters = (layers * (whole + count.experts as f64 / layout.expert as f64) + tables)
        / layout.tensor as f64;
    let weights = parameters * layout.weight_bytes;
    let free = gpu.memory - RESERVED - weights;
    if free <= 0.0 {
        let reason = format!(
            "the weights need {:.1} GB of each GPU, which has {:.1}",
            (weights + RESERVED) / 1e9,
            gpu.memory / 1e9
        );
        return refuse("memory", reason);
    }
    let cached = model.kv_bytes(layout.kv_bytes) * layers * context;
    let kv_a_request = match layout.kv {
        KvSplit::Replicated => cached,
        KvSplit::Heads | KvSplit::Batch => cached / layout.tensor as f64,
    };
    Ok(ServeMemory {
        weights,
        kv_a_request,
        requests: (free / kv_a_request).floor(),
    })
}

/// A decoding step.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Decode {
    /// Requests at work: of the whole group, or of one GPU with expert parallelism.
    pub requests: f64,
    /// Seconds between two tokens of a request.
    pub token_s: f64,
    /// Tokens a second of the whole group.
    pub tokens_per_s: f64,
    /// Experts of a layer touched in a step.
    pub touched: f64,
    /// Seconds of a layer.
    pub layer: LayerSeconds,
}

/// Times a decoding step of `requests` requests (of the whole group; with expert parallelism of each
/// GPU) that remember `context` tokens, each with `tokens` new ones: 1, or a draft to check as well.
pub fn decode(
    gpu: &Gpu,
    model: &ModelShape,
    layout: &ServeLayout,
    requests: f64,
    context: f64,
    tokens: f64,
) -> Decode {
    let stages = layout.stages.len() as f64;
    // A pipeline is full when every stage works on a group of requests of its own.
    let each = (requests / stages).max(1.0);
    let parts = if layout.overlap { 2.0 } else { 1.0 };
    let time =
        |mixed| decode_layer(gpu, model, layout, each / parts, context, tokens, mixed).times(parts);
    let (dense, mixed) = (time(false), time(true));
    let mut first = 0;
    let mut of_stage = Vec::new();
    for &layers in &layout.stages {
        let plain = if model.mixture.is_some() {
            model.num_dense_layers.saturating_sub(first).min(layers)
        } else {
            layers
        };
        let seconds = plain as f64 * dense.total(layout.overlap)
            + (layers - plain) as f64 * mixed.total(layout.overlap);
        first += layers;
        of_stage.push(seconds);
    }
    let rows = each * tokens;
    let outputs = model.num_outputs as f64 / layout.tensor as f64;
    let d = model.dim as f64;
    if let Some(last) = of_stage.last_mut() {
        *last += gpu.product_s(1.0, rows, outputs, d) + 4.0 * gpu.rates.kernel_s;
    }
    let hop = if of_stage.len() > 1 {
        rows * d * 2.0 / layout.tensor as f64 / (gpu.network * gpu.rates.network) + 1e-5
    } else {
        0.0
    };
    let slowest = of_stage.iter().copied().fold(0.0, f64::max) + hop;
    let sum: f64 = of_stage.iter().map(|seconds| seconds + hop).sum();
    // With fewer requests than stages there is one at a time on the way.
    let token_s = if requests >= stages {
        slowest * stages
    } else {
        sum
    };
    let share = (model.num_mixture_layers() as f64) / model.num_layers as f64;
    let all = requests.max(1.0) * layout.expert as f64;
    Decode {
        requests,
        token_s,
        tokens_per_s: all / token_s,
        touched: model.mixture.map_or(0.0, |mixture| {
            experts_touched(&mixture, rows * layout.expert as f64)
        }),
        layer: mixed.times(share).plus(&dense.times(1.0 - share)),
    }
}

/// Reading prompts.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Prefill {
    /// Tokens a second of the whole group.
    pub tokens_per_s: f64,
    /// Seconds from the start of a prompt to its end.
    pub prompt_s: f64,
    /// Seconds of a layer.
    pub layer: LayerSeconds,
}

/// Times reading `tokens` tokens at a time (of the group, or of each GPU with expert parallelism),
/// in prompts of `prompt` tokens.
pub fn prefill(
    gpu: &Gpu,
    model: &ModelShape,
    layout: &ServeLayout,
    tokens: f64,
    prompt: f64,
) -> Prefill {
    let parts = if layout.overlap { 2.0 } else { 1.0 };
    let time =
        |mixed| prefill_layer(gpu, model, layout, tokens / parts, prompt, mixed).times(parts);
    let share = model.num_mixture_layers() as f64 / model.num_layers as f64;
    let layer = time(true)
        .times(share)
        .plus(&time(false).times(1.0 - share));
    let seconds = layer.total(layout.overlap);
    let slowest = layout.stages.iter().copied().max().unwrap_or(0) as f64 * seconds;
    let whole = model.num_layers as f64 * seconds;
    Prefill {
        tokens_per_s: tokens * layout.expert as f64 / slowest,
        prompt_s: whole * (prompt / tokens).max(1.0),
        layer,
    }
}

/// The figures of serving with their formulas.
pub fn serve_figures(
    gpu: &Gpu,
    model: &ModelShape,
    layout: &ServeLayout,
    memory: &ServeMemory,
    step: &Decode,
    context: f64,
) -> Vec<Figure> {
    let longest = layout.stages.iter().copied().max().unwrap_or(0) as f64;
    let kv = model.attention.cached_numbers() as f64;
    let shared = match layout.kv {
        KvSplit::Replicated => 1.0,
        KvSplit::Heads | KvSplit::Batch => layout.tensor as f64,
    };
    let mut figures = vec![
        Figure::new(
            "keys and values of a request on a GPU",
            "bytes",
            "layers * numbers * bytes * context / gpus",
            &[
                ("layers", longest),
                ("numbers", kv),
                ("bytes", layout.kv_bytes),
                ("context", context),
                ("gpus", shared),
            ],
        ),
        Figure::new(
            "requests that fit",
            "",
            "floor((memory - reserved - weights) / kv)",
            &[
                ("memory", gpu.memory),
                ("reserved", RESERVED),
                ("weights", memory.weights),
                ("kv", memory.kv_a_request),
            ],
        ),
        Figure::new(
            "tokens a second of a group",
            "tokens/s",
            "requests * sharing / token",
            &[
                ("requests", step.requests.max(1.0)),
                ("sharing", layout.expert as f64),
                ("token", step.token_s),
            ],
        ),
    ];
    if let Some(price) = gpu.price {
        figures.push(Figure::new(
            "cost of a million tokens",
            "$",
            "gpus * price / 3600 / tokens * 1000000",
            &[
                ("gpus", layout.gpus() as f64),
                ("price", price),
                ("tokens", step.tokens_per_s),
            ],
        ));
    }
    figures
}
