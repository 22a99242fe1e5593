//! What was described of serving the large 2023 system, and of its failures, beside the planner's own
//! figures.

use crate::claim::{BATCH, Claim, SEQUENCE, SERVING, TOKENS, claim};
use crate::count::Count;
use crate::described::described_layout;
use crate::error::Result;
use crate::failures::{CHECKPOINT_S, Failures, GPU_HOURS_A_FAILURE, RESTART_S};
use crate::figure::Figure;
use crate::gpu::Gpu;
use crate::layer::Workload;
use crate::layout::{Cluster, Layout};
use crate::model::ModelShape;
use crate::serve_layout::{ServeLayout, uneven_stages};
use crate::serving::{decode, serve_memory};
use crate::serving_layer::experts_touched;
use crate::speculation::{Draft, speculate};
use crate::training::{RampPlan, TrainingTask, run};
use avocet_report::numbers::{digits, dollars, percent, thousands};

/// Claims about training that the planner's own model of time and memory answers.
///
/// Errors if the described layout cannot be for this model.
pub fn planned_claims(model: &ModelShape) -> Result<Vec<Claim>> {
    let cluster = Cluster::new(Gpu::named("a100-80")?, 25_000)?;
    let failures = Failures::of(cluster.count, GPU_HOURS_A_FAILURE, CHECKPOINT_S, RESTART_S)?;
    let mut task = TrainingTask::new(TOKENS, BATCH, Workload::modern(SEQUENCE));
    task.ramp = RampPlan {
        from: BATCH / 16.0,
        over: 1e12,
    };
    let layout = Layout {
        chunks: 4,
        ..described_layout()
    };
    let run = run(model, &cluster, &layout, &task, &failures)?;
    let memory = &run.step.memory;
    let fits = Figure::new(
        "memory of the fullest GPU",
        "bytes",
        "weights + gradients + optimizer + activations + working + reserved",
        &[
            ("weights", memory.weights),
            ("gradients", memory.gradients),
            ("optimizer", memory.optimizer),
            ("activations", memory.activations),
            ("working", memory.working),
            ("reserved", crate::memory::RESERVED),
        ],
    );
    let between = Figure::new(
        "time between failures",
        "h",
        "gpu_hours / gpus",
        &[
            ("gpu_hours", GPU_HOURS_A_FAILURE),
            ("gpus", cluster.count as f64),
        ],
    );
    let interval = run.goodput.interval_s;
    let useful = Figure::new(
        "useful share of the time",
        "",
        "interval / (between * exp(restart / between) * (exp((interval + checkpoint) / between) - 1))",
        &[
            ("interval", interval),
            ("between", failures.between_s),
            ("restart", RESTART_S),
            ("checkpoint", CHECKPOINT_S),
        ],
    );
    let mfu = Figure::new(
        "utilisation, failures and ramp counted",
        "",
        "step_mfu * useful * ramp * busy",
        &[
            ("step_mfu", run.step.mfu),
            ("useful", run.goodput.share),
            (
                "ramp",
                run.mfu
                    / (run.step.mfu * run.goodput.share * layout.gpus() as f64
                        / cluster.count as f64),
            ),
            ("busy", layout.gpus() as f64 / cluster.count as f64),
        ],
    );
    Ok(vec![
        claim(
            "optimizer",
            "ZeRO-1, perhaps block-level FSDP",
            format!(
                "{} GB of {} with ZeRO-1 and full recomputation",
                digits(fits.value / 1e9),
                digits(cluster.gpu.memory / 1e9)
            ),
            if fits.value <= cluster.gpu.memory {
                "yes: fits"
            } else {
                "no"
            },
            "gradients in 16 bits; without ZeRO-1 the optimizer alone would need twice the GPU",
            vec![fits],
        ),
        claim(
            "batch ramp",
            "over days to 60 M tokens",
            format!(
                "{} days for the first 1 T tokens from {} M on",
                digits(run.ramp.days),
                digits(run.ramp.batch.0 / 1e6)
            ),
            "yes",
            format!(
                "full batches would have taken {} days",
                digits(run.ramp.days_at_full_batch)
            ),
            vec![Figure::new(
                "days of the ramp beyond full batches",
                "days",
                "ramp - full",
                &[
                    ("ramp", run.ramp.days),
                    ("full", run.ramp.days_at_full_batch),
                ],
            )],
        ),
        claim(
            "failures",
            "many; part of the low utilisation",
            format!(
                "one every {} h; {} of the time is useful",
                digits(between.value),
                percent(useful.value)
            ),
            "yes",
            format!(
                "at the rate of Llama 3's cluster. The planner's step has {} utilisation, failures and ramp leave {}",
                percent(run.step.mfu),
                percent(mfu.value)
            ),
            vec![between, useful, mfu],
        ),
    ])
}

