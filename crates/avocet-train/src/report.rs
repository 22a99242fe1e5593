//! A run as one HTML page: its figures drawn as inline SVG, nothing loaded from elsewhere.

mod compare;

use std::path::Path;

use plotters::prelude::*;

use crate::checkpoint;
use crate::error::{Result, TrainError};
use crate::metrics::{StepMetrics, read_metrics};

pub use self::compare::compare;

/// One line of a plot.
struct Series {
    label: String,
    points: Vec<(f64, f64)>,
}

/// One plot.
struct Plot {
    title: &'static str,
    /// What runs from left to right.
    axis: &'static str,
    note: &'static str,
    log_scale: bool,
    series: Vec<Series>,
}

/// The report of the run in `run`, as HTML.
pub fn report(run: &Path) -> Result<String> {
    let metrics = read_metrics(run)?;
    let Some(last) = metrics.last() else {
        let message = format!("{} holds no measurements yet", run.display());
        return Err(TrainError::Report(message));
    };
    let mut body = String::new();
    for plot in plots(&metrics) {
        if plot.series.iter().all(|series| series.points.is_empty()) {
            continue;
        }
        let svg = draw(&plot)?;
        let (title, note) = (plot.title, plot.note);
        body.push_str(&format!(
            "<section><h2>{title}</h2><p>{note}</p>{svg}</section>\n"
        ));
    }
    let name = run.file_name().map_or_else(
        || run.display().to_string(),
        |name| name.to_string_lossy().into(),
    );
    let checkpoints = checkpoint::list(run)?;
    Ok(format!(
        "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">\
         <meta name=\"viewport\" content=\"width=device-width\"><title>{name}</title>\
         <style>{STYLE}</style></head><body><h1>{name}</h1>{summary}<main>{body}</main></body></html>\n",
        name = escaped(&name),
        summary = summary(last, checkpoints.len()) + &data_seen(&metrics),
    ))
}

const STYLE: &str = "body{font:15px/1.4 system-ui,sans-serif;margin:2rem;color:#222;background:#fff}\
main{display:grid;grid-template-columns:repeat(auto-fill,minmax(34rem,1fr));gap:1.5rem}\
h1{margin:0 0 .5rem}h2{font-size:1.05rem;margin:0}p{margin:.1rem 0 .3rem;color:#666}\
svg{width:100%;height:auto;border:1px solid #ddd}table{border-collapse:collapse;margin-bottom:1.5rem}\
td{padding:.1rem 1.2rem .1rem 0}td+td{font-variant-numeric:tabular-nums}\
td+td:not(:last-child),td+td+td{text-align:right}";

fn summary(last: &StepMetrics, checkpoints: usize) -> String {
    let rows = [
        ("Stage", escaped(&last.stage)),
        ("Steps", last.step.to_string()),
        ("Samples seen", last.samples_seen.to_string()),
        ("Loss", format!("{:.4}", last.loss)),
        ("Time", format!("{:.1} h", last.seconds / 3600.0)),
        ("Operations", format!("{:.3e} FLOP", last.flops)),
        (
            "Speed",
            format!(
                "{:.1} samples/s, {:.0} tokens/s, MFU {:.1} %",
                last.samples_per_s,
                last.tokens_per_s,
                100.0 * last.mfu
            ),
        ),
        ("Steps skipped", last.skipped.to_string()),
        ("Checkpoints", checkpoints.to_string()),
    ];
    let cells = rows.map(|(name, value)| format!("<tr><td>{name}</td><td>{value}</td></tr>"));
    format!("<table>{}</table>", cells.concat())
}

/// What each stage has read, in the order of the stages.
fn data_seen(metrics: &[StepMetrics]) -> String {
    let mut stages: Vec<&StepMetrics> = Vec::new();
    for line in metrics.iter().filter(|line| line.data.is_some()) {
        stages.retain(|earlier| earlier.stage != line.stage);
        stages.push(line);
    }
    let table = |line: &StepMetrics| {
        let data = line.data.as_ref()?;
        let row = |cells: [String; 5]| {
            let cells = cells.map(|cell| format!("<td>{}</td>", escaped(&cell)));
            format!("<tr>{}</tr>", cells.concat())
        };
        let rows: String = data.rows().into_iter().map(row).collect();
        let (stage, line) = (escaped(&line.stage), data.chinchilla());
        Some(format!(
            "<h2>Data of {stage}</h2><p>{line}</p><table>{rows}</table>"
        ))
    };
    stages.into_iter().filter_map(table).collect()
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
}

