//! `avocet plan train --gpu cpu`: a step of avocet's own trainer on this machine.

use anyhow::{Result, bail};
use avocet_plan::machine::{Batch, Machine, MachineStep, machine_step};
use avocet_plan::text;
use avocet_products::{Precision, memory_bandwidth, product_peak};
use avocet_report::numbers::{digits, percent, thousands};
use serde::Serialize;

use super::args::TrainPlanArgs;
use super::flags::model;
use super::report::{Sizes, appendix, headline};
use crate::ui::output;

#[derive(Serialize)]
struct MachinePlan {
    model: Sizes,
    machine: Machine,
    batch: Batch,
    step: MachineStep,
}

/// Plans a step and prints it.
pub fn run(args: &TrainPlanArgs) -> Result<()> {
    let model = model(&args.common)?;
    if args.common.html.is_some() {
        bail!("--html: there is no page of a plan for this machine");
    }
    let machine = match args.machine.as_deref() {
        Some([gflops, gb]) => Machine {
            product_peak: gflops * 1e9,
            bandwidth: gb * 1e9,
        },
        Some(_) => bail!("--machine: give two numbers, GFLOP/S,GB/S"),
        None => Machine {
            product_peak: product_peak(Precision::F32) * 1e9,
            bandwidth: memory_bandwidth() * 1e9,
        },
    };
    let [tokens, patches] = args.sample[..] else {
        bail!("--sample: give two numbers, TOKENS,PATCHES");
    };
    let batch = Batch {
        samples: args.samples,
        micro_batches: args.micro_batches,
        tokens,
        patches,
    };
    let step = machine_step(&model, &machine, &batch)?;
    if args.common.json {
        return output::print_json(&MachinePlan {
            model: Sizes::of(&model),
            machine,
            batch,
            step,
        });
    }
    let rows = [
        (
            "machine",
            format!(
                "{} GFLOP/s of f32 products, {} GB/s",
                digits(machine.product_peak / 1e9),
                digits(machine.bandwidth / 1e9)
            ),
        ),
        (
            "batch",
            format!(
                "{} samples of {} tokens and {} patches, in {} micro-batches",
                thousands(batch.samples as f64),
                digits(tokens),
                digits(patches),
                batch.micro_batches
            ),
        ),
        (
            "step",
            format!(
                "{} ms: {} products, {} moving numbers; {} samples/s, {} utilisation",
                digits(1e3 * step.seconds),
                percent(step.products_s / step.seconds),
                percent(step.moving_s / step.seconds),
                digits(batch.samples as f64 / step.seconds),
                percent(step.mfu)
            ),
        ),
        (
            "memory",
            format!(
                "{} MiB at most",
                thousands(step.peak_bytes / 1024.0 / 1024.0)
            ),
        ),
    ];
    let rows: Vec<Vec<String>> = rows
        .into_iter()
        .map(|(name, value)| vec![name.into(), value])
        .collect();
    let mut out = headline(&model);
    out.push_str(&format!("\n{}", text::columns(&rows, &[13, 85])));
    out.push_str(&appendix(&args.common, &[], &[])?);
    output::print(&out)
}
