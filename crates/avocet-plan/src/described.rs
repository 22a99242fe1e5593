//! What was described of the large 2023 system, claim by claim, beside what the arithmetic says.
//!
//! The description is a published leak, unconfirmed. Nothing of the column `recomputed` is written
//! down: each is computed from the shape, and carries its figures for `--explain`.

pub use crate::claim::{BATCH, Claim, LAYOUT, SEQUENCE, SERVING, TOKENS, WORK};
use crate::claim::{claim, verdict};
use crate::count::{Count, score_flops};
use crate::error::Result;
use crate::figure::Figure;
use crate::gpu::Gpu;
use crate::model::{Attention, ModelShape};
use avocet_report::numbers::{digits, dollars, percent, short, thousands};

/// Parts of the description without any figure that arithmetic could check.
pub const WITHOUT_FIGURE: &str = "a deliberately simple router; half web crawl, half refined web; instruction data; textbooks; \
joint data of pictures and text; memorisation";

/// Claims about size and work.
pub fn size_claims(model: &ModelShape) -> Vec<Claim> {
    let count = Count::of(model);
    let (total, active) = (count.total() as f64, count.active as f64);
    let mut claims = vec![parameters(model, &count), attention(model, &count)];
    let token = Figure::new(
        "work of a token",
        "FLOP",
        "2 * active",
        &[("active", active)],
    );
    let dense = Figure::new(
        "work of a token if dense",
        "FLOP",
        "2 * total",
        &[("total", total)],
    );
    let off = 560e12 / token.value;
    claims.push(claim(
        "work of a token",
        "560 TFLOP; 3,700 if dense",
        format!(
            "{} GFLOP; {}",
            digits((token.value / 1e9).round()),
            digits((dense.value / 1e9).round())
        ),
        if off > 900.0 {
            "no: unit off by 1,000".into()
        } else {
            verdict(560e12, token.value, 0.05)
        },
        "the digits agree; what is meant is GFLOP",
        vec![token, dense],
    ));
    let heads = model.attention.num_heads() as f64;
    let kv = Figure::new(
        "keys and values of a token",
        "bytes",
        "2 * layers * kv_heads * head_dim * bytes",
        &[
            ("layers", model.num_layers as f64),
            ("kv_heads", model.attention.num_kv_heads() as f64),
            ("head_dim", model.attention.query_width() as f64 / heads),
            ("bytes", 2.0),
        ],
    );
    let full = Figure::new(
        "the same with a key/value head for each query head",
        "bytes",
        "kv * heads / kv_heads",
        &[
            ("kv", kv.value),
            ("heads", heads),
            ("kv_heads", model.attention.num_kv_heads() as f64),
        ],
    );
    claims.push(claim(
        "multi-query attention",
        "one key/value head: a small cache",
        format!(
            "{}B a token; {}B with {} heads",
            short(kv.value),
            short(full.value),
            heads
        ),
        "yes",
        "",
        vec![kv, full],
    ));
    let at = |tokens: f64| {
        Figure::new(
            "work of attention scores over that of the weights",
            "",
            "scores / (2 * active)",
            &[("scores", score_flops(model, tokens)), ("active", active)],
        )
    };
    let (short_text, long_text) = (at(8192.0), at(32_768.0));
    claims.push(claim(
        "context",
        "8k, then 32k by fine-tuning",
        format!(
            "scores add {} at 8k, {} at 32k",
            percent(short_text.value),
            percent(long_text.value)
        ),
        "plausible",
        "at 32k from the start, training would have cost a fifth more",
        vec![short_text, long_text],
    ));
    claims
}

