//! Pages that are read: articles.

use rand::Rng;

use super::dates::date;
use super::sketch::{Sketch, escaped};
use super::words::{self, headline, sentences};

/// A headline, who wrote it and when, and some text.
pub(super) fn article(sketch: &mut Sketch) {
    let title = headline(sketch.split, &mut sketch.rng);
    let (author, day) = (sketch.pick(words::NAMES), date(&mut sketch.rng));
    let mut html = String::from("<article>");
    if sketch.chance(0.3) {
        html += &format!("<p class=\"soft\">{}</p>", sketch.phrase(words::MENU));
    }
    html += &format!("<h1 data-fact=\"title\">{}</h1>", escaped(&title));
    let by = sketch.any(&["by ", "By ", "", "Text: "]);
    html += &format!("<p class=\"soft\">{by}<span data-fact=\"author\">{author}</span>");
    html += sketch.any(&[", ", " \u{b7} ", "<br>", " | "]);
    html += &format!("<span data-fact=\"date\">{day}</span></p>");
    if sketch.chance(0.35) {
        html += &sketch.art(sketch.width - 30, sketch.height / 5);
    }
    let first = sentences(sketch.rng.random_range(1..4), sketch.split, &mut sketch.rng);
    html += &format!("<p data-fact=\"first\">{first}</p>");
    if sketch.chance(0.5) {
        let section = sketch.any(&[
            "What comes next",
            "Background",
            "How to get there",
            "In short",
            "The details",
            "Opening hours",
        ]);
        let more = sentences(sketch.rng.random_range(1..4), sketch.split, &mut sketch.rng);
        html += &format!("<h2 data-fact=\"section\">{section}</h2><p>{more}</p>");
        sketch.ask(
            "page-heading",
            "section",
            &[
                "What heading comes after the title?",
                "What is the second heading?",
                "Which section follows the first paragraph?",
            ],
        );
    }
    if sketch.chance(0.4) {
        let label = sketch.any(&[
            "Read on",
            "More stories",
            "All articles",
            "Print this page",
            "Subscribe to the paper",
            "Older news",
        ]);
        html += &format!("<p><a href=\"/more\" data-fact=\"link\">{label}</a></p>");
        sketch.ask(
            "page-link",
            "link",
            &[
                "What does the link say?",
                "What can be clicked below the text?",
            ],
        );
    }
    sketch.put(&(html + "</article>"));
    sketch.ask_title();
    sketch.ask(
        "page-text",
        "author",
        &[
            "Who wrote this?",
            "Who is the author?",
            "Whose article is this?",
        ],
    );
    sketch.ask(
        "page-text",
        "date",
        &[
            "When was it written?",
            "What is the date?",
            "From when is the article?",
        ],
    );
    sketch.ask(
        "page-text",
        "first",
        &[
            "What does the first paragraph say?",
            "Read the first paragraph.",
        ],
    );
}
