//! A run as one HTML page: its figures, its plots, and what it has read.

mod compare;

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use avocet_report::{Axis, Dashboard, Plot, Series, Table};

use crate::checkpoint;
use crate::error::{Result, TrainError};
use crate::metrics::{StepMetrics, read_metrics};

pub use self::compare::compare;

/// The report of the run in `run`, as HTML.
///
/// Errors if it has measured nothing.
pub fn report(run: &Path) -> Result<String> {
    let metrics = read_metrics(run)?;
    let Some(last) = metrics.last() else {
        let message = format!("{} holds no measurements yet", run.display());
        return Err(TrainError::Report(message));
    };
    let page = Dashboard {
        title: name(run),
        intro: String::new(),
        figures: figures(last, checkpoint::list(run)?.len()),
        plots: plots(&metrics),
        tables: data_seen(&metrics),
    };
    Ok(page.to_html())
}

/// What a run is called.
fn name(run: &Path) -> String {
    let name = run.file_name().map(|name| name.to_string_lossy().into());
    name.unwrap_or_else(|| run.display().to_string())
}

fn figures(last: &StepMetrics, checkpoints: usize) -> Vec<(&'static str, String)> {
    vec![
        ("Stage", last.stage.clone()),
        ("Steps", last.step.to_string()),
        ("Samples seen", last.samples_seen.to_string()),
        ("Loss", format!("{:.4}", last.loss)),
        ("Time", format!("{:.1} h", last.seconds / 3600.0)),
        ("Operations, FLOP", format!("{:.3e}", last.flops)),
        ("Samples a second", format!("{:.1}", last.samples_per_s)),
        ("Tokens a second", format!("{:.0}", last.tokens_per_s)),
        ("MFU", format!("{:.1} %", 100.0 * last.mfu)),
        ("Steps skipped", last.skipped.to_string()),
        ("Checkpoints", checkpoints.to_string()),
    ]
}

/// What each stage has read, in the order of the stages.
fn data_seen(metrics: &[StepMetrics]) -> Vec<Table> {
    let mut stages: Vec<&StepMetrics> = Vec::new();
    for line in metrics.iter().filter(|line| line.data.is_some()) {
        stages.retain(|earlier| earlier.stage != line.stage);
        stages.push(line);
    }
    let table = |line: &StepMetrics| {
        let data = line.data.as_ref()?;
        let mut rows = data.rows().into_iter().map(|row| row.to_vec());
        Some(Table {
            title: format!("Data of {}", line.stage),
            note: data.chinchilla(),
            head: rows.next().unwrap_or_default(),
            rows: rows.collect(),
        })
    };
    stages.into_iter().filter_map(table).collect()
}

/// The line of one figure over the steps; steps without it are left out.
fn series(
    metrics: &[StepMetrics],
    label: &str,
    value: impl Fn(&StepMetrics) -> Option<f64>,
) -> Series {
    let point = |m: &StepMetrics| Some((m.step as f64, value(m)?));
    Series {
        label: label.to_string(),
        points: metrics.iter().filter_map(point).collect(),
    }
}

/// One line for each key that a map ever holds.
fn by_key(
    metrics: &[StepMetrics],
    map: impl Fn(&StepMetrics) -> &BTreeMap<String, f64>,
) -> Vec<Series> {
    let keys: BTreeSet<&String> = metrics.iter().flat_map(|m| map(m).keys()).collect();
    keys.into_iter()
        .map(|key| series(metrics, key, |m| map(m).get(key).copied()))
        .collect()
}

/// Most and least used expert of each layer, as multiples of an equal share.
fn load(metrics: &[StepMetrics]) -> Vec<Series> {
    let layers = metrics
        .iter()
        .map(|m| m.expert_load.len())
        .max()
        .unwrap_or(0);
    let extreme = |layer: usize, label: &str, pick: fn(f64, f64) -> f64| {
        series(metrics, &format!("layer {layer} {label}"), move |m| {
            let loads = m.expert_load.get(layer)?;
            let share = loads.iter().copied().reduce(pick)?;
            Some(share * loads.len() as f64)
        })
    };
    (0..layers)
        .flat_map(|layer| {
            [
                extreme(layer, "most", f64::max),
                extreme(layer, "least", f64::min),
            ]
        })
        .collect()
}

