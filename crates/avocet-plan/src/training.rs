//! A whole training run: days, money, the ramp of the batch, failures.

use serde::Serialize;

use crate::error::{Result, positive, refuse};
use crate::failures::{CHECKPOINT_S, Failures, GPU_HOURS_A_FAILURE, Goodput, RESTART_S};
use crate::figure::Figure;
use crate::layer::Workload;
use crate::layout::{Cluster, Layout};
use crate::model::ModelShape;
use crate::step::{Step, step};

/// What is to be trained, whatever it is trained on.
#[derive(Debug, Clone, PartialEq)]
pub struct TrainingTask {
    /// Tokens of the run.
    pub tokens: f64,
    /// Tokens of a batch.
    pub batch: f64,
    /// The ramp.
    pub ramp: RampPlan,
    /// GPU-hours between failures.
    pub gpu_hours: f64,
    /// Seconds of a checkpoint and of a restart.
    pub pauses_s: (f64, f64),
    /// How layers are computed.
    pub work: Workload,
}

impl TrainingTask {
    /// A run without a ramp, failing as Llama 3's cluster did.
    pub fn new(tokens: f64, batch: f64, work: Workload) -> Self {
        Self {
            tokens,
            batch,
            ramp: RampPlan {
                from: batch,
                over: 0.0,
            },
            gpu_hours: GPU_HOURS_A_FAILURE,
            pauses_s: (CHECKPOINT_S, RESTART_S),
            work,
        }
    }

    /// Sequences of a batch.
    pub fn sequences(&self) -> u64 {
        ((self.batch / self.work.tokens as f64).round() as u64).max(1)
    }
}

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