fn parameters(model: &ModelShape, count: &Count) -> Claim {
    let mixture = model.mixture.unwrap_or(crate::model::Mixture {
        num_experts: 0,
        top_k: 0,
        expert: crate::model::FeedForward {
            width: 0,
            matrices: 0,
        },
        shared_width: 0,
        shared_gate: 0,
        groups: None,
    });
    let (d, layers) = (model.dim as f64, model.num_layers as f64);
    let expert = Figure::new(
        "one expert",
        "parameters",
        "layers * matrices * dim * width",
        &[
            ("layers", model.num_mixture_layers() as f64),
            ("matrices", mixture.expert.matrices as f64),
            ("dim", d),
            ("width", mixture.expert.width as f64),
        ],
    );
    let experts = mixture.num_experts as f64;
    let rest = (count.total() - count.experts) as f64;
    let total = Figure::new(
        "parameters",
        "parameters",
        "experts * expert + rest",
        &[
            ("experts", experts),
            ("expert", expert.value),
            ("rest", rest),
        ],
    );
    let active = Figure::new(
        "active parameters",
        "parameters",
        "top_k * expert + rest",
        &[
            ("top_k", mixture.top_k as f64),
            ("expert", expert.value),
            ("rest", rest),
        ],
    );
    claim(
        "parameters",
        "~1.8 T; 120 layers; 16 experts of ~111 B, 2 a token; 280 B active",
        format!(
            "{}; {layers} layers; {experts} x {}; {} active",
            short(total.value),
            short(expert.value),
            short(active.value)
        ),
        verdict(1.8e12, total.value, 0.05),
        "",
        vec![expert, total, active],
    )
}

fn attention(model: &ModelShape, count: &Count) -> Claim {
    let (heads, head) = match model.attention {
        Attention::Heads {
            num_heads,
            head_dim,
            ..
        } => (num_heads as f64, head_dim as f64),
        Attention::Latent {
            num_heads,
            value_dim,
            ..
        } => (num_heads as f64, value_dim as f64),
    };
    let formula = "2 * layers * dim * (heads + kv_heads) * head_dim";
    let with = |name, heads: f64| {
        Figure::new(
            name,
            "parameters",
            formula,
            &[
                ("layers", model.num_layers as f64),
                ("dim", model.dim as f64),
                ("heads", heads),
                ("kv_heads", model.attention.num_kv_heads() as f64),
                ("head_dim", head),
            ],
        )
    };
    let ours = with("attention", heads);
    let plain = with(
        "attention with queries as wide as the model",
        model.dim as f64 / head,
    );
    let active = Figure::new(
        "active parameters with queries as wide as the model",
        "parameters",
        "active - attention + plain",
        &[
            ("active", count.active as f64),
            ("attention", ours.value),
            ("plain", plain.value),
        ],
    );
    claim(
        "attention",
        "~55 B shared",
        format!(
            "{}; {} with queries as wide as the model",
            short(ours.value),
            short(plain.value)
        ),
        format!("{}, if so", verdict(55e9, ours.value, 0.05)),
        format!(
            "with one key/value head and plain queries attention has {} and {} are active, so 55 B is a multi-head count unless queries are twice as wide",
            short(plain.value),
            short(active.value)
        ),
        vec![ours, plain, active],
    )
}