/// Claims about serving.
///
/// Errors if the described layout cannot be for this model.
pub fn serving_claims(model: &ModelShape) -> Result<Vec<Claim>> {
    let (a100, h100) = (Gpu::named("a100-80")?, Gpu::named("h100")?);
    let count = Count::of(model);
    let active = count.active as f64;
    let (tensor, pipeline) = SERVING;
    let layout = ServeLayout::group(model, tensor, pipeline)?;
    let a_stage = Figure::new(
        "layers of a stage",
        "",
        "layers / pipeline",
        &[
            ("layers", model.num_layers as f64),
            ("pipeline", pipeline as f64),
        ],
    );
    let stages = uneven_stages(model, pipeline)?;
    let shorter = stages.iter().filter(|layers| **layers == stages[0]).count();
    let mut claims = vec![claim(
        "cluster",
        "128 GPUs: 8 x 16, fewer layers on the first node",
        format!(
            "{} layers a stage: {shorter} of {}, then {} of {}; or 15 of 8",
            digits(a_stage.value),
            stages[0],
            stages.len() - shorter,
            stages[stages.len() - 1]
        ),
        "yes, uneven",
        "",
        vec![a_stage],
    )];
    for (described, part, gpu, price) in [
        ("0.0049 cents per 1k tokens on 128 A100", 0.0049, &a100, 1.0),
        ("0.0021 cents per 1k tokens on 128 H100", 0.0021, &h100, 2.0),
    ] {
        claims.push(cost_claim(described, part, gpu, price, active));
    }
    claims.extend(batching_claims(model, &layout, &a100)?);
    Ok(claims)
}

fn cost_claim(described: &'static str, part: f64, gpu: &Gpu, price: f64, active: f64) -> Claim {
    let rate = |name, thousand: f64| {
        Figure::new(
            name,
            "tokens/s",
            "gpus * price / 3600 / dollars * 1000",
            &[("gpus", 128.0), ("price", price), ("dollars", thousand)],
        )
    };
    let share = |name, tokens: f64| {
        Figure::new(
            name,
            "",
            "2 * active * tokens / (gpus * peak)",
            &[
                ("active", active),
                ("tokens", tokens),
                ("gpus", 128.0),
                ("peak", gpu.peak),
            ],
        )
    };
    let tokens = rate("tokens a second if dollars", part);
    let busy = share("share of peak if dollars", tokens.value);
    let cents = rate("tokens a second if cents", part / 100.0);
    let over = share("share of peak if cents", cents.value);
    claim(
        "cost",
        described,
        format!(
            "in dollars {} tokens/s, {} of peak",
            thousands(tokens.value),
            percent(busy.value)
        ),
        "no: dollars",
        format!(
            "at ${price} a GPU-hour; in cents it would be {:.0} times peak",
            over.value
        ),
        vec![tokens, busy, cents, over],
    )
}

