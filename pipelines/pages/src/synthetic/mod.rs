//! Pages made up by lot, with exact answers: small enough that a small model can read them.
//!
//! number and seed -> [`Made`]: the page, its window, and what is asked about its marked parts.
//! The answer to a question is what the rendered page shows at the mark, so it is as exact as the
//! picture: a part that is cut off or covered is not asked about.

mod chart;
mod dates;
mod look;
mod made_up;
mod pages;
mod reading;
mod shop;
pub mod words;

use pipeline::Split;
use rand::seq::IndexedRandom;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use sha2::{Digest, Sha256};

use crate::view::{Extent, View};
use look::Look;

/// A page made up by lot.
#[derive(Debug, Clone)]
pub struct Made {
    /// The page.
    pub html: String,
    /// The window it is made for.
    pub view: View,
    /// How much of it is shown.
    pub extent: Extent,
    /// Kind of page, such as `card`.
    pub genre: &'static str,
    /// What is asked about it.
    pub asks: Vec<Ask>,
}

/// A question about a marked part of a page.
#[derive(Debug, Clone, PartialEq)]
pub struct Ask {
    /// Task it belongs to, such as `page-price`.
    pub kind: &'static str,
    /// The question.
    pub question: String,
    /// The mark whose text is the answer.
    pub mark: String,
    /// The answer where it is not the text of the mark, which must be in view all the same.
    pub answer: Option<String>,
}

/// What a page is drawn with.
pub(crate) struct Sketch {
    rng: ChaCha8Rng,
    split: Split,
    look: Look,
    width: u32,
    height: u32,
    body: String,
    asks: Vec<Ask>,
}

type Draw = fn(&mut Sketch);

/// Every genre, common ones more often.
const GENRES: &[(&str, Draw)] = &[
    ("card", shop::card),
    ("card", shop::card),
    ("listing", shop::listing),
    ("receipt", shop::receipt),
    ("form", pages::form),
    ("form", pages::form),
    ("table", pages::table),
    ("notice", pages::notice),
    ("site", pages::site),
    ("article", reading::article),
    ("article", reading::article),
    ("plans", shop::plans),
    ("chart", chart::bars),
    ("chart", chart::line),
    ("chart", chart::pie),
];

/// Draws the page with this number, the same for the same seed whatever was drawn before.
/// `fonts` are the families it may load from `/fonts/INDEX-WEIGHT`.
pub fn draw(seed: u64, index: u64, split: Split, fonts: &[String]) -> Made {
    let name = format!("{seed}/page/{}/{index}", split.name());
    let mut rng = ChaCha8Rng::from_seed(Sha256::digest(name).into());
    let &(genre, draw) = GENRES.choose(&mut rng).expect("there are genres");
    let look = Look::draw(fonts, &mut rng);
    // Sides of whole patches of 16 pixels: nothing is lost at the edges.
    let (width, height) = (
        16 * rng.random_range(14..=28),
        16 * rng.random_range(14..=28),
    );
    let mut sketch = Sketch {
        rng,
        split,
        look,
        width,
        height,
        body: String::new(),
        asks: Vec::new(),
    };
    draw(&mut sketch);
    // Most pages end where their contents do.
    let extent = if sketch.chance(0.75) {
        Extent::Fitted
    } else {
        Extent::Screen
    };
    let Sketch {
        look, body, asks, ..
    } = sketch;
    let title = asks
        .iter()
        .find(|ask| ask.kind == "page-title")
        .map_or(genre, |_| "Page");
    let html = format!(
        "<!DOCTYPE html><html lang=\"en\"><head><meta charset=\"utf-8\"><title>{title}</title>\
         <style>{}</style></head><body>{body}</body></html>",
        look.css(fonts)
    );
    let view = View {
        width,
        height,
        scale: 1.0,
        mobile: false,
    };
    Made {
        html,
        view,
        extent,
        genre,
        asks,
    }
}

impl Sketch {
    /// Adds to the page.
    fn put(&mut self, html: &str) {
        self.body.push_str(html);
    }

    /// One of a list's entries, of those of the split.
    fn pick<T: Copy>(&mut self, list: &[T]) -> T {
        *words::pick(list, self.split, &mut self.rng)
    }

    /// As [`Sketch::pick`], often made up in training.
    fn phrase(&mut self, list: &[&str]) -> String {
        let known: &&str = words::pick(list, self.split, &mut self.rng);
        made_up::phrase(known, self.split, &mut self.rng)
    }

    /// As several [`Sketch::phrase`]s of different entries.
    fn phrases(&mut self, list: &[&str], count: usize) -> Vec<String> {
        let known = words::several(list, count, self.split, &mut self.rng);
        let (split, rng) = (self.split, &mut self.rng);
        let known = known.into_iter();
        known.map(|one| made_up::phrase(one, split, rng)).collect()
    }