/// The line of one figure over the steps; steps without it are left out.
fn series(
    metrics: &[StepMetrics],
    label: &str,
    value: impl Fn(&StepMetrics) -> Option<f64>,
) -> Series {
    let point = |m: &StepMetrics| Some((m.step as f64, value(m).filter(|v| v.is_finite())?));
    Series {
        label: label.to_string(),
        points: metrics.iter().filter_map(point).collect(),
    }
}

/// One line for each key that a map ever holds.
fn by_key<'a>(
    metrics: &'a [StepMetrics],
    map: impl Fn(&'a StepMetrics) -> &'a std::collections::BTreeMap<String, f64>,
) -> Vec<Series> {
    let keys: std::collections::BTreeSet<&String> =
        metrics.iter().flat_map(|m| map(m).keys()).collect();
    keys.into_iter()
        .map(|key| Series {
            label: key.clone(),
            points: metrics
                .iter()
                .filter_map(|m| Some((m.step as f64, *map(m).get(key)?)))
                .filter(|(_, value)| value.is_finite())
                .collect(),
        })
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
    let plot = |title, note, log_scale, series| Plot {
        title,
        axis: "step",
        note,
        log_scale,
        series,
    };
    vec![
        plot(
            "Loss",
            "What training minimises.",
            false,
            vec![one("loss", |m| m.loss)],
        ),
        plot(
            "Parts of the loss",
            "Before weighting.",
            true,
            by_key(metrics, |m| &m.parts),
        ),
        plot(
            "Loss by kind of sample",
            "Mean over answer tokens.",
            true,
            by_key(metrics, |m| &m.kinds),
        ),
        plot(
            "Held-out data",
            "Mean loss over answer tokens of each kind, and how the auxiliary heads do.",
            true,
            by_key(metrics, |m| &m.held_out),
        ),
        plot(
            "Auxiliary heads",
            "Character error rate and share of names right.",
            false,
            by_key(metrics, |m| &m.accuracy),
        ),
        plot(
            "Learning rate",
            "",
            false,
            vec![one("rate", |m| m.learning_rate)],
        ),
        plot(
            "Gradient norm",
            "Before clipping.",
            true,
            vec![one("norm", |m| m.gradient_norm)],
        ),
        plot(
            "Samples a second",
            "Waiting for data included.",
            false,
            vec![one("samples/s", |m| m.samples_per_s)],
        ),
        plot(
            "Tokens and patches a second",
            "",
            false,
            vec![
                one("tokens/s", |m| m.tokens_per_s),
                one("patches/s", |m| m.patches_per_s),
            ],
        ),
        plot(
            "MFU",
            "Share of the machine's measured peak of matrix products.",
            false,
            vec![one("MFU", |m| m.mfu)],
        ),
        plot(
            "Expert load",
            "Most and least used expert; 1 is an equal share.",
            false,
            load(metrics),
        ),
        plot(
            "Gates",
            "tanh of each gate; 0 is closed.",
            false,
            by_key(metrics, |m| &m.gates),
        ),
    ]
}

/// A range that holds all values, with room.
fn bounds(values: impl Iterator<Item = f64>, log_scale: bool) -> (f64, f64) {
    let (low, high) = values.fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), v| {
        (low.min(v), high.max(v))
    });
    if log_scale {
        return (low / 1.3, high * 1.3);
    }
    let room = match high - low {
        0.0 => (high.abs() * 0.1).max(0.5),
        range => range * 0.05,
    };
    (low - room, high + room)
}

/// A number as an axis shows it: three significant digits, without what rounding left behind.
fn short(value: f64) -> String {
    let magnitude = value.abs().max(1e-9).log10().floor();
    if magnitude < -3.0 && value != 0.0 {
        return format!("{value:.1e}");
    }
    let digits = (2.0 - magnitude).clamp(0.0, 5.0) as usize;
    let text = format!("{value:.digits$}");
    match text.contains('.') {
        true => text.trim_end_matches('0').trim_end_matches('.').to_string(),
        false => text,
    }
}

