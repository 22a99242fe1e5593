//! Pages that are used: forms, tables, notices, the front of a site.

use rand::Rng;
use rand::seq::SliceRandom;

use super::sketch::{Sketch, escaped};
use super::words::{self, headline, sentences, several};

/// A form with filled and empty fields.
pub(super) fn form(sketch: &mut Sketch) {
    let title = sketch.phrase(words::PURPOSES);
    let count = sketch.rng.random_range(1..4);
    let fields: Vec<(&str, &[&str])> = several(words::FIELDS, count, sketch.split, &mut sketch.rng)
        .into_iter()
        .copied()
        .collect();
    let class = sketch.card_class();
    let mut html = format!("<form class=\"{class}\"><h1 data-fact=\"title\">{title}</h1>");
    let placeholders = sketch.chance(0.3);
    let inline = sketch.chance(0.25);
    for (index, (label, values)) in fields.iter().enumerate() {
        let value = sketch.pick(values);
        let given = if placeholders && index > 0 {
            "placeholder"
        } else {
            "value"
        };
        let field = if matches!(*label, "Country" | "Membership" | "Delivery" | "Guests") {
            format!(
                "<select data-fact=\"field{index}\"><option>{}</option></select>",
                escaped(value)
            )
        } else {
            format!(
                "<input data-fact=\"field{index}\" {given}=\"{}\">",
                escaped(value)
            )
        };
        html += &if inline {
            format!(
                "<label style=\"display: grid; grid-template-columns: 38% 1fr; align-items: center\">{label} {field}</label>"
            )
        } else {
            format!("<label>{label}{field}</label>")
        };
        let wording = sketch.any(&[
            "What is entered for {}?",
            "What stands in the field {}?",
            "What is the {} in the form?",
            "What does the {} field say?",
        ]);
        sketch.ask(
            "page-field",
            &format!("field{index}"),
            &[wording.replace("{}", label).as_str()],
        );
    }
    if sketch.chance(0.5) {
        let (choice, ticked) = (sketch.pick(words::CHOICES), sketch.chance(0.5));
        let mark = if ticked { " checked" } else { "" };
        html +=
            &format!("<label data-fact=\"choice\"><input type=\"checkbox\"{mark}>{choice}</label>");
        let question = sketch
            .any(&[
                "Is the box \"{}\" ticked?",
                "Is \"{}\" checked?",
                "Is \"{}\" chosen?",
            ])
            .replace("{}", choice);
        sketch.ask_for(
            "page-field",
            "choice",
            question,
            if ticked { "yes" } else { "no" }.into(),
        );
    }
    html += &sketch.lone_button();
    sketch.put(&(html + "</form>"));
    sketch.ask_title();
}

/// A table of numbers.
pub(super) fn table(sketch: &mut Sketch) {
    let columns = if sketch.width < 300 {
        1
    } else {
        sketch.rng.random_range(1..4)
    };
    let measures: Vec<&str> = several(words::MEASURES, columns, sketch.split, &mut sketch.rng)
        .into_iter()
        .copied()
        .collect();
    let count = sketch.rng.random_range(2..6);
    let rows: Vec<&str> = several(words::PLACES, count, sketch.split, &mut sketch.rng)
        .into_iter()
        .copied()
        .collect();
    let title = format!(
        "{} {}",
        measures[0],
        sketch.any(&[
            "by city",
            "this year",
            "in the north",
            "per day",
            "report",
            "at a glance"
        ])
    );
    let striped = sketch.chance(0.4);
    let number = if sketch.chance(0.6) { "right" } else { "left" };
    let mut html = format!("<h1 data-fact=\"title\">{title}</h1><table><tr><th>City</th>");
    for measure in &measures {
        html += &format!("<th style=\"text-align: {number}\">{measure}</th>");
    }
    html += "</tr>";
    let most = *[9, 99, 999, 9999]
        .get(sketch.rng.random_range(0..4))
        .unwrap_or(&99);
    let mut first = Vec::new();
    for (row, place) in rows.iter().enumerate() {
        let shade = if striped && row % 2 == 1 {
            " style=\"background: rgba(128,128,128,.15)\""
        } else {
            ""
        };
        html += &format!("<tr{shade}><td data-fact=\"row{row}\">{place}</td>");
        for column in 0..measures.len() {
            let value = sketch.rng.random_range(1..=most);
            if column == 0 {
                first.push(value);
            }
            html += &format!(
                "<td data-fact=\"cell{row}-{column}\" style=\"text-align: {number}\">{value}</td>"
            );
        }
        html += "</tr>";
    }
    sketch.put(&(html + "</table>"));
    sketch.ask_title();
    for _ in 0..2 {
        let (row, column) = (
            sketch.rng.random_range(0..rows.len()),
            sketch.rng.random_range(0..measures.len()),
        );
        let wording = sketch.any(&[
            "How many {} has {p}?",
            "What is the value of {} for {p}?",
            "{}, {p}: what does the table say?",
        ]);
        let question = wording
            .replace("{}", measures[column])
            .replace("{p}", rows[row]);
        let mark = format!("cell{row}-{column}");
        if sketch.asks.iter().all(|ask| ask.mark != mark) {
            sketch.ask("page-table", &mark, &[question.as_str()]);
        }
    }
    let largest = first.iter().max().copied().unwrap_or(0);
    let last = format!("row{}", rows.len() - 1);
    if first.iter().filter(|value| **value == largest).count() == 1 {
        let place = first
            .iter()
            .position(|value| *value == largest)
            .unwrap_or(0);
        let question = format!("Which city has the most in the column {}?", measures[0]);
        // The whole table must be in view to know.
        sketch.ask_for("page-table", &last, question, rows[place].to_owned());
    }
}