fn batching_claims(model: &ModelShape, layout: &ServeLayout, gpu: &Gpu) -> Result<Vec<Claim>> {
    let mut claims = Vec::new();
    let context = SEQUENCE as f64 / 2.0;
    let memory = serve_memory(gpu, model, layout, SEQUENCE as f64)?;
    let fit = Figure::new(
        "requests of 8k that fit",
        "",
        "floor((memory - reserved - weights) / kv)",
        &[
            ("memory", gpu.memory),
            ("reserved", crate::memory::RESERVED),
            ("weights", memory.weights),
            ("kv", memory.kv_a_request),
        ],
    );
    let (few, many) = (
        decode(gpu, model, layout, 16.0, context, 1.0),
        decode(gpu, model, layout, 4096.0, context, 1.0),
    );
    let price = |tokens: f64| {
        Figure::new(
            "cost of 1k tokens on 128 A100 at $1",
            "$",
            "gpus * price / 3600 / tokens * 1000",
            &[("gpus", 128.0), ("price", 1.0), ("tokens", tokens)],
        )
    };
    let (dear, cheap) = (price(few.tokens_per_s), price(many.tokens_per_s));
    claims.push(claim(
        "batching",
        "continuous, variable batches keep latency bounded",
        format!(
            "16 requests: {:.0} ms a token, {} per 1k; 4,096: {:.0} ms, {}",
            1e3 * few.token_s,
            dollars(dear.value),
            1e3 * many.token_s,
            dollars(cheap.value)
        ),
        "yes",
        format!(
            "{} requests of 8k fit, their keys and values shared out by request",
            thousands(fit.value)
        ),
        vec![fit, dear, cheap],
    ));
    if let Some(mixture) = &model.mixture {
        let touched = |tokens: f64| {
            Figure::new(
                "experts touched in a layer",
                "",
                "experts * (1 - (1 - top_k / experts) ^ tokens)",
                &[
                    ("experts", mixture.num_experts as f64),
                    ("top_k", mixture.top_k as f64),
                    ("tokens", tokens),
                ],
            )
        };
        let (one, eight, many) = (touched(1.0), touched(8.0), touched(64.0));
        debug_assert_eq!(one.value, experts_touched(mixture, 1.0));
        claims.push(claim(
            "experts at inference",
            "some idle while others are used; that hurts",
            format!(
                "1, 8, 64 tokens touch {}, {}, {} of {}",
                digits(one.value),
                digits(eight.value),
                digits(many.value),
                mixture.num_experts
            ),
            "yes",
            "weights are read for as many experts, so small batches pay for a mixture",
            vec![one, eight, many],
        ));
    }
    let draft = Draft {
        tokens: 3,
        acceptance: 0.7,
        cost: 0.02,
    };
    let small = speculate(gpu, model, layout, 16.0, context, &draft)?;
    let large = speculate(gpu, model, layout, 4096.0, context, &draft)?;
    let made = Figure::new(
        "tokens of a step with drafts",
        "",
        "(1 - acceptance ^ (drafts + 1)) / (1 - acceptance)",
        &[("acceptance", draft.acceptance), ("drafts", 3.0)],
    );
    claims.push(claim(
        "speculation",
        "a small model drafts, the large one checks in one batch",
        format!(
            "3 drafts: {:.2} x at 16 requests, {:.2} x at 4,096 ({:.2} x if no more experts were touched)",
            small.gain, large.gain, small.gain_same_experts
        ),
        "plausible",
        format!(
            "70 % accepted, a draft costing 2 % of a step; checking touches {:.1} instead of {:.1} experts",
            small.touched.1, small.touched.0
        ),
        vec![made],
    ));
    Ok(claims)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::described::{size_claims, training_claims};
    use crate::known;

    #[test]
    fn the_described_shape_is_counted_to_the_last_parameter() {
        let count = Count::of(&known::described());
        assert_eq!(count.total(), 1_833_700_624_896);
        assert_eq!(count.active, 279_962_651_136);
    }

    #[test]
    fn every_claim_is_recomputed_and_the_wrong_ones_are_found_wrong() -> Result<()> {
        let model = known::described();
        let claims = [
            size_claims(&model),
            training_claims(&model)?,
            planned_claims(&model)?,
            serving_claims(&model)?,
        ]
        .concat();
        let says = |part: &str, agrees: &str| {
            let found = claims.iter().filter(|claim| claim.part == part);
            let verdicts: Vec<&str> = found.map(|claim| claim.agrees.as_str()).collect();
            assert!(
                !verdicts.is_empty() && verdicts.iter().all(|verdict| verdict.contains(agrees)),
                "{part}: {verdicts:?}"
            );
        };
        for part in [
            "parameters",
            "attention",
            "training work",
            "utilisation",
            "parallelism",
            "batch",
            "weights of a GPU",
            "cluster",
        ] {
            says(part, "yes");
        }
        says("work of a token", "unit off by 1,000");
        says("today", "only so");
        says("data, in words", "no: tokens");
        let costs: Vec<&str> = claims
            .iter()
            .filter(|c| c.part == "cost")
            .map(|c| c.agrees.as_str())
            .collect();
        assert_eq!(costs, ["no: 5-17 % high", "no: dollars", "no: dollars"]);
        for claim in &claims {
            assert!(!claim.figures.is_empty(), "{}: no formula", claim.part);
            assert!(
                claim.figures.iter().all(|figure| figure.value.is_finite()),
                "{claim:?}"
            );
        }
        Ok(())
    }

    #[test]
    fn another_shape_gets_other_numbers() -> Result<()> {
        let mut model = known::described();
        model.num_layers = 60;
        let claims = size_claims(&model);
        assert!(claims[0].agrees.starts_with("no"), "{:?}", claims[0]);
        assert!(claims[0].recomputed.contains("60 layers"));
        Ok(())
    }
}