fn plots(metrics: &[StepMetrics]) -> Vec<Plot> {
    let one = |label: &str, value: fn(&StepMetrics) -> f64| {
        series(metrics, label, move |m| Some(value(m)))
    };
    let plot = |title: &str, note: &str, y: Axis, series| Plot {
        title: title.into(),
        note: note.into(),
        x: Axis::linear("step"),
        y,
        series,
    };
    let (even, factors) = (Axis::linear(""), Axis::logarithmic(""));
    vec![
        plot(
            "Loss",
            "What training minimises.",
            even,
            vec![one("loss", |m| m.loss)],
        ),
        plot(
            "Parts of the loss",
            "Before weighting.",
            factors,
            by_key(metrics, |m| &m.parts),
        ),
        plot(
            "Loss by kind of sample",
            "Mean over answer tokens.",
            factors,
            by_key(metrics, |m| &m.kinds),
        ),
        plot(
            "Held-out data",
            "Mean loss over answer tokens of each kind, and how the auxiliary heads do.",
            factors,
            by_key(metrics, |m| &m.held_out),
        ),
        plot(
            "Auxiliary heads",
            "Character error rate and share of names right.",
            even,
            by_key(metrics, |m| &m.accuracy),
        ),
        plot(
            "Learning rate",
            "",
            even,
            vec![one("rate", |m| m.learning_rate)],
        ),
        plot(
            "Gradient norm",
            "Before clipping.",
            factors,
            vec![one("norm", |m| m.gradient_norm)],
        ),
        plot(
            "Samples a second",
            "Waiting for data included.",
            even,
            vec![one("samples/s", |m| m.samples_per_s)],
        ),
        plot(
            "Tokens and patches a second",
            "",
            even,
            vec![
                one("tokens/s", |m| m.tokens_per_s),
                one("patches/s", |m| m.patches_per_s),
            ],
        ),
        plot(
            "MFU",
            "Share of the machine's measured peak of matrix products.",
            even,
            vec![one("MFU", |m| m.mfu)],
        ),
        plot(
            "Expert load",
            "Most and least used expert; 1 is an equal share.",
            even,
            load(metrics),
        ),
        plot(
            "Gates",
            "tanh of each gate; 0 is closed.",
            even,
            by_key(metrics, |m| &m.gates),
        ),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metrics::MetricsLog;

    fn measured(step: u64) -> StepMetrics {
        StepMetrics {
            step,
            stage: "a<b".into(),
            loss: 5.0 / step as f64,
            parts: BTreeMap::from([("text".into(), 4.0 / step as f64), ("z".into(), 0.0)]),
            gates: BTreeMap::from([("cross.0.gate".into(), 0.0)]),
            expert_load: vec![vec![0.5, 0.25, 0.25]],
            gradient_norm: if step == 3 { f64::NAN } else { 1.0 },
            ..StepMetrics::default()
        }
    }

    #[test]
    fn a_report_draws_every_figure_and_loads_nothing() -> Result<()> {
        let run = tempfile::tempdir().expect("a temporary folder");
        let mut log = MetricsLog::open(run.path(), 0)?;
        for step in 1..=20 {
            log.write(&measured(step))?;
        }
        let html = report(run.path())?;
        let plots = html.matches("<figure").count();
        assert!(plots >= 8, "{plots}");
        assert!(html.contains("layer 0 most") && html.contains("a&lt;b"));
        assert!(!html.contains("src=") && !html.contains("href="));
        Ok(())
    }

    #[test]
    fn one_line_of_measurements_is_enough_and_none_is_an_error() -> Result<()> {
        let run = tempfile::tempdir().expect("a temporary folder");
        let mut log = MetricsLog::open(run.path(), 0)?;
        assert!(report(run.path()).is_err());
        log.write(&measured(1))?;
        assert!(report(run.path())?.contains("<svg"));
        Ok(())
    }
}
