//! `avocet plan train`.

use std::io::IsTerminal;

use anyhow::{Context, Result};
use avocet_plan::described::{BATCH, Claim, SEQUENCE, TOKENS, size_claims, training_claims};
use avocet_plan::text;
use avocet_plan::{
    Cluster, Count, Failures, Figure, Fixed, Found, GPU_HOURS_A_FAILURE, Gpu, Kernels, Layout,
    ModelShape, RampPlan, Recompute, Run, Search, Sharding, TrainingTask, Workload,
    cost_against_days, mfu_against_layout, planned_claims, run as plan_run, run_figures, search,
};
use avocet_report::numbers::{digits, dollars, percent, short, thousands};
use avocet_report::{Dashboard, Table};
use serde::Serialize;

use super::args::{GradientFlag, RecomputeFlag, ShardingFlag, TrainPlanArgs};
use super::flags::{gpu, is_described, model, positive};
use super::report::{Sizes, appendix, headline};
use crate::ui::output;

#[derive(Serialize)]
struct TrainPlan {
    model: Sizes,
    cluster: Cluster,
    tokens: f64,
    batch: f64,
    sequence: u64,
    plan: Run,
    drawn_goodput: f64,
    search: Search,
    described: Vec<Claim>,
    figures: Vec<Figure>,
}

/// Plans and prints.
pub fn run(args: &TrainPlanArgs) -> Result<()> {
    let model = model(&args.common)?;
    let described = is_described(&model);
    let gpu = gpu(&args.common)?;
    let count = args
        .common
        .count
        .unwrap_or(if described { 25_000 } else { 8 });
    let cluster = Cluster::new(gpu, count)?;
    let task = task(args, &model)?;
    let fixed = fixed(args);
    const MANY: usize = 1000;
    let found = search(&model, &cluster, &task.work, task.sequences(), &fixed, MANY)?;
    let (checkpoint_s, restart_s) = task.pauses_s;
    let failures = Failures::of(count, task.gpu_hours, checkpoint_s, restart_s)?;
    let layout = &found.best[0].layout;
    let plan = plan_run(&model, &cluster, layout, &task, &failures)?;
    let drawn = failures.simulate(plan.goodput.interval_s, 20_000, args.seed);
    let mut claims = Vec::new();
    if described {
        claims = [
            size_claims(&model),
            training_claims(&model)?,
            planned_claims(&model)?,
        ]
        .concat();
    }
    let figures = run_figures(&model, &cluster, &task, &failures, &plan);
    if let Some(path) = &args.common.html {
        if std::io::stderr().is_terminal() {
            output::note("looking through layouts of other clusters for the plots\n");
        }
        let page = html(&model, &cluster, &task, &found, &plan, &claims)?;
        output::save(path, page.as_bytes()).context("--html")?;
    }
    if args.common.json {
        let mut search = found;
        search.best.truncate(args.best.max(1));
        return output::print_json(&TrainPlan {
            model: Sizes::of(&model),
            tokens: task.tokens,
            batch: task.batch,
            sequence: task.work.tokens,
            cluster,
            plan,
            drawn_goodput: drawn,
            search,
            described: claims,
            figures,
        });
    }
    let mut out = headline(&model);
    if described {
        out.push_str(&format!("\n{}", text::claims(&claims)));
    }
    out.push_str(&format!("\n{}", summary(&cluster, &task, &plan, drawn)));
    out.push_str(&format!("\n{}", layouts(&found, args.best.max(1))));
    out.push_str(&appendix(&args.common, &claims, &figures)?);
    output::print(&out)
}

