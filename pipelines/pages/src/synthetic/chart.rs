//! Charts drawn as SVG or with boxes, with the numbers written on them.

use rand::Rng;

use super::sketch::Sketch;
use super::words::{self, several};

struct Data {
    title: String,
    names: Vec<String>,
    values: Vec<u32>,
}

/// Different values, so that the largest and smallest are clear.
fn data(sketch: &mut Sketch, most: usize) -> Data {
    let count = sketch.rng.random_range(3..=most);
    let measure = sketch.phrase(words::MEASURES);
    let title = format!(
        "{measure} {}",
        sketch.any(&["by city", "in 2024", "last week", "per team", "so far"])
    );
    let names: Vec<String> = if sketch.chance(0.5) {
        several(words::PLACES, count, sketch.split, &mut sketch.rng)
            .into_iter()
            .map(|name| (*name).to_owned())
            .collect()
    } else {
        ["Mon", "Tue", "Wed", "Thu", "Fri"][..count]
            .iter()
            .map(|name| (*name).to_owned())
            .collect()
    };
    let most = *[20, 100, 500]
        .get(sketch.rng.random_range(0..3))
        .unwrap_or(&100);
    let mut values: Vec<u32> = Vec::new();
    while values.len() < names.len() {
        let value = sketch.rng.random_range(most / 10..most);
        if values.iter().all(|known| known.abs_diff(value) * 20 > most) {
            values.push(value);
        }
    }
    Data {
        title,
        names,
        values,
    }
}

fn ask(sketch: &mut Sketch, data: &Data) {
    sketch.ask_title();
    let index = sketch.rng.random_range(0..data.names.len());
    let question = sketch.any(&[
        "What is the value for {}?",
        "How high is {}?",
        "What does the chart say for {}?",
    ]);
    let question = question.replace("{}", &data.names[index]);
    sketch.ask("page-chart", &format!("value{index}"), &[question.as_str()]);
    let (word, chosen) = if sketch.chance(0.5) {
        ("highest", data.values.iter().max())
    } else {
        ("lowest", data.values.iter().min())
    };
    let place = data
        .values
        .iter()
        .position(|value| Some(value) == chosen)
        .unwrap_or(0);
    let question = sketch
        .any(&[
            "Which one is the {}?",
            "Which has the {} value?",
            "What is {}?",
        ])
        .replace("{}", word);
    sketch.ask_for("page-chart", "chart", question, data.names[place].clone());
}

/// Bars, upright or lying.
pub(super) fn bars(sketch: &mut Sketch) {
    let data = data(sketch, 5);
    let most = data.values.iter().max().copied().unwrap_or(1);
    let accent = sketch.look.accent.clone();
    let mut html = format!("<h1 data-fact=\"title\">{}</h1>", data.title);
    if sketch.chance(0.5) {
        html += "<div data-fact=\"chart\">";
        for (index, (name, value)) in data.names.iter().zip(&data.values).enumerate() {
            let share = value * 62 / most;
            html += &format!(
                "<div style=\"display: flex; align-items: center; margin-bottom: 5px; text-align: left\"><span style=\"width: 28%\">{name}</span>\
                 <span style=\"width: {share}%; height: 1.2em; background: {accent}\"></span><span data-fact=\"value{index}\" style=\"margin-left: 4px\">{value}</span></div>"
            );
        }
    } else {
        let tall = sketch.height / 2;
        html += &format!(
            "<div data-fact=\"chart\" style=\"display: flex; align-items: flex-end; gap: 6px; height: {tall}px; text-align: center\">"
        );
        for (index, (name, value)) in data.names.iter().zip(&data.values).enumerate() {
            let rows = (tall - 42) * value / most;
            html += &format!(
                "<div style=\"flex: 1; min-width: 0\"><span data-fact=\"value{index}\">{value}</span><div style=\"height: {rows}px; background: {accent}\"></div>\
                 <span style=\"font-size: .8em\">{name}</span></div>"
            );
        }
    }
    sketch.put(&(html + "</div>"));
    ask(sketch, &data);
}