/// Lines that colour-blind readers tell apart too, all dark enough on white (Okabe and Ito).
const COLOURS: [RGBColor; 7] = [
    RGBColor(0, 114, 178),
    RGBColor(213, 94, 0),
    RGBColor(0, 158, 115),
    RGBColor(204, 121, 167),
    RGBColor(230, 159, 0),
    RGBColor(86, 180, 233),
    RGBColor(80, 80, 80),
];

fn draw(plot: &Plot) -> Result<String> {
    let mut svg = String::new();
    let drawn = draw_on(&mut svg, plot);
    drawn.map_err(|error| TrainError::Report(format!("{}: {error}", plot.title)))?;
    Ok(svg)
}

fn draw_on(svg: &mut String, plot: &Plot) -> std::result::Result<(), Box<dyn std::error::Error>> {
    let area = SVGBackend::with_string(svg, (640, 300)).into_drawing_area();
    area.fill(&WHITE)?;
    let usable = |&&(_, y): &&(f64, f64)| !plot.log_scale || y > 0.0;
    let points = || {
        plot.series
            .iter()
            .flat_map(|series| series.points.iter().filter(usable))
    };
    if points().next().is_none() {
        return Ok(area.present()?);
    }
    let (left, right) = bounds(points().map(|p| p.0), false);
    let (low, high) = bounds(points().map(|p| p.1), plot.log_scale);
    let mut builder = ChartBuilder::on(&area);
    builder
        .margin(10)
        .x_label_area_size(30)
        .y_label_area_size(60);
    macro_rules! lines {
        ($chart:expr) => {{
            let mut chart = $chart;
            chart
                .configure_mesh()
                .light_line_style(WHITE)
                .x_desc(plot.axis)
                .x_label_formatter(&|at| {
                    if *at < 1e4 {
                        format!("{at:.0}")
                    } else if *at < 1e6 {
                        format!("{:.0} k", at / 1e3)
                    } else if *at < 1e9 {
                        format!("{:.1} M", at / 1e6)
                    } else {
                        format!("{at:.1e}")
                    }
                })
                .y_labels(if plot.log_scale { 5 } else { 8 })
                .y_label_formatter(&|value| short(*value))
                .draw()?;
            for (index, series) in plot.series.iter().enumerate() {
                let colour = COLOURS[index % COLOURS.len()];
                let points: Vec<_> = series.points.iter().filter(usable).copied().collect();
                chart
                    .draw_series(LineSeries::new(points, colour.stroke_width(1)))?
                    .label(&series.label)
                    .legend(move |(x, y)| {
                        PathElement::new([(x, y), (x + 14, y)], colour.stroke_width(2))
                    });
            }
            if plot.series.len() > 1 {
                let mut labels = chart.configure_series_labels();
                labels
                    .background_style(WHITE.mix(0.7))
                    .border_style(BLACK.mix(0.2));
                labels.position(SeriesLabelPosition::UpperRight).draw()?;
            }
        }};
    }
    if plot.log_scale {
        lines!(builder.build_cartesian_2d(left..right, (low..high).log_scale())?);
    } else {
        lines!(builder.build_cartesian_2d(left..right, low..high)?);
    }
    Ok(area.present()?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metrics::MetricsLog;
    use std::collections::BTreeMap;

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
        assert!(
            html.matches("<svg").count() >= 8,
            "{}",
            html.matches("<svg").count()
        );
        assert!(html.contains("layer 0 most") && html.contains("a&lt;b"));
        assert!(!html.contains("src=") && !html.contains("href="));
        Ok(())
    }

    #[test]
    fn axes_show_short_numbers() {
        let numbers = [0.6000000000000001, 8.0, 0.0014, 24000.0, 0.0, -0.25, 2.5e-5];
        let shown = ["0.6", "8", "0.0014", "24000", "0", "-0.25", "2.5e-5"];
        assert_eq!(numbers.map(short), shown);
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