fn task(args: &TrainPlanArgs, model: &ModelShape) -> Result<TrainingTask> {
    let described = is_described(model);
    let parameters = Count::of(model).total() as f64;
    let or = |given: Option<f64>, gpt4: f64, other: f64| {
        given.unwrap_or(if described { gpt4 } else { other })
    };
    let sequence = args.sequence.unwrap_or(model.max_context.min(SEQUENCE));
    let tokens = or(args.tokens, TOKENS, 20.0 * parameters);
    let batch = or(args.batch, BATCH, 4e6);
    let over = or(args.ramp_over, 1e12, 0.0);
    let from = args.ramp_from.unwrap_or(batch / 16.0);
    let gpu_hours = args.mtbf.unwrap_or(GPU_HOURS_A_FAILURE);
    positive(&[
        ("sequence", sequence as f64),
        ("tokens", tokens),
        ("batch", batch),
        ("ramp-from", from),
        ("mtbf", gpu_hours),
        ("checkpoint", args.checkpoint),
        ("restart", args.restart),
    ])?;
    for (flag, value) in [("ramp-over", over), ("images", args.images)] {
        if !(value.is_finite() && value >= 0.0) {
            anyhow::bail!("--{flag}: is {value}, must be at least 0");
        }
    }
    for (flag, value, most) in [
        ("sequence", sequence as f64, 1e9),
        ("tokens", tokens, 1e18),
        ("batch", batch, 1e15),
        ("images", args.images, 1e9),
    ] {
        if value > most {
            anyhow::bail!("--{flag}: is {value}, must be at most {most}");
        }
    }
    if over > tokens {
        anyhow::bail!("--ramp-over: is {over} tokens, but there are {tokens} in all");
    }
    if args.images > 0.0 && model.vision.is_none() {
        anyhow::bail!("--images: {} has no image tower", model.name);
    }
    if sequence as f64 > batch {
        anyhow::bail!("--sequence: is {sequence} tokens, but a batch has {batch}");
    }
    Ok(TrainingTask {
        tokens,
        batch,
        ramp: RampPlan { from, over },
        gpu_hours,
        pauses_s: (args.checkpoint, args.restart),
        work: Workload {
            tokens: sequence,
            kernels: Kernels::Fused,
            gradient_bytes: match args.gradients {
                GradientFlag::Bf16 => 2.0,
                GradientFlag::F32 => 4.0,
            },
            overlap: true,
            images: args.images,
        },
    })
}

fn fixed(args: &TrainPlanArgs) -> Fixed {
    Fixed {
        tensor: args.common.tensor,
        pipeline: args.common.pipeline,
        expert: args.common.expert,
        chunks: args.interleave,
        micro_batch: args.micro_batch,
        sharding: args.sharding.map(|flag| match flag {
            ShardingFlag::None => Sharding::None,
            ShardingFlag::Zero1 => Sharding::Zero1,
            ShardingFlag::Fsdp => Sharding::Fsdp,
        }),
        recompute: args.recompute.map(|flag| match flag {
            RecomputeFlag::None => Recompute::None,
            RecomputeFlag::Selective => Recompute::Selective,
            RecomputeFlag::Full => Recompute::Full,
        }),
    }
}

fn layout_name(layout: &Layout) -> String {
    let mut name = format!(
        "{} x {} x {}",
        layout.tensor,
        layout.pipeline,
        thousands(layout.data as f64)
    );
    if layout.expert > 1 {
        name.push_str(&format!(", experts / {}", layout.expert));
    }
    name
}

fn layout_rest(layout: &Layout) -> String {
    let sharding = match layout.sharding {
        Sharding::None => "whole",
        Sharding::Zero1 => "ZeRO-1",
        Sharding::Fsdp => "FSDP",
    };
    let recompute = match layout.recompute {
        Recompute::None => "keep all",
        Recompute::Selective => "selective",
        Recompute::Full => "full",
    };
    let chunks = if layout.chunks == 1 {
        "chunk"
    } else {
        "chunks"
    };
    format!(
        "{sharding}, {recompute}, {} {chunks}, {}",
        layout.chunks, layout.micro_batch
    )
}

