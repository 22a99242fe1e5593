//! Sweeps: what a plot of a page shows.

use crate::error::Result;
use crate::failures::Failures;
use crate::gpu::Gpu;
use crate::layout::Cluster;
use crate::model::ModelShape;
use crate::search::{Fixed, Search, search};
use crate::serve_layout::ServeLayout;
use crate::serving::{decode, serve_memory};
use crate::training::{TrainingTask, run};
use avocet_report::numbers::thousands;
use avocet_report::{Axis, Plot, Series};

/// Cost against days: each GPU in clusters of a quarter to four times `count`, each with its fastest
/// layout. GPUs without a price are left out, and clusters that nothing fits on.
pub fn cost_against_days(
    model: &ModelShape,
    gpus: &[(Gpu, f64)],
    count: u64,
    task: &TrainingTask,
) -> Plot {
    let mut series = Vec::new();
    for (gpu, price) in gpus {
        let mut points = Vec::new();
        for quarter in [1, 2, 3, 4, 6, 8, 12, 16] {
            let size = (count * quarter / 4).max(1);
            let planned = Cluster::new(gpu.clone(), size).and_then(|mut cluster| {
                cluster.price = Some(*price);
                fastest(model, &cluster, task)
            });
            if let Ok((days, Some(dollars))) = planned {
                points.push((days, dollars));
            }
        }
        if !points.is_empty() {
            series.push(Series {
                label: format!("{} at ${price}", gpu.name),
                points,
            });
        }
    }
    Plot {
        title: "Cost against days".into(),
        note: format!(
            "Clusters of {} to {} GPUs, each with its fastest layout; failures and the ramp of the batch counted.",
            thousands((count / 4).max(1) as f64),
            thousands((count * 4) as f64)
        ),
        x: Axis::logarithmic("days"),
        y: Axis::linear("dollars"),
        series,
    }
}

fn fastest(
    model: &ModelShape,
    cluster: &Cluster,
    task: &TrainingTask,
) -> Result<(f64, Option<f64>)> {
    let found = search(
        model,
        cluster,
        &task.work,
        task.sequences(),
        &Fixed::default(),
        1,
    )?;
    let (checkpoint_s, restart_s) = task.pauses_s;
    let failures = Failures::of(cluster.count, task.gpu_hours, checkpoint_s, restart_s)?;
    let layout = &found.best[0].layout;
    let run = run(model, cluster, layout, task, &failures)?;
    Ok((run.days, run.dollars))
}

/// Utilisation against the number of stages, a line for each size of tensor group: the best that fits.
pub fn mfu_against_layout(found: &Search) -> Plot {
    let mut tensors: Vec<u64> = found.best.iter().map(|found| found.layout.tensor).collect();
    tensors.sort_unstable();
    tensors.dedup();
    let of = |tensor: u64| {
        let mut points = std::collections::BTreeMap::new();
        for found in found
            .best
            .iter()
            .filter(|found| found.layout.tensor == tensor)
        {
            let best: &mut f64 = points.entry(found.layout.pipeline).or_default();
            *best = best.max(100.0 * found.step.mfu);
        }
        points
            .into_iter()
            .map(|(stages, mfu)| (stages as f64, mfu))
            .collect()
    };
    Plot {
        title: "Utilisation against layout".into(),
        note: "The best layout that fits for each tensor group and number of stages; a step without failures.".into(),
        x: Axis::linear("pipeline stages"),
        y: Axis::linear("model FLOP utilisation, %"),
        series: tensors
            .into_iter()
            .map(|tensor| Series {
                label: format!("tensor {tensor}"),
                points: of(tensor),
            })
            .collect(),
    }
}

/// Batches that a serving sweep looks at, up to what fits in memory.
pub fn batches(requests: f64) -> Vec<f64> {
    let mut all: Vec<f64> = (0..20).map(|power| f64::from(1u32 << power)).collect();
    all.retain(|batch| *batch <= requests);
    all
}

/// Latency of a token against the batch, and dollars of a million tokens against that latency, for
/// every GPU that the model fits on in this layout.
pub fn latency_against_batch(
    model: &ModelShape,
    gpus: &[(Gpu, Option<f64>)],
    layout: &ServeLayout,
    context: f64,
) -> [Plot; 2] {
    let (mut latency, mut cost) = (Vec::new(), Vec::new());
    for (gpu, price) in gpus {
        let Ok(memory) = serve_memory(gpu, model, layout, context) else {
            continue;
        };
        let steps: Vec<_> = batches(memory.requests)
            .into_iter()
            .map(|batch| decode(gpu, model, layout, batch, context, 1.0))
            .collect();
        if steps.is_empty() {
            continue;
        }
        latency.push(Series {
            label: gpu.name.into(),
            points: steps
                .iter()
                .map(|step| (step.requests, 1e3 * step.token_s))
                .collect(),
        });
        if let Some(price) = price {
            let hour = price * layout.gpus() as f64;
            let dollars = |tokens_per_s: f64| hour / 3600.0 / tokens_per_s * 1e6;
            cost.push(Series {
                label: format!("{} at ${price}", gpu.name),
                points: steps
                    .iter()
                    .map(|step| (1e3 * step.token_s, dollars(step.tokens_per_s)))
                    .collect(),
            });
        }
    }
    [
        Plot {
            title: "Latency against batch".into(),
            note: format!(
                "Time between two tokens of a request that remembers {}.",
                thousands(context)
            ),
            x: Axis::logarithmic("requests at a time"),
            y: Axis::linear("ms a token"),
            series: latency,
        },
        Plot {
            title: "Cost against latency".into(),
            note: "Larger batches are cheaper and slower.".into(),
            x: Axis::logarithmic("ms a token"),
            y: Axis::logarithmic("dollars for a million tokens"),
            series: cost,
        },
    ]
}
