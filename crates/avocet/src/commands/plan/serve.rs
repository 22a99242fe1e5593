//! `avocet plan serve`.

use anyhow::{Context, Result, bail};
use avocet_plan::described::{Claim, SERVING};
use avocet_plan::text;
use avocet_plan::{
    Decode, Draft, Figure, Gpu, KvSplit, ModelShape, Prefill, ServeLayout, ServeMemory,
    Speculation, batches, decode, latency_against_batch, prefill, serve_figures, serve_memory,
    serving_claims, speculate,
};
use avocet_report::numbers::{digits, dollars, percent, thousands};
use avocet_report::{Dashboard, Table};
use serde::Serialize;

use super::args::{NumberFlag, ServePlanArgs, SplitFlag};
use super::flags::{gpu, is_described, model, positive};
use super::report::{Sizes, appendix, headline};
use crate::ui::output;

#[derive(Serialize)]
struct ServePlan {
    model: Sizes,
    gpu: Gpu,
    gpus: u64,
    price: Option<f64>,
    layout: ServeLayout,
    context: f64,
    memory: ServeMemory,
    prefill: Prefill,
    decode: Vec<Point>,
    described: Vec<Claim>,
    figures: Vec<Figure>,
}

/// A batch of the sweep.
#[derive(Serialize)]
struct Point {
    #[serde(flatten)]
    step: Decode,
    dollars_a_million: Option<f64>,
    speculation: Speculation,
}

/// Plans and prints.
pub fn run(args: &ServePlanArgs) -> Result<()> {
    if args.common.gpu == "cpu" {
        bail!(
            "--gpu cpu: only training is planned for this machine; avocet bench measures serving"
        );
    }
    let model = model(&args.common)?;
    let gpu = gpu(&args.common)?;
    positive(&[("context", args.context), ("prompt", args.prompt)])?;
    if args.context > 1e9 || args.prompt > 1e9 {
        bail!("--context, --prompt: more than 1e9 tokens");
    }
    let layout = layout(args, &model)?;
    let groups = match args.common.count {
        Some(count) if count < layout.gpus() => bail!(
            "--count: is {count} GPUs, but the layout takes {}: tensor {} x pipeline {} x expert {}",
            layout.gpus(),
            layout.tensor,
            layout.stages.len(),
            layout.expert
        ),
        Some(count) => count / layout.gpus(),
        None => 1,
    };
    let draft = Draft {
        tokens: args.draft,
        acceptance: args.acceptance,
        cost: args.draft_cost,
    };
    draft.check()?;
    let memory = serve_memory(&gpu, &model, &layout, args.context)?;
    let read = prefill(&gpu, &model, &layout, args.prompt.max(2048.0), args.prompt);
    let hour = gpu.price.map(|price| price * layout.gpus() as f64);
    let mut points = Vec::new();
    for batch in batches(memory.requests) {
        let step = decode(&gpu, &model, &layout, batch, args.context, 1.0);
        points.push(Point {
            dollars_a_million: hour.map(|hour| hour / 3600.0 / step.tokens_per_s * 1e6),
            speculation: speculate(&gpu, &model, &layout, batch, args.context, &draft)?,
            step,
        });
    }
    if points.is_empty() {
        bail!(
            "memory: one request of {} tokens needs {} beside the weights' {} on each GPU",
            thousands(args.context),
            text::gb(memory.kv_a_request),
            text::gb(memory.weights)
        );
    }
    let within = |point: &&Point| args.latency.is_none_or(|ms| 1e3 * point.step.token_s <= ms);
    let Some(chosen) = points
        .iter()
        .filter(within)
        .max_by(|a, b| a.step.tokens_per_s.total_cmp(&b.step.tokens_per_s))
    else {
        let least = points
            .iter()
            .map(|point| point.step.token_s)
            .fold(f64::INFINITY, f64::min);
        bail!(
            "--latency: {} ms a token is not reached, the fastest is {}",
            args.latency.unwrap_or(0.0),
            digits(1e3 * least)
        );
    };
    let claims = if is_described(&model) {
        serving_claims(&model)?
    } else {
        Vec::new()
    };
    let figures = serve_figures(&gpu, &model, &layout, &memory, &chosen.step, args.context);
    if let Some(path) = &args.common.html {
        let page = html(args, &model, &gpu, &layout, &points, &claims)?;
        output::save(path, page.as_bytes()).context("--html")?;
    }
    if args.common.json {
        return output::print_json(&ServePlan {
            model: Sizes::of(&model),
            gpus: groups * layout.gpus(),
            price: gpu.price,
            gpu,
            layout,
            context: args.context,
            memory,
            prefill: read,
            decode: points,
            described: claims,
            figures,
        });
    }
    let mut out = headline(&model);
    if !claims.is_empty() {
        out.push_str(&format!("\n{}", text::claims(&claims)));
    }
    let summary = Summary {
        gpu: &gpu,
        layout: &layout,
        memory: &memory,
        read: &read,
        chosen,
        groups,
    };
    out.push_str(&format!("\n{}", summary.text(args)));
    let rows: Vec<Vec<String>> = std::iter::once(HEAD.map(str::to_owned).to_vec())
        .chain(points.iter().map(row))
        .collect();
    out.push_str(&format!(
        "\n{}",
        text::columns(&rows, &[10, 10, 12, 15, 9, 12, 14])
    ));
    out.push_str(&appendix(&args.common, &claims, &figures)?);
    output::print(&out)
}