/// A message with two buttons.
pub(super) fn notice(sketch: &mut Sketch) {
    let title = match sketch.rng.random_range(0..3) {
        0 => format!("{}?", sketch.phrase(words::BUTTONS)),
        1 => sketch.phrase(words::PURPOSES),
        _ => headline(sketch.split, &mut sketch.rng),
    };
    let said = sentences(sketch.rng.random_range(1..3), sketch.split, &mut sketch.rng);
    let mut labels = sketch.phrases(words::BUTTONS, 2);
    labels.shuffle(&mut sketch.rng);
    let shadow = sketch.any(&["none", "0 6px 24px rgba(0,0,0,.35)"]);
    let top = sketch.rng.random_range(0..sketch.height / 4);
    let class = sketch.card_class();
    sketch.put(&format!(
        "<div class=\"{class}\" style=\"margin: {top}px auto 0; max-width: 340px; box-shadow: {shadow}\"><h1 data-fact=\"title\">{}</h1><p data-fact=\"said\">{said}</p>\
         <div class=\"row\" style=\"flex-wrap: nowrap\"><button class=\"second\" data-fact=\"left\">{}</button><button data-fact=\"right\">{}</button></div></div>",
        escaped(&title),
        escaped(&labels[0]),
        escaped(&labels[1])
    ));
    sketch.ask_title();
    sketch.ask(
        "page-button",
        "left",
        &[
            "What does the left button say?",
            "Which label has the first button?",
            "What is on the button on the left?",
        ],
    );
    sketch.ask(
        "page-button",
        "right",
        &[
            "What does the right button say?",
            "Which label has the second button?",
            "What is on the button on the right?",
        ],
    );
    sketch.ask(
        "page-text",
        "said",
        &[
            "What does the message say?",
            "Read the text below the title.",
        ],
    );
}

/// The front page of a firm: a menu, a claim, a button.
pub(super) fn site(sketch: &mut Sketch) {
    let brand = sketch.phrase(words::BRANDS);
    let count = if sketch.width < 320 { 2 } else { 3 };
    let menu = sketch.phrases(words::MENU, count);
    let links: String = menu
        .iter()
        .enumerate()
        .map(|(index, word)| {
            format!(
                "<a href=\"/{}\" data-fact=\"link{index}\">{word}</a>",
                word.to_lowercase()
            )
        })
        .collect();
    let claim = match sketch.rng.random_range(0..3) {
        0 => format!("The {} for everyone", sketch.phrase(words::THINGS)),
        1 => headline(sketch.split, &mut sketch.rng),
        _ => format!(
            "{} {}s, made in {}",
            sketch.phrase(words::QUALITIES),
            sketch.phrase(words::THINGS),
            sketch.phrase(words::PLACES)
        ),
    };
    let said = sentences(1, sketch.split, &mut sketch.rng);
    let button = sketch.lone_button();
    let banner = if sketch.chance(0.4) {
        let (ink, field) = (sketch.look.on_accent.clone(), sketch.look.accent.clone());
        format!(" style=\"background: {field}; color: {ink}; padding: 8px\"")
    } else {
        String::new()
    };
    let art = if sketch.chance(0.5) {
        sketch.art(sketch.width - 40, sketch.height / 5)
    } else {
        String::new()
    };
    sketch.put(&format!(
        "<nav class=\"row\" style=\"justify-content: space-between; margin-bottom: 10px\"><b data-fact=\"brand\">{brand}</b><span>{links}</span></nav>\
         <div{banner}><h1 data-fact=\"title\">{}</h1><p>{said}</p></div>{art}{button}",
        escaped(&claim)
    ));
    sketch.ask_title();
    sketch.ask(
        "page-text",
        "brand",
        &[
            "What is the company called?",
            "Whose site is this?",
            "What is the name at the top?",
        ],
    );
    let index = sketch.rng.random_range(0..menu.len());
    let place = ["first", "second", "third"][index];
    sketch.ask(
        "page-link",
        &format!("link{index}"),
        &[format!("What is the {place} link of the menu?").as_str()],
    );
}
