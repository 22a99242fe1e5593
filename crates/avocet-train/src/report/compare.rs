//! Several runs side by side: held-out loss against tokens, time and operations.

use std::path::{Path, PathBuf};

use avocet_report::{Axis, Dashboard, Plot, Series, Table};

use super::name;
use crate::error::{Result, TrainError};
use crate::metrics::{StepMetrics, read_metrics};

/// One measurement of held-out data.
#[derive(Debug, Clone, Copy)]
struct Point {
    /// Mean over the kinds of held-out data.
    loss: f64,
    /// Text tokens read so far, all stages counted.
    tokens: f64,
    seconds: f64,
    flops: f64,
}

/// A run's measurements of held-out data.
struct Measured {
    name: String,
    points: Vec<Point>,
    active_parameters: u64,
    total_parameters: u64,
}

/// What held-out loss is drawn against.
struct Axes {
    title: &'static str,
    x: &'static str,
    of: fn(&Point) -> f64,
}

const AXES: [Axes; 3] = [
    Axes {
        title: "Loss against tokens",
        x: "text tokens",
        of: |point| point.tokens,
    },
    Axes {
        title: "Loss against time",
        x: "seconds",
        of: |point| point.seconds,
    },
    Axes {
        title: "Loss against operations",
        x: "FLOP",
        of: |point| point.flops,
    },
];

/// The page that compares `runs`, as HTML.
///
/// Errors if one of them has not measured held-out data.
pub fn compare(runs: &[PathBuf]) -> Result<String> {
    let measured: Vec<Measured> = runs
        .iter()
        .map(|run| Measured::of(run))
        .collect::<Result<_>>()?;
    let plot = |Axes { title, x, of }: Axes| Plot {
        title: title.into(),
        note: "Held-out data: mean over its kinds of the loss of an answer token.".into(),
        x: Axis::linear(x),
        y: Axis::linear("loss"),
        series: measured
            .iter()
            .map(|run| Series {
                label: run.name.clone(),
                points: run.points.iter().map(|p| (of(p), p.loss)).collect(),
            })
            .collect(),
    };
    let page = Dashboard {
        title: "Runs compared".into(),
        plots: AXES.map(plot).to_vec(),
        tables: vec![table(&measured)],
        ..Dashboard::default()
    };
    Ok(page.to_html())
}

fn table(runs: &[Measured]) -> Table {
    let head = [
        "run",
        "parameters",
        "active",
        "text tokens",
        "seconds",
        "FLOP",
        "held-out loss",
    ];
    let row = |run: &Measured| {
        let last = run.points.last();
        let of = |write: fn(&Point) -> String| last.map(write).unwrap_or_default();
        vec![
            run.name.clone(),
            millions(run.total_parameters as f64),
            millions(run.active_parameters as f64),
            of(|p| millions(p.tokens)),
            of(|p| format!("{:.0}", p.seconds)),
            of(|p| format!("{:.3e}", p.flops)),
            of(|p| format!("{:.4}", p.loss)),
        ]
    };
    Table {
        title: "At the last measurement".into(),
        head: head.map(str::to_owned).to_vec(),
        rows: runs.iter().map(row).collect(),
        ..Table::default()
    }
}

fn millions(count: f64) -> String {
    format!("{:.2} M", count / 1e6)
}

impl Measured {
    fn of(run: &Path) -> Result<Self> {
        let metrics = read_metrics(run)?;
        let mut measured = Self {
            name: name(run),
            points: Vec::new(),
            active_parameters: 0,
            total_parameters: 0,
        };
        // Text tokens of the stages before, and of the one at hand.
        let (mut before, mut stage, mut here) = (0.0, None, 0.0);
        for line in &metrics {
            let Some(data) = &line.data else {
                continue;
            };
            if stage.is_some_and(|earlier| earlier != &line.stage) {
                before += here;
            }
            (stage, here) = (Some(&line.stage), data.tokens().0 as f64);
            measured.active_parameters = data.active_parameters;
            measured.total_parameters = data.total_parameters;
            if let Some(loss) = mean(line) {
                measured.points.push(Point {
                    loss,
                    tokens: before + here,
                    seconds: line.seconds,
                    flops: line.flops,
                });
            }
        }
        if measured.points.is_empty() {
            let message = format!("{} has not measured held-out data", run.display());
            return Err(TrainError::Report(message));
        }
        Ok(measured)
    }
}

/// Mean over the kinds of held-out data; the auxiliary heads' figures are no losses of text.
fn mean(line: &StepMetrics) -> Option<f64> {
    let heads = ["character_error_rate", "name_accuracy"];
    let losses = line.held_out.iter();
    let losses: Vec<f64> = losses
        .filter(|(name, _)| !heads.contains(&name.as_str()))
        .map(|(_, &loss)| loss)
        .collect();
    let count = losses.len() as f64;
    (count > 0.0).then(|| losses.iter().sum::<f64>() / count)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data_seen::DataSeen;
    use crate::metrics::MetricsLog;
    use avocet_data::SourceReport;
    use std::collections::BTreeMap;

    fn line(step: u64, stage: &str, tokens: u64, loss: Option<f64>) -> StepMetrics {
        let source = SourceReport {
            name: "text/train".into(),
            samples: 5,
            seen_samples: 5,
            unique_samples: 5,
            epochs: 1.0,
            seen_tokens: tokens,
            unique_tokens: tokens,
        };
        let held_out = loss.map(|loss| ("document".to_owned(), loss));
        StepMetrics {
            step,
            stage: stage.into(),
            seconds: step as f64,
            held_out: held_out.into_iter().collect::<BTreeMap<_, _>>(),
            data: Some(DataSeen {
                sources: vec![source],
                active_parameters: 7,
                total_parameters: 70,
            }),
            ..StepMetrics::default()
        }
    }

    #[test]
    fn tokens_add_up_over_stages_and_runs_without_measurements_are_refused() {
        let dir = tempfile::tempdir().unwrap();
        let run = dir.path().join("few<experts");
        std::fs::create_dir(&run).unwrap();
        let mut log = MetricsLog::open(&run, 0).unwrap();
        for line in [
            line(1, "first", 100, Some(3.0)),
            line(2, "first", 200, None),
            line(3, "second", 50, Some(2.0)),
        ] {
            log.write(&line).unwrap();
        }
        let measured = Measured::of(&run).unwrap();
        let tokens: Vec<f64> = measured.points.iter().map(|p| p.tokens).collect();
        assert_eq!(tokens, [100.0, 250.0]);
        let page = compare(&[run.clone(), run]).unwrap();
        assert!(page.contains("few&lt;experts") && page.contains("2.0000"));
        assert_eq!(page.matches("<figure").count(), 3);

        let empty = dir.path().join("empty");
        std::fs::create_dir(&empty).unwrap();
        let mut log = MetricsLog::open(&empty, 0).unwrap();
        log.write(&line(1, "first", 1, None)).unwrap();
        let refused = compare(&[empty]).unwrap_err().to_string();
        assert!(
            refused.contains("has not measured held-out data"),
            "{refused}"
        );
    }
}
