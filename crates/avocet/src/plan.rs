//! `avocet plan`: what a model costs to train and to serve, before anything is spent.

pub mod args;
mod machine;
mod serve;
mod shape;
mod text;
mod train;

use std::path::Path;

use anyhow::{Context, Result, bail};
use avocet_plan::described::Claim;
use avocet_plan::published::{self, Truth};
use avocet_plan::{Count, Figure, Gpu, ModelShape};
use serde::Serialize;

use crate::output;
use args::{PlanArgs, PlanCommand};

/// The preset that is planned with when none is named.
const DEFAULT: &str = "gpt4";

/// Plans and prints.
pub fn run(command: &PlanCommand) -> Result<()> {
    match command {
        PlanCommand::Train(args) if args.common.gpu == "cpu" => machine::run(args),
        PlanCommand::Train(args) => train::run(args),
        PlanCommand::Serve(args) => serve::run(args),
    }
}

/// The model of the flags.
fn model(args: &PlanArgs) -> Result<ModelShape> {
    let shape = match (&args.model, &args.preset) {
        (Some(model), _) => shape::named(model).context("--model")?,
        (None, Some(preset)) => shape::named(preset).context("--preset")?,
        (None, None) => shape::named(DEFAULT)?,
    };
    shape.validate()?;
    Ok(shape)
}

/// The GPU of the flags, with its links and price as they say.
fn gpu(args: &PlanArgs) -> Result<Gpu> {
    let mut gpu = Gpu::named(&args.gpu)?;
    for (flag, given) in [
        ("--price", args.price),
        ("--nvlink", args.nvlink),
        ("--network", args.network),
    ] {
        if let Some(value) = given
            && !(value.is_finite() && value > 0.0)
        {
            bail!("{flag}: is {value}, must be above 0");
        }
    }
    gpu.price = args.price.or(gpu.price);
    gpu.nvlink = args.nvlink.map_or(gpu.nvlink, |gb| gb * 1e9);
    gpu.network = args.network.map_or(gpu.network, |gb| gb * 1e9);
    Ok(gpu)
}

/// Errors unless each of these flags is a finite number above 0.
fn positive(flags: &[(&str, f64)]) -> Result<()> {
    for (flag, value) in flags {
        if !(value.is_finite() && *value > 0.0) {
            bail!("--{flag}: is {value}, must be above 0");
        }
    }
    Ok(())
}

/// Whether the model is the one that was described.
fn is_described(model: &ModelShape) -> bool {
    model.name == DEFAULT
}

/// Sizes of a model for JSON.
#[derive(Serialize)]
struct Sizes {
    name: String,
    total: u64,
    active: u64,
    per_expert: u64,
    by_part: std::collections::BTreeMap<&'static str, u64>,
}

impl Sizes {
    fn of(model: &ModelShape) -> Self {
        let count = Count::of(model);
        Self {
            name: model.name.clone(),
            total: count.total(),
            active: count.active,
            per_expert: count.per_expert,
            by_part: count
                .by_part()
                .into_iter()
                .filter(|(_, n)| *n > 0)
                .collect(),
        }
    }
}

/// One line about the model, and its parts.
fn headline(model: &ModelShape) -> String {
    let count = Count::of(model);
    let total = count.total() as f64;
    format!(
        "{}: {} parameters, {} active for a token\n{}",
        model.name,
        output::count(count.total()),
        output::count(count.active),
        text::parts(&count.by_part(), total)
    )
}

/// Every published row.
fn all_truth() -> Result<Vec<Truth>> {
    let (a100, h100, h800) = (
        Gpu::named("a100-80")?,
        Gpu::named("h100")?,
        Gpu::named("h800")?,
    );
    Ok([
        published::megatron(&a100)?,
        published::llama(&h100)?,
        published::deepseek(&h800, &h100)?,
        avocet_plan::machine::measured(),
    ]
    .concat())
}

/// The parts that follow every plan, as the flags say.
fn appendix(args: &PlanArgs, claims: &[Claim], figures: &[Figure]) -> Result<String> {
    let mut out = String::new();
    if args.truth {
        out.push_str(&format!("\n{}", text::truth(&all_truth()?)));
    }
    if args.explain {
        let of_claims = claims.iter().flat_map(|claim| &claim.figures);
        let all: Vec<&Figure> = of_claims.chain(figures).collect();
        out.push_str(&format!("\n{}", text::explained(&all)));
    }
    Ok(out)
}

/// Writes a page.
fn write_page(path: &Path, html: &str) -> Result<()> {
    std::fs::write(path, html).with_context(|| format!("--html {}", path.display()))
}