fn layout(args: &ServePlanArgs, model: &ModelShape) -> Result<ServeLayout> {
    let common = &args.common;
    let mut layout = match common.expert {
        Some(expert) => {
            if common.tensor.is_some_and(|t| t != 1) || common.pipeline.is_some_and(|p| p != 1) {
                bail!("--expert: an expert-parallel group has neither tensor groups nor stages");
            }
            ServeLayout::experts(model, expert)?
        }
        None => {
            let (tensor, pipeline) = if is_described(model) { SERVING } else { (8, 1) };
            let heads = model.attention.num_heads();
            // Small models have fewer heads than a node has GPUs.
            let most = (1..=tensor)
                .rev()
                .find(|t| heads.is_multiple_of(*t))
                .unwrap_or(1);
            ServeLayout::group(
                model,
                common.tensor.unwrap_or(most),
                common.pipeline.unwrap_or(pipeline),
            )?
        }
    };
    let bytes = |flag| match flag {
        NumberFlag::Bf16 => 2.0,
        NumberFlag::Fp8 => 1.0,
    };
    if let Some(weights) = args.weights {
        layout.weight_bytes = bytes(weights);
    }
    layout.kv_bytes = bytes(args.kv);
    match args.kv_split {
        Some(_) if layout.kv == KvSplit::Heads => {
            bail!("--kv-split: every GPU of the group has key/value heads of its own")
        }
        Some(SplitFlag::Replicated) => layout.kv = KvSplit::Replicated,
        Some(SplitFlag::Batch) | None => {}
    }
    Ok(layout)
}

const HEAD: [&str; 7] = [
    "requests",
    "ms a token",
    "tokens/s",
    "$ a million",
    "experts",
    "with drafts",
    "same experts",
];

fn row(point: &Point) -> Vec<String> {
    let step = &point.step;
    vec![
        thousands(step.requests),
        digits(1e3 * step.token_s),
        thousands(step.tokens_per_s),
        point.dollars_a_million.map_or("-".into(), dollars),
        if step.touched > 0.0 {
            digits(step.touched)
        } else {
            "-".into()
        },
        format!("{:.2} x", point.speculation.gain),
        format!("{:.2} x", point.speculation.gain_same_experts),
    ]
}

struct Summary<'a> {
    gpu: &'a Gpu,
    layout: &'a ServeLayout,
    memory: &'a ServeMemory,
    read: &'a Prefill,
    chosen: &'a Point,
    groups: u64,
}

