//! Plots: lines over two axes, drawn as SVG that takes its colours from the page.

use serde::Serialize;

use crate::ticks;

/// The drawing, in its own units.
const WIDTH: f64 = 640.0;
const HEIGHT: f64 = 320.0;
const LEFT: f64 = 60.0;
const RIGHT: f64 = 626.0;
const TOP: f64 = 26.0;
const BOTTOM: f64 = 276.0;
/// Colours and strokes that the style knows; no two of so many lines look the same.
const COLOURS: usize = 8;
const STROKES: usize = 4;
/// Lines of few points show each as a dot.
const FEW: usize = 64;

/// One line of a plot.
#[derive(Debug, Clone, PartialEq)]
pub struct Series {
    /// What it is of.
    pub label: String,
    /// Its points, from left to right.
    pub points: Vec<(f64, f64)>,
}

/// What an axis shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Axis {
    name: &'static str,
    is_logarithmic: bool,
}

impl Axis {
    /// An axis of even steps; `name` says what it shows, with the unit.
    pub fn linear(name: &'static str) -> Self {
        Self {
            name,
            is_logarithmic: false,
        }
    }

    /// An axis of even factors; what is not above 0 is not drawn.
    pub fn logarithmic(name: &'static str) -> Self {
        Self {
            name,
            is_logarithmic: true,
        }
    }

    fn shows(self, value: f64) -> bool {
        value.is_finite() && (value > 0.0 || !self.is_logarithmic)
    }

    /// A range that holds all values, with room, and 0 where it is near.
    fn range(self, values: impl Iterator<Item = f64>) -> (f64, f64) {
        let (low, high) = values.fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), v| {
            (low.min(v), high.max(v))
        });
        if self.is_logarithmic {
            return (low / 1.2, high * 1.2);
        }
        if low == high {
            let room = (0.1 * low.abs()).max(0.5);
            return (low - room, high + room);
        }
        let room = 0.05 * (high - low);
        let is_near = (0.0..=0.5 * high).contains(&low);
        (if is_near { 0.0 } else { low - room }, high + room)
    }

    /// Where `value` lies between the ends of the axis, from 0 to 1.
    fn share(self, value: f64, (low, high): (f64, f64)) -> f64 {
        if self.is_logarithmic {
            return (value / low).ln() / (high / low).ln();
        }
        (value - low) / (high - low)
    }

    fn marks(self, (low, high): (f64, f64)) -> Vec<f64> {
        if self.is_logarithmic {
            ticks::logarithmic(low, high)
        } else {
            ticks::linear(low, high)
        }
    }
}

/// One plot.
#[derive(Debug, Clone, PartialEq)]
pub struct Plot {
    /// What it shows.
    pub title: String,
    /// A sentence about it.
    pub note: String,
    /// From left to right.
    pub x: Axis,
    /// Upwards.
    pub y: Axis,
    /// The lines.
    pub series: Vec<Series>,
}

/// A plot as its template draws it.
#[derive(Serialize)]
pub(crate) struct Drawing<'a> {
    title: &'a str,
    note: &'a str,
    x_label: &'static str,
    y_label: &'static str,
    width: f64,
    height: f64,
    left: f64,
    right: f64,
    top: f64,
    bottom: f64,
    x_ticks: Vec<Tick>,
    y_ticks: Vec<Tick>,
    lines: Vec<Line<'a>>,
}

#[derive(Serialize)]
struct Tick {
    at: f64,
    label: String,
}

#[derive(Serialize)]
struct Line<'a> {
    label: &'a str,
    /// Its colour and its stroke.
    class: String,
    points: String,
    dots: Vec<Dot>,
}

#[derive(Serialize)]
struct Dot {
    x: f64,
    y: f64,
    label: String,
}

