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
use crate::model::{Attention, Mixture, ModelShape};
use crate::serving_layer::{decode_layer, prefill_layer};

/// Where keys and values of a group's requests lie.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum KvSplit {
    /// Every GPU of the tensor group holds its own heads.
    Heads,
    /// Every GPU holds all of them, as the one head of multi-query attention cannot be cut.
    Replicated,
    /// Every GPU holds those of its share of the requests (arXiv:2211.05102, section 3.3).
    Batch,
}

/// How a model is spread for serving.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ServeLayout {
    /// GPUs that share each matrix.
    pub tensor: u64,
    /// Layers of each stage, from the first.
    pub stages: Vec<u64>,
    /// GPUs that share the experts, each with requests of its own; 1 for a tensor x pipeline group.
    pub expert: u64,
    /// Where keys and values lie.
    pub kv: KvSplit,
    /// Bytes of a weight.
    pub weight_bytes: f64,
    /// Bytes of a number of keys and values.
    pub kv_bytes: f64,
    /// Whether two half batches take turns, so that one computes while the other's tokens travel.
    pub overlap: bool,
}

impl ServeLayout {
    /// A group of `tensor` x `pipeline` GPUs, 16-bit weights and keys.
    ///
    /// Errors if the group cannot be: more stages than layers, heads that do not divide.
    pub fn group(model: &ModelShape, tensor: u64, pipeline: u64) -> Result<Self> {
        let heads = model.attention.num_heads();
        if tensor == 0 || !heads.is_multiple_of(tensor) {
            let reason = format!("{tensor} does not divide the {heads} heads");
            return refuse("tensor", reason);
        }
        let kv_heads = model.attention.num_kv_heads();
        Ok(Self {
            tensor,
            stages: uneven_stages(model, pipeline)?,
            expert: 1,
            kv: if kv_heads.is_multiple_of(tensor) {
                KvSplit::Heads
            } else {
                KvSplit::Batch
            },
            weight_bytes: 2.0,
            kv_bytes: 2.0,
            overlap: false,
        })
    }

    /// An expert-parallel group of `expert` GPUs with 8-bit weights, as DeepSeek-V3 is served.
    ///
    /// Errors if the model has no mixture, or fewer experts than GPUs.
    pub fn experts(model: &ModelShape, expert: u64) -> Result<Self> {
        match &model.mixture {
            None => refuse("expert", "the model has no experts"),
            Some(mixture) if expert == 0 || expert > mixture.num_experts => {
                let reason = format!("{expert} GPUs for {} experts", mixture.num_experts);
                refuse("expert", reason)
            }
            Some(_) => Ok(Self {
                tensor: 1,
                stages: vec![model.num_layers],
                expert,
                kv: KvSplit::Heads,
                weight_bytes: 1.0,
                kv_bytes: 2.0,
                overlap: true,
            }),
        }
    }

    /// GPUs of the group.
    pub fn gpus(&self) -> u64 {
        self.tensor * self.stages.len() as u64 * self.expert
    }
}

/// Layers of `pipeline` stages, the first ones the shorter: the first also embeds.
///
/// Errors if there are more stages than layers.
pub(crate) fn uneven_stages(model: &ModelShape, pipeline: u64) -> Result<Vec<u64>> {
    let layers = model.num_layers;
    if pipeline == 0 || pipeline > layers {
        let reason = format!("{pipeline} stages, but the model has {layers} layers");
        return refuse("pipeline", reason);
    }
    let longer = layers % pipeline;
    let of = |stage| layers / pipeline + u64::from(stage >= pipeline - longer);
    Ok((0..pipeline).map(of).collect())
}

/// Experts of a layer that a batch of `tokens` touches, on average, when each token visits `top_k` of
/// them by even chance: E (1 - (1 - k / E)^B).
pub(crate) fn experts_touched(mixture: &Mixture, tokens: f64) -> f64 {
    let experts = mixture.num_experts as f64;
    let missed = 1.0 - mixture.top_k as f64 / experts;
    experts * (1.0 - missed.powf(tokens))
}

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

/// Multiply-adds of one query with one remembered token while decoding: a latent vector is attended
/// to as it is (arXiv:2405.04434, section 2.1.2).
pub(crate) fn decode_score_work(attention: &Attention) -> f64 {
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