/// Claims about training.
///
/// Errors only if a GPU of the description is not known.
pub fn training_claims(model: &ModelShape) -> Result<Vec<Claim>> {
    let count = Count::of(model);
    let active = count.active as f64;
    let (a100, h100) = (Gpu::named("a100-80")?, Gpu::named("h100")?);
    let (tensor, pipeline, data) = LAYOUT;
    let work = Figure::new(
        "training work",
        "FLOP",
        "6 * active * tokens",
        &[("active", active), ("tokens", TOKENS)],
    );
    let scores = |name, width: f64| {
        Figure::new(
            name,
            "",
            "4 * layers * width * (sequence + 1) / 2 / (2 * active)",
            &[
                ("layers", model.num_layers as f64),
                ("width", width),
                ("sequence", SEQUENCE as f64),
                ("active", active),
            ],
        )
    };
    let less = scores(
        "more for scores, queries as wide as the model",
        model.dim as f64,
    );
    let more = scores("more for scores", model.attention.query_width() as f64);
    let mut claims = vec![claim(
        "training work",
        "2.15e25 FLOP",
        format!(
            "{} and {} to {} more for attention scores at 8k",
            digits(work.value),
            percent(less.value),
            percent(more.value)
        ),
        verdict(WORK, work.value, 0.05),
        "",
        vec![work, less, more],
    )];
    let mfu = |days: f64, gpus: f64, peak: f64| {
        Figure::new(
            "utilisation at the described work",
            "",
            "work / (gpus * peak * days * 86400)",
            &[
                ("work", WORK),
                ("gpus", gpus),
                ("peak", peak),
                ("days", days),
            ],
        )
    };
    let (fast, slow) = (
        mfu(90.0, 25_000.0, a100.peak),
        mfu(100.0, 25_000.0, a100.peak),
    );
    claims.push(claim(
        "utilisation",
        "32-36 % on ~25,000 A100 in 90-100 days",
        format!(
            "{} in 90 days, {} in 100",
            percent(fast.value),
            percent(slow.value)
        ),
        if (0.315..0.365).contains(&slow.value) && (0.315..0.365).contains(&fast.value) {
            "yes"
        } else {
            "no"
        },
        "",
        vec![fast, slow],
    ));
    let cost = |days: f64, gpus: f64, price: f64| {
        Figure::new(
            "cost",
            "$",
            "gpus * days * 24 * price",
            &[("gpus", gpus), ("days", days), ("price", price)],
        )
    };
    let (least, most) = (cost(90.0, 25_000.0, 1.0), cost(100.0, 25_000.0, 1.0));
    let days = Figure::new(
        "days for $63 M",
        "days",
        "dollars / (gpus * 24 * price)",
        &[("dollars", 63e6), ("gpus", 25_000.0), ("price", 1.0)],
    );
    claims.push(claim(
        "cost",
        "$63 M at $1 a GPU-hour",
        format!(
            "{} to {} for 90-100 days",
            dollars(least.value),
            dollars(most.value)
        ),
        format!(
            "no: {:.0}-{:.0} % high",
            100.0 * (63e6 / most.value - 1.0),
            100.0 * (63e6 / least.value - 1.0)
        ),
        format!("$63 M needs {} days", digits(days.value)),
        vec![least, most, days],
    ));
    let gpus = Figure::new(
        "GPUs",
        "",
        "tensor * pipeline * data",
        &[
            ("tensor", tensor as f64),
            ("pipeline", pipeline as f64),
            ("data", data as f64),
        ],
    );
    claims.push(claim(
        "parallelism",
        "8-way tensor, 15-way pipeline; ~25,000 GPUs",
        format!("{tensor} x {pipeline} x {data} = {}", thousands(gpus.value)),
        verdict(25_000.0, gpus.value, 0.01),
        "8 is as far as NVLink reaches in a node",
        vec![gpus],
    ));
    let today = cost(55.0, 8192.0, 2.0);
    let needed = mfu(55.0, 8192.0, h100.peak);
    claims.push(claim(
        "today",
        "8,192 H100, ~55 days, $21.5 M at $2",
        format!(
            "{}, at {} utilisation",
            dollars(today.value),
            percent(needed.value)
        ),
        "only so",
        "the best bf16 runs published reach about 43 % on H100 (arXiv:2407.21783)",
        vec![today, needed],
    ));
    claims.extend(crate::described_data::batch_claims(model));
    let held = crate::memory::held(model, &described_layout(), 0);
    let parameters = Figure::new(
        "parameters of a GPU",
        "parameters",
        "total / (tensor * pipeline)",
        &[
            ("total", count.total() as f64),
            ("tensor", tensor as f64),
            ("pipeline", pipeline as f64),
        ],
    );
    let weights = Figure::new(
        "weights of a GPU",
        "bytes",
        "2 * parameters",
        &[("parameters", parameters.value)],
    );
    claims.push(claim(
        "weights of a GPU",
        "cut 8 x 15 ways",
        format!("{} parameters, {} GB in fp16", short(parameters.value), digits(weights.value / 1e9)),
        if weights.value < a100.memory { "yes: fits" } else { "no" },
        format!(
            "the first stage, with the embedding and each GPU's copy of the one key/value head, holds {}",
            short(held.shared + held.experts)
        ),
        vec![parameters, weights],
    ));
    Ok(claims)
}

/// The described layout of training, as far as it is described.
pub(crate) fn described_layout() -> crate::layout::Layout {
    crate::layout::Layout {
        tensor: LAYOUT.0,
        pipeline: LAYOUT.1,
        data: LAYOUT.2,
        expert: 1,
        chunks: 1,
        micro_batch: 1,
        sharding: crate::layout::Sharding::Zero1,
        recompute: crate::layout::Recompute::Full,
        sequence_parallel: true,
    }
}
