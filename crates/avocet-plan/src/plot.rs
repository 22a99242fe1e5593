//! Plots as inline SVG.

use plotters::prelude::*;
use serde::Serialize;

use crate::error::{PlanError, Result};
use crate::words::short;

/// One line of a plot.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Series {
    /// What it is of.
    pub label: String,
    /// Its points.
    pub points: Vec<(f64, f64)>,
}

/// One plot.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Plot {
    /// What it shows.
    pub title: String,
    /// A sentence about it.
    pub note: String,
    /// The axes: name, and whether it is logarithmic.
    pub x: (&'static str, bool),
    /// The same upwards.
    pub y: (&'static str, bool),
    /// The lines.
    pub series: Vec<Series>,
}

impl Plot {
    /// The plot as an SVG element.
    ///
    /// Errors if there is nothing to draw, or a logarithmic axis has numbers that are not above 0.
    pub(crate) fn to_svg(&self) -> Result<String> {
        let mut svg = String::new();
        let drawn = self.draw_on(&mut svg);
        drawn.map_err(|error| PlanError::Plot {
            title: self.title.clone(),
            reason: error.to_string(),
        })?;
        Ok(svg)
    }

    fn draw_on(&self, svg: &mut String) -> std::result::Result<(), Box<dyn std::error::Error>> {
        // Logarithms are taken here: the library's own logarithmic axes label only powers of ten.
        let at = |log: bool, value: f64| if log { value.log10() } else { value };
        let (log_x, log_y) = (self.x.1, self.y.1);
        let series: Vec<(&str, Vec<(f64, f64)>)> = self
            .series
            .iter()
            .map(|series| {
                let points = series.points.iter();
                let points = points.map(|&(x, y)| (at(log_x, x), at(log_y, y)));
                (series.label.as_str(), points.collect())
            })
            .collect();
        let all = || series.iter().flat_map(|(_, points)| points.iter().copied());
        if all().next().is_none() || !all().all(|(x, y)| x.is_finite() && y.is_finite()) {
            return Err("it has no points, or some that are no numbers".into());
        }
        let (left, right) = range(all().map(|p| p.0), log_x);
        let (low, high) = range(all().map(|p| p.1), log_y);
        let area = SVGBackend::with_string(svg, (640, 340)).into_drawing_area();
        area.fill(&WHITE)?;
        let mut chart = ChartBuilder::on(&area)
            .margin(12)
            .margin_right(24)
            .x_label_area_size(42)
            .y_label_area_size(68)
            .build_cartesian_2d(left..right, low..high)?;
        let label = |log: bool| {
            move |value: &f64| {
                short(if log {
                    rounded(10f64.powf(*value))
                } else {
                    *value
                })
            }
        };
        chart
            .configure_mesh()
            .light_line_style(WHITE)
            .bold_line_style(BLACK.mix(0.1))
            .x_desc(self.x.0)
            .y_desc(self.y.0)
            .x_labels(7)
            .y_labels(7)
            .x_label_formatter(&label(log_x))
            .y_label_formatter(&label(log_y))
            .axis_desc_style(("sans-serif", 14))
            .label_style(("sans-serif", 12))
            .draw()?;
        // The legend stands where the lines are lower.
        let middle = (left + right) / 2.0;
        let highest = |right_half: bool| {
            let half = all().filter(|(x, _)| (*x > middle) == right_half);
            half.map(|(_, y)| y).fold(f64::NEG_INFINITY, f64::max)
        };
        let legend = if highest(true) > highest(false) {
            SeriesLabelPosition::UpperLeft
        } else {
            SeriesLabelPosition::UpperRight
        };
        for (index, (name, points)) in series.iter().enumerate() {
            let colour = Palette99::pick(index).to_rgba();
            let dots = points.iter().map(|&p| Circle::new(p, 3, colour.filled()));
            chart.draw_series(dots)?;
            chart
                .draw_series(LineSeries::new(
                    points.iter().copied(),
                    colour.stroke_width(2),
                ))?
                .label(*name)
                .legend(move |(x, y)| {
                    PathElement::new([(x, y), (x + 14, y)], colour.stroke_width(2))
                });
        }
        if series.len() > 1 {
            chart
                .configure_series_labels()
                .background_style(WHITE.mix(0.8))
                .border_style(BLACK.mix(0.2))
                .label_font(("sans-serif", 12))
                .position(legend)
                .draw()?;
        }
        Ok(area.present()?)
    }
}

/// A number with two significant digits.
fn rounded(value: f64) -> f64 {
    let size = 10f64.powf(value.abs().max(f64::MIN_POSITIVE).log10().floor() - 1.0);
    (value / size).round() * size
}

/// A range that holds all values, with room; from 0 on unless logarithmic.
fn range(values: impl Iterator<Item = f64>, log: bool) -> (f64, f64) {
    let (low, high) = values.fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), v| {
        (low.min(v), high.max(v))
    });
    if log {
        return (low - 0.1, high + 0.1);
    }
    (low.min(0.0), if high > 0.0 { 1.15 * high } else { 1.0 })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plot(points: Vec<(f64, f64)>) -> Plot {
        Plot {
            title: "cost".into(),
            note: String::new(),
            x: ("days", true),
            y: ("dollars", false),
            series: vec![Series {
                label: "h100".into(),
                points,
            }],
        }
    }

    #[test]
    fn a_plot_is_one_svg_with_its_axes_named() {
        let svg = plot(vec![(10.0, 1.0), (100.0, 2e6)]).to_svg().unwrap();
        assert!(svg.starts_with("<svg") && svg.contains("days") && svg.contains("dollars"));
    }

    #[test]
    fn what_cannot_be_drawn_is_an_error_that_names_the_plot() {
        for points in [vec![], vec![(0.0, 1.0)], vec![(1.0, f64::NAN)]] {
            let error = plot(points).to_svg().unwrap_err().to_string();
            assert!(error.contains("\"cost\""), "{error}");
        }
    }
}
