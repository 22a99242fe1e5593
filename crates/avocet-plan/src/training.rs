//! A whole training run: days, money, the ramp of the batch, failures.

use serde::Serialize;

use crate::error::{Result, positive, refuse};
use crate::failures::{Failures, Goodput};
use crate::layer::Workload;
use crate::layout::{Cluster, Layout};
use crate::model::ModelShape;
use crate::step::{Step, step};

/// A training run.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Run {
    /// The layout.
    pub layout: Layout,
    /// A step at the full batch.
    pub step: Step,
    /// The ramp to it.
    pub ramp: Ramp,
    /// Steps, those of the ramp included.
    pub steps: u64,
    /// Days if nothing failed.
    pub days_without_failures: f64,
    /// Useful share of the time.
    pub goodput: Goodput,
    /// Days.
    pub days: f64,
    /// Model FLOP over what all GPUs of the cluster could do in that time.
    pub mfu: f64,
    /// Dollars, if a price is known: every GPU of the cluster, every hour.
    pub dollars: Option<f64>,
}

/// How the batch grows.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct RampPlan {
    /// Tokens of the first batch.
    pub from: f64,
    /// Tokens over which it grows, evenly, to the full batch; 0 for none.
    pub over: f64,
}

/// What a ramp takes.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct Ramp {
    /// Steps until the batch is full.
    pub steps: u64,
    /// Days until then.
    pub days: f64,
    /// Days that full batches would have taken for as many tokens.
    pub days_at_full_batch: f64,
    /// Tokens of the first and the full batch, as they divide into micro-batches.
    pub batch: (f64, f64),
    /// Tokens that each expert of a layer gets of these.
    pub an_expert: Option<(f64, f64)>,
}

/// Parts that a ramp is cut into.
const RAMP_PARTS: u32 = 16;

/// Plans a run of `tokens` tokens in batches of `batch` tokens.
///
/// Errors if a number is out of range or the layout cannot be.
pub fn run(
    model: &ModelShape,
    cluster: &Cluster,
    layout: &Layout,
    work: &Workload,
    tokens: f64,
    batch: f64,
    ramp: &RampPlan,
    failures: &Failures,
) -> Result<Run> {
    positive("tokens", tokens)?;
    positive("batch", batch)?;
    let sequences = |batch: f64| (batch / work.tokens as f64).round() as u64;
    let full = step(model, cluster, layout, work, sequences(batch))?;
    let ramp = ramped(model, cluster, layout, work, batch, ramp, &full)?;
    let full_tokens = (full.sequences * work.tokens) as f64;
    let ramp_tokens = ramp.days_at_full_batch * 86_400.0 / full.seconds * full_tokens;
    let left = (tokens - ramp_tokens).max(0.0);
    let days_without_failures = ramp.days + left / full_tokens * full.seconds / 86_400.0;
    let goodput = failures.goodput();
    if goodput.share <= 0.0 {
        let reason = format!(
            "a failure every {:.0} s leaves no time for a restart of {:.0} s",
            failures.between_s, failures.restart_s
        );
        return refuse("mtbf", reason);
    }
    let days = days_without_failures / goodput.share;
    let useful = full.mfu * (layout.gpus() as f64 / cluster.count as f64);
    let at_full = tokens / full_tokens * full.seconds / 86_400.0;
    Ok(Run {
        steps: ramp.steps + (left / full_tokens).ceil() as u64,
        days_without_failures,
        days,
        mfu: useful * at_full / days,
        dollars: cluster
            .price
            .map(|price| price * days * 24.0 * cluster.count as f64),
        goodput,
        layout: layout.clone(),
        step: full,
        ramp,
    })
}

fn ramped(
    model: &ModelShape,
    cluster: &Cluster,
    layout: &Layout,
    work: &Workload,
    batch: f64,
    plan: &RampPlan,
    full: &Step,
) -> Result<Ramp> {
    let full_tokens = (full.sequences * work.tokens) as f64;
    let expert = |batch: f64| {
        let mixture = model.mixture.as_ref()?;
        Some(batch * mixture.top_k as f64 / mixture.num_experts as f64)
    };
    let pair = |first: f64| Some((expert(first)?, expert(full_tokens)?));
    if plan.over <= 0.0 {
        return Ok(Ramp {
            batch: (full_tokens, full_tokens),
            an_expert: pair(full_tokens),
            ..Ramp::default()
        });
    }
    positive("ramp-from", plan.from)?;
    if plan.from > batch {
        let reason = format!("is {} tokens, above the full batch of {batch}", plan.from);
        return refuse("ramp-from", reason);
    }
    // The first batches may be too small for every replica: a replica takes one micro-batch then.
    let least = layout.data
        * layout.micro_batch
        * if layout.chunks > 1 {
            layout.pipeline
        } else {
            1
        };
    let at = |batch: f64| {
        let sequences = ((batch / work.tokens as f64).round() as u64).max(least);
        step(model, cluster, layout, work, sequences)
    };
    let part = plan.over / f64::from(RAMP_PARTS);
    let (mut steps, mut seconds, mut done) = (0.0, 0.0, 0.0);
    let mut first = full_tokens;
    for index in 0..RAMP_PARTS {
        let share = (f64::from(index) + 0.5) / f64::from(RAMP_PARTS);
        let step = at(plan.from + share * (batch - plan.from))?;
        let tokens = (step.sequences * work.tokens) as f64;
        if index == 0 {
            first = (at(plan.from)?.sequences * work.tokens) as f64;
        }
        let count = (part / tokens).ceil();
        steps += count;
        seconds += count * step.seconds;
        done += count * tokens;
    }
    Ok(Ramp {
        steps: steps as u64,
        days: seconds / 86_400.0,
        days_at_full_batch: done / full_tokens * full.seconds / 86_400.0,
        batch: (first, full_tokens),
        an_expert: pair(first),
    })
}