impl Summary<'_> {
    fn text(&self, args: &ServePlanArgs) -> String {
        let (layout, memory) = (self.layout, self.memory);
        let stages: Vec<String> = layout.stages.iter().map(u64::to_string).collect();
        let cluster = if layout.expert > 1 {
            format!(
                "{} {} share the experts, each with requests of its own",
                layout.expert, self.gpu.name
            )
        } else {
            format!(
                "{} x {} {}, stages of {} layers",
                layout.tensor,
                layout.stages.len(),
                self.gpu.name,
                stages.join(" ")
            )
        };
        let kv = match layout.kv {
            KvSplit::Heads => "by head",
            KvSplit::Replicated => "on every GPU of a tensor group",
            KvSplit::Batch => "shared out by request",
        };
        let layer = &self.chosen.step.layer;
        let whole = layer.total(false);
        let share = |seconds: f64| percent(seconds / whole);
        let each = if layout.expert > 1 {
            " on each GPU"
        } else {
            ""
        };
        let rows = [
            ("layout", cluster),
            (
                "groups",
                format!(
                    "{} of {} GPUs",
                    thousands(self.groups as f64),
                    layout.gpus()
                ),
            ),
            (
                "memory",
                format!(
                    "weights {} of {}; a request of {} tokens {}, {kv}; {} requests fit{each}",
                    text::gb(memory.weights),
                    text::gb(self.gpu.memory),
                    thousands(args.context),
                    text::gb(memory.kv_a_request),
                    thousands(memory.requests)
                ),
            ),
            (
                "prefill",
                format!(
                    "{} tokens/s a group; a prompt of {} tokens in {} s",
                    thousands(self.read.tokens_per_s),
                    thousands(args.prompt),
                    digits(self.read.prompt_s)
                ),
            ),
            (
                "decode",
                format!(
                    "{} requests{each}: {} ms a token, {} tokens/s a group, {} in all{}",
                    thousands(self.chosen.step.requests),
                    digits(1e3 * self.chosen.step.token_s),
                    thousands(self.chosen.step.tokens_per_s),
                    thousands(self.chosen.step.tokens_per_s * self.groups as f64),
                    self.chosen.dollars_a_million.map_or(
                        "; give --price to see dollars".into(),
                        |d| format!(", {} a million", dollars(d))
                    )
                ),
            ),
            (
                "where it goes",
                format!(
                    "experts {}, other products {}, attention {}, small kernels {}, tensor group {}, exchange {}",
                    share(layer.experts),
                    share(layer.products),
                    share(layer.attention),
                    share(layer.elementwise),
                    share(layer.tensor),
                    share(layer.exchange)
                ),
            ),
            (
                "drafts",
                format!(
                    "{} tokens, {} accepted, each {} of a step",
                    args.draft,
                    percent(args.acceptance),
                    percent(args.draft_cost)
                ),
            ),
        ];
        let rows: Vec<Vec<String>> = rows
            .into_iter()
            .map(|(name, value)| vec![name.into(), value])
            .collect();
        text::columns(&rows, &[13, 85])
    }
}

fn html(
    args: &ServePlanArgs,
    model: &ModelShape,
    gpu: &Gpu,
    layout: &ServeLayout,
    points: &[Point],
    claims: &[Claim],
) -> Result<String> {
    let mut gpus = vec![(gpu.clone(), gpu.price)];
    for name in ["a100-80", "h100", "h200"] {
        if name != gpu.name {
            let other = Gpu::named(name)?;
            gpus.push((other.clone(), other.price));
        }
    }
    let mut tables = vec![Table {
        title: "Batches".into(),
        head: HEAD.map(str::to_owned).to_vec(),
        rows: points.iter().map(row).collect(),
        ..Table::default()
    }];
    if !claims.is_empty() {
        tables.push(text::claims_table(claims));
    }
    let intro = format!(
        "{} {} a group, requests that remember {} tokens.",
        layout.gpus(),
        gpu.name,
        thousands(args.context)
    );
    let page = Dashboard {
        title: format!("Serving {}", model.name),
        intro,
        plots: latency_against_batch(model, &gpus, layout, args.context).to_vec(),
        tables,
        ..Dashboard::default()
    };
    Ok(page.to_html())
}