impl<'a> Drawing<'a> {
    /// Nothing if there is not a point that the axes show.
    pub(crate) fn of(plot: &'a Plot) -> Option<Self> {
        let shown = |&&(x, y): &&(f64, f64)| plot.x.shows(x) && plot.y.shows(y);
        let points = |series: &'a Series| series.points.iter().filter(shown).copied();
        let all = || plot.series.iter().flat_map(points);
        all().next()?;
        let x_range = plot.x.range(all().map(|point| point.0));
        let y_range = plot.y.range(all().map(|point| point.1));
        let across = |x: f64| tenths(LEFT + (RIGHT - LEFT) * plot.x.share(x, x_range));
        let up = |y: f64| tenths(BOTTOM - (BOTTOM - TOP) * plot.y.share(y, y_range));
        let ticks = |marks: Vec<f64>, place: &dyn Fn(f64) -> f64| {
            let tick = |mark: f64| Tick {
                at: place(mark),
                label: ticks::label(mark),
            };
            marks.into_iter().map(tick).collect()
        };
        let line = |(index, series): (usize, &'a Series)| {
            let points: Vec<(f64, f64)> = points(series).collect();
            let dot = |&(x, y): &(f64, f64)| Dot {
                x: across(x),
                y: up(y),
                label: format!("{}, {}", ticks::label(x), ticks::label(y)),
            };
            let place = |&(x, y): &(f64, f64)| format!("{},{}", across(x), up(y));
            let places: Vec<String> = points.iter().map(place).collect();
            let few = points.iter().filter(|_| points.len() <= FEW);
            let (colour, stroke) = (index % COLOURS, index / COLOURS % STROKES);
            Line {
                label: &series.label,
                class: format!("c{colour} s{stroke}"),
                points: places.join(" "),
                dots: few.map(dot).collect(),
            }
        };
        let drawn = plot
            .series
            .iter()
            .filter(|one| points(one).next().is_some());
        Some(Self {
            title: &plot.title,
            note: &plot.note,
            x_label: plot.x.name,
            y_label: plot.y.name,
            width: WIDTH,
            height: HEIGHT,
            left: LEFT,
            right: RIGHT,
            top: TOP,
            bottom: BOTTOM,
            x_ticks: ticks(plot.x.marks(x_range), &across),
            y_ticks: ticks(plot.y.marks(y_range), &up),
            lines: drawn.enumerate().map(line).collect(),
        })
    }
}

/// Finer than any screen shows.
fn tenths(value: f64) -> f64 {
    (10.0 * value).round() / 10.0
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plot(y: Axis, points: Vec<Vec<(f64, f64)>>) -> Plot {
        let series = points.into_iter().map(|points| Series {
            label: "line".into(),
            points,
        });
        Plot {
            title: "cost".into(),
            note: String::new(),
            x: Axis::linear("days"),
            y,
            series: series.collect(),
        }
    }

    #[test]
    fn points_lie_where_their_axes_say() {
        let even = plot(Axis::linear("y"), vec![vec![(0.0, 0.0), (10.0, 50.0)]]);
        let drawn = Drawing::of(&even).unwrap();
        for (tick, dot) in [
            (&drawn.x_ticks, drawn.lines[0].dots[1].x),
            (&drawn.y_ticks, drawn.lines[0].dots[1].y),
        ] {
            assert_eq!(tick.iter().filter(|tick| tick.at == dot).count(), 1);
        }
        let factors = plot(
            Axis::logarithmic("y"),
            vec![vec![(1.0, 1.0), (2.0, 10.0), (3.0, 100.0)]],
        );
        let dots = &Drawing::of(&factors).unwrap().lines[0].dots;
        assert!(((dots[0].y - dots[1].y) - (dots[1].y - dots[2].y)).abs() < 0.2);
    }

    #[test]
    fn what_cannot_be_drawn_is_left_out() {
        let odd = vec![
            (1.0, f64::NAN),
            (2.0, 0.0),
            (3.0, 5.0),
            (f64::INFINITY, 1.0),
        ];
        let plotted = plot(Axis::logarithmic("y"), vec![vec![], odd, vec![(1.0, -1.0)]]);
        let drawn = Drawing::of(&plotted).unwrap();
        assert_eq!(drawn.lines.len(), 1);
        assert_eq!(drawn.lines[0].dots.len(), 1);
        assert!(Drawing::of(&plot(Axis::logarithmic("y"), vec![vec![(1.0, 0.0)]])).is_none());
    }

    #[test]
    fn no_two_of_many_lines_look_the_same() {
        let many = vec![vec![(1.0, 1.0), (2.0, 2.0)]; COLOURS * STROKES];
        let plotted = plot(Axis::linear("y"), many);
        let drawn = Drawing::of(&plotted).unwrap();
        let classes: std::collections::BTreeSet<&String> =
            drawn.lines.iter().map(|line| &line.class).collect();
        assert_eq!(classes.len(), COLOURS * STROKES);
        let style = include_str!("../templates/style.css");
        for class in classes.iter().flat_map(|class| class.split(' ')) {
            let known = class == "s0" || style.contains(&format!(".{class} "));
            assert!(known, "{class}");
        }
    }

    #[test]
    fn one_value_and_a_large_offset_have_a_range() {
        for points in [vec![(5.0, 0.0)], vec![(1e9, -3.0), (1e9 + 1.0, -3.0)]] {
            let plotted = plot(Axis::linear("y"), vec![points]);
            let drawn = Drawing::of(&plotted).unwrap();
            assert!(drawn.x_ticks.len() > 1 && drawn.y_ticks.len() > 1);
            assert!(
                drawn.lines[0]
                    .dots
                    .iter()
                    .all(|dot| (LEFT..=RIGHT).contains(&dot.x))
            );
        }
    }
}