fn summary(cluster: &Cluster, task: &TrainingTask, plan: &Run, drawn: f64) -> String {
    let step = &plan.step;
    let memory = &step.memory;
    let share = |seconds: f64| percent(seconds / step.seconds);
    let busy = &step.busy;
    let rows = [
        (
            "plan",
            format!(
                "{} tokens in batches of {} on {} {}",
                short(task.tokens),
                short(task.batch),
                thousands(cluster.count as f64),
                cluster.gpu.name
            ),
        ),
        (
            "layout",
            format!(
                "tensor x pipeline x data = {}: {}",
                layout_name(&plan.layout),
                layout_rest(&plan.layout)
            ),
        ),
        (
            "step",
            format!(
                "{} s, {} model FLOP utilisation, {} micro-batches",
                digits(step.seconds),
                percent(step.mfu),
                step.micro_batches
            ),
        ),
        (
            "where it goes",
            format!(
                "products {}, attention {}, elementwise {}, tensor group {}, experts {}, head and images {}, between stages {}, bubble {}, replicas {}, optimizer {}; {} of it computed again",
                share(busy.products),
                share(busy.attention),
                share(busy.elementwise),
                share(busy.tensor),
                share(busy.expert),
                share(step.ends_s),
                share(step.between_stages_s),
                share(step.bubble_s),
                share(step.data_s),
                share(step.optimizer_s),
                share(step.recomputed_s)
            ),
        ),
        (
            "memory",
            format!(
                "{} of {}: weights {}, gradients {}, optimizer {}, activations {}, working {}, reserved {}",
                text::gb(memory.total()),
                text::gb(cluster.gpu.memory),
                text::gb(memory.weights),
                text::gb(memory.gradients),
                text::gb(memory.optimizer),
                text::gb(memory.activations),
                text::gb(memory.working),
                text::gb(avocet_plan::RESERVED)
            ),
        ),
        (
            "ramp",
            if plan.ramp.steps == 0 {
                "none".into()
            } else {
                format!(
                    "{} steps, {} days, from {} to {} tokens a batch",
                    thousands(plan.ramp.steps as f64),
                    digits(plan.ramp.days),
                    short(plan.ramp.batch.0),
                    short(plan.ramp.batch.1)
                )
            },
        ),
        (
            "failures",
            format!(
                "{} a day; a checkpoint every {} min; {} of the time is useful (a drawn history: {})",
                digits(plan.goodput.failures_a_day),
                digits(plan.goodput.interval_s / 60.0),
                percent(plan.goodput.share),
                percent(drawn)
            ),
        ),
        (
            "time",
            format!(
                "{} days, {} steps, {} utilisation over all",
                digits(plan.days),
                thousands(plan.steps as f64),
                percent(plan.mfu)
            ),
        ),
        (
            "cost",
            plan.dollars
                .map_or("give --price to see dollars".into(), dollars),
        ),
    ];
    let rows: Vec<Vec<String>> = rows
        .into_iter()
        .map(|(name, value)| vec![name.into(), value])
        .collect();
    text::columns(&rows, &[13, 85])
}

const LAYOUT_HEAD: [&str; 6] = [
    "tensor x pipeline x data",
    "sharding, recompute, chunks, micro-batch",
    "step",
    "MFU",
    "memory",
    "bubble",
];

fn layout_row(found: &Found) -> Vec<String> {
    let step = &found.step;
    vec![
        layout_name(&found.layout),
        layout_rest(&found.layout),
        format!("{} s", digits(step.seconds)),
        percent(step.mfu),
        text::gb(step.memory.total()),
        percent(step.bubble_s / step.seconds),
    ]
}

fn layouts(found: &Search, best: usize) -> String {
    let mut rows = vec![LAYOUT_HEAD.map(str::to_owned).to_vec()];
    rows.extend(found.best.iter().take(best).map(layout_row));
    let mut out = text::columns(&rows, &[30, 29, 9, 7, 8, 7]);
    let mut refused: Vec<_> = found.refused.iter().collect();
    refused.sort_by(|a, b| b.1.cmp(a.1));
    out.push_str(&format!(
        "\n{} of {} layouts fit; the others:\n",
        thousands(found.fit as f64),
        thousands(found.tried as f64)
    ));
    let rows: Vec<Vec<String>> = refused
        .iter()
        .take(6)
        .map(|(reason, count)| vec![thousands(**count as f64), (*reason).clone()])
        .collect();
    out.push_str(&text::columns(&rows, &[8, 88]));
    out
}

fn html(
    model: &ModelShape,
    cluster: &Cluster,
    task: &TrainingTask,
    found: &Search,
    plan: &Run,
    claims: &[Claim],
) -> Result<String> {
    let mut gpus: Vec<(Gpu, f64)> = Vec::new();
    if let Some(price) = cluster.price {
        gpus.push((cluster.gpu.clone(), price));
    }
    for name in ["a100-80", "h100"] {
        let gpu = Gpu::named(name)?;
        if let Some(price) = gpu.price.filter(|_| name != cluster.gpu.name) {
            gpus.push((gpu, price));
        }
    }
    let mut tables = vec![Table {
        title: "The best layouts".into(),
        head: LAYOUT_HEAD.map(str::to_owned).to_vec(),
        rows: found.best.iter().take(10).map(layout_row).collect(),
        ..Table::default()
    }];
    if !claims.is_empty() {
        tables.push(text::claims_table(claims));
    }
    let intro = format!(
        "{} tokens in batches of {} on {} {}: {} days, {}, {} utilisation over all.",
        short(task.tokens),
        short(task.batch),
        thousands(cluster.count as f64),
        cluster.gpu.name,
        digits(plan.days),
        plan.dollars.map_or("no price given".into(), dollars),
        percent(plan.mfu)
    );
    let page = Dashboard {
        title: format!("Training {}", model.name),
        intro,
        plots: vec![
            cost_against_days(model, &gpus, cluster.count, task),
            mfu_against_layout(found),
        ],
        tables,
        ..Dashboard::default()
    };
    Ok(page.to_html())
}