/// Plans a run.
///
/// Errors if a number is out of range or the layout cannot be.
pub fn run(
    model: &ModelShape,
    cluster: &Cluster,
    layout: &Layout,
    task: &TrainingTask,
    failures: &Failures,
) -> Result<Run> {
    let (tokens, work) = (task.tokens, &task.work);
    positive("tokens", tokens)?;
    positive("batch", task.batch)?;
    let full = step(model, cluster, layout, work, task.sequences())?;
    let ramp = ramped(model, cluster, layout, task, &full)?;
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
    task: &TrainingTask,
    full: &Step,
) -> Result<Ramp> {
    let (work, plan, batch) = (&task.work, &task.ramp, task.batch);
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
    // The first batches may be too small for every replica, which takes one micro-batch then, or for
    // chunks, which need as many micro-batches as there are stages.
    let share = layout.data * layout.micro_batch;
    let whole = Layout {
        chunks: 1,
        ..layout.clone()
    };
    let at = |batch: f64| {
        let sequences = ((batch / work.tokens as f64).round() as u64).max(share);
        let few = layout.chunks > 1 && (sequences + share / 2) / share < layout.pipeline;
        let layout = if few { &whole } else { layout };
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

/// The figures of a run with their formulas.
pub fn run_figures(
    model: &ModelShape,
    cluster: &Cluster,
    task: &TrainingTask,
    failures: &Failures,
    plan: &Run,
) -> Vec<Figure> {
    let step = &plan.step;
    let memory = &step.memory;
    let tokens = (step.sequences * task.work.tokens) as f64;
    let work = crate::count::training_flops(model, task.work.tokens as f64, false);
    let gpus = cluster.count as f64;
    let mut figures = vec![
        Figure::new(
            "model FLOP of a step",
            "FLOP",
            "3 * (2 * weights + scores) * tokens",
            &[
                ("weights", crate::count::matrix_work(model)),
                (
                    "scores",
                    work / 3.0 - 2.0 * crate::count::matrix_work(model),
                ),
                ("tokens", tokens),
            ],
        ),
        Figure::new(
            "step",
            "s",
            "products + attention + elementwise + tensor + experts + ends + between + bubble + data + optimizer",
            &[
                ("products", step.busy.products),
                ("attention", step.busy.attention),
                ("elementwise", step.busy.elementwise),
                ("tensor", step.busy.tensor),
                ("experts", step.busy.expert),
                ("ends", step.ends_s),
                ("between", step.between_stages_s),
                ("bubble", step.bubble_s),
                ("data", step.data_s),
                ("optimizer", step.optimizer_s),
            ],
        ),
        Figure::new(
            "model FLOP utilisation of a step",
            "",
            "flop / (seconds * gpus * peak)",
            &[
                (
                    "flop",
                    step.mfu * step.seconds * plan.layout.gpus() as f64 * cluster.gpu.peak,
                ),
                ("seconds", step.seconds),
                ("gpus", plan.layout.gpus() as f64),
                ("peak", cluster.gpu.peak),
            ],
        ),
        Figure::new(
            "memory of the fullest GPU",
            "bytes",
            "2 * kept + gradients + optimizer + activations + working + reserved",
            &[
                ("kept", memory.weights / 2.0),
                ("gradients", memory.gradients),
                ("optimizer", memory.optimizer),
                ("activations", memory.activations),
                ("working", memory.working),
                ("reserved", crate::memory::RESERVED),
            ],
        ),
        Figure::new(
            "time between failures of the cluster",
            "s",
            "gpu_hours * 3600 / gpus",
            &[("gpu_hours", task.gpu_hours), ("gpus", gpus)],
        ),
        Figure::new(
            "Young's interval between checkpoints",
            "s",
            "sqrt(2 * checkpoint * between)",
            &[
                ("checkpoint", failures.checkpoint_s),
                ("between", failures.between_s),
            ],
        ),
        Figure::new(
            "useful share of the time at Daly's interval",
            "",
            "interval / (between * exp(restart / between) * (exp((interval + checkpoint) / between) - 1))",
            &[
                ("interval", plan.goodput.interval_s),
                ("between", failures.between_s),
                ("restart", failures.restart_s),
                ("checkpoint", failures.checkpoint_s),
            ],
        ),
        Figure::new(
            "days",
            "days",
            "without_failures / useful",
            &[
                ("without_failures", plan.days_without_failures),
                ("useful", plan.goodput.share),
            ],
        ),
    ];
    if let Some(price) = cluster.price {
        figures.push(Figure::new(
            "cost",
            "$",
            "gpus * days * 24 * price",
            &[("gpus", gpus), ("days", plan.days), ("price", price)],
        ));
    }
    figures
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::gpu::Gpu;
    use crate::known;
    use crate::layout::{Recompute, Sharding};

    fn planned(ramp: RampPlan) -> Run {
        let cluster = Cluster::new(Gpu::named("h100").unwrap(), 16_384).unwrap();
        let layout = Layout {
            tensor: 8,
            pipeline: 16,
            data: 128,
            expert: 1,
            chunks: 4,
            micro_batch: 1,
            sharding: Sharding::Zero1,
            recompute: Recompute::None,
            sequence_parallel: true,
        };
        let task = TrainingTask {
            ramp,
            ..TrainingTask::new(15.6e12, 16.8e6, Workload::modern(8192))
        };
        let failures =
            Failures::of(cluster.count, task.gpu_hours, CHECKPOINT_S, RESTART_S).unwrap();
        let run = run(&known::llama3_405b(), &cluster, &layout, &task, &failures).unwrap();
        for figure in run_figures(&known::llama3_405b(), &cluster, &task, &failures, &run) {
            let direct = match figure.name {
                "step" => run.step.seconds,
                "days" => run.days,
                "memory of the fullest GPU" => run.step.memory.total(),
                "cost" => run.dollars.unwrap(),
                "useful share of the time at Daly's interval" => run.goodput.share,
                "model FLOP utilisation of a step" => run.step.mfu,
                _ => continue,
            };
            assert!(
                (figure.value / direct - 1.0).abs() < 1e-9,
                "{figure:?} {direct}"
            );
        }
        run
    }

    #[test]
    fn a_plan_is_what_its_formulas_say_and_a_ramp_costs_days() {
        let none = RampPlan {
            from: 16.8e6,
            over: 0.0,
        };
        let plain = planned(none);
        // Published: 30.84 M H100-hours for Llama 3.1 405B (model card), which are 78 days.
        assert!((60.0..90.0).contains(&plain.days), "{}", plain.days);
        let ramped = planned(RampPlan {
            from: 4e6,
            over: 3e12,
        });
        assert!(ramped.days > plain.days && ramped.steps > plain.steps);
        assert!(ramped.ramp.batch.0 < ramped.ramp.batch.1);
    }
}