    /// One of several wordings, or layouts; these are the same in both splits.
    fn any<'a>(&mut self, list: &[&'a str]) -> &'a str {
        list.choose(&mut self.rng).copied().unwrap_or_default()
    }

    fn chance(&mut self, probability: f64) -> bool {
        self.rng.random_bool(probability)
    }

    /// Asks for the text at a mark.
    fn ask(&mut self, kind: &'static str, mark: &str, wordings: &[&str]) {
        let question = self.any(wordings).to_owned();
        self.asks.push(Ask {
            kind,
            question,
            mark: mark.to_owned(),
            answer: None,
        });
    }

    /// Asks something whose answer is not the text at the mark.
    fn ask_for(&mut self, kind: &'static str, mark: &str, question: String, answer: String) {
        self.asks.push(Ask {
            kind,
            question,
            mark: mark.to_owned(),
            answer: Some(answer),
        });
    }

    /// Asks for the title, which is marked `title`.
    fn ask_title(&mut self) {
        self.ask("page-title", "title", &crate::wording::TITLE);
    }

    /// A button, marked by its number.
    fn button(&mut self, mark: &str, second: bool) -> String {
        let label = self.phrase(words::BUTTONS);
        let class = if second { " class=\"second\"" } else { "" };
        format!(
            "<button{class} data-fact=\"{mark}\">{}</button>",
            escaped(&label)
        )
    }

    /// One button, asked about.
    fn lone_button(&mut self) -> String {
        self.ask("page-button", "button", &crate::wording::BUTTON);
        self.button("button", false)
    }

    /// A little picture in place of a photograph: shapes in the page's colours.
    fn art(&mut self, width: u32, height: u32) -> String {
        let (hue, dark) = (self.rng.random_range(0..360), self.look.dark);
        let light = if dark { 30 } else { 80 };
        let mut shapes = String::new();
        for _ in 0..self.rng.random_range(2..6) {
            let (x, y) = (
                self.rng.random_range(0..width),
                self.rng.random_range(0..height),
            );
            let (size, turn) = (
                self.rng.random_range(8..height.max(9)),
                self.rng.random_range(0..90),
            );
            let (hue, light) = (
                hue + self.rng.random_range(0..90),
                self.rng.random_range(35..70),
            );
            let fill = format!("fill=\"hsl({}, 55%, {light}%)\"", hue % 360);
            let shape = match self.rng.random_range(0..3) {
                0 => format!("<circle cx=\"{x}\" cy=\"{y}\" r=\"{}\" {fill}/>", size / 2),
                1 => format!(
                    "<rect x=\"{x}\" y=\"{y}\" width=\"{size}\" height=\"{size}\" transform=\"rotate({turn} {x} {y})\" {fill}/>"
                ),
                _ => format!(
                    "<path d=\"M{x} {y}l{size} {}l-{} {size}z\" {fill}/>",
                    size / 3,
                    size / 2
                ),
            };
            shapes.push_str(&shape);
        }
        format!(
            "<svg width=\"{width}\" height=\"{height}\" viewBox=\"0 0 {width} {height}\" style=\"border-radius: {}px; margin: 0 auto 6px\">\
             <rect width=\"{width}\" height=\"{height}\" fill=\"hsl({hue}, 40%, {light}%)\"/>{shapes}</svg>",
            self.look.radius_px
        )
    }

    /// Classes of a box: a card, at times with a line around it.
    fn card_class(&mut self) -> &'static str {
        self.any(&["card", "card lined", "card"])
    }
}

/// Text as HTML.
pub(crate) fn escaped(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('"', "&quot;")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_depends_on_seed_number_and_split_alone() {
        let fonts = ["Lato".to_owned(), "Hack".to_owned()];
        let html = |seed, index, split| draw(seed, index, split, &fonts).html;
        assert_eq!(html(1, 2, Split::Train), html(1, 2, Split::Train));
        let others = [
            html(2, 2, Split::Train),
            html(1, 3, Split::Train),
            html(1, 2, Split::Test),
        ];
        assert!(
            others
                .iter()
                .all(|other| *other != html(1, 2, Split::Train))
        );
    }

    #[test]
    fn every_question_is_about_a_part_that_is_there() {
        for index in 0..600 {
            let split = if index % 2 == 0 {
                Split::Train
            } else {
                Split::Test
            };
            let made = draw(5, index, split, &[]);
            assert!(!made.asks.is_empty(), "{}", made.genre);
            for ask in &made.asks {
                let mark = format!("data-fact=\"{}\"", ask.mark);
                assert_eq!(
                    made.html.matches(&mark).count(),
                    1,
                    "{}: {mark}",
                    made.genre
                );
                assert!(
                    ask.question.ends_with(['?', '.']) && !ask.question.contains('{'),
                    "{}",
                    ask.question
                );
            }
            assert!(made.html.len() < 20_000);
        }
    }
}