/// A line with its points.
pub(super) fn line(sketch: &mut Sketch) {
    let data = data(sketch, 4);
    let (width, height) = (sketch.width - 30, sketch.height / 2);
    let most = data.values.iter().max().copied().unwrap_or(1);
    let step = width / data.names.len() as u32;
    let (accent, ink, grid) = (
        sketch.look.accent.clone(),
        sketch.look.ink.clone(),
        sketch.look.line.clone(),
    );
    let at = |index: usize, value: u32| {
        (
            step * index as u32 + step / 2,
            height - 22 - (height - 50) * value / most,
        )
    };
    let points: Vec<String> = data
        .values
        .iter()
        .enumerate()
        .map(|(index, value)| {
            let (x, y) = at(index, *value);
            format!("{x},{y}")
        })
        .collect();
    let mut svg = format!(
        "<h1 data-fact=\"title\">{}</h1><svg data-fact=\"chart\" width=\"{width}\" height=\"{height}\" font-size=\"12\" text-anchor=\"middle\" fill=\"{ink}\">\
         <path d=\"M0 {y}h{width}\" stroke=\"{grid}\"/><polyline points=\"{}\" fill=\"none\" stroke=\"{accent}\" stroke-width=\"2\"/>",
        data.title,
        points.join(" "),
        y = height - 20
    );
    for (index, (name, value)) in data.names.iter().zip(&data.values).enumerate() {
        let (x, y) = at(index, *value);
        svg += &format!(
            "<circle cx=\"{x}\" cy=\"{y}\" r=\"3\" fill=\"{accent}\"/><text x=\"{x}\" y=\"{}\" data-fact=\"value{index}\">{value}</text><text x=\"{x}\" y=\"{}\">{name}</text>",
            y - 7,
            height - 5
        );
    }
    sketch.put(&(svg + "</svg>"));
    ask(sketch, &data);
}

/// A pie with a legend.
pub(super) fn pie(sketch: &mut Sketch) {
    let data = data(sketch, 4);
    let sum: u32 = data.values.iter().sum();
    let side = (sketch.height * 2 / 5).min(sketch.width / 2);
    let hue = sketch.rng.random_range(0..360);
    let (dark, turn) = (sketch.look.dark, 360 / data.names.len() as u32);
    let colour = |index: usize| {
        let light = if dark { 62 } else { 45 };
        format!("hsl({}, 60%, {light}%)", (hue + turn * index as u32) % 360)
    };
    let mut svg = format!("<svg width=\"{side}\" height=\"{side}\" viewBox=\"-1 -1 2 2\">");
    let mut start = 0;
    for (index, value) in data.values.iter().enumerate() {
        let angle = |part: u32| (f64::from(part) / f64::from(sum)) * std::f64::consts::TAU;
        let (from, to) = (angle(start), angle(start + value));
        let large = u32::from(to - from > std::f64::consts::PI);
        svg += &format!(
            "<path d=\"M0 0L{:.4} {:.4}A1 1 0 {large} 1 {:.4} {:.4}Z\" fill=\"{}\"/>",
            from.cos(),
            from.sin(),
            to.cos(),
            to.sin(),
            colour(index)
        );
        start += value;
    }
    let mut legend = String::new();
    for (index, (name, value)) in data.names.iter().zip(&data.values).enumerate() {
        legend += &format!(
            "<div><span style=\"display: inline-block; width: .8em; height: .8em; background: {}\"></span> {name}: <span data-fact=\"value{index}\">{value}</span></div>",
            colour(index)
        );
    }
    sketch.put(&format!(
        "<h1 data-fact=\"title\">{}</h1><div class=\"row\" data-fact=\"chart\" style=\"text-align: left\">{svg}</svg><div>{legend}</div></div>",
        data.title
    ));
    ask(sketch, &data);
}
