//! What a page is drawn with, and what is asked about it.

use rand::Rng;
use rand::seq::IndexedRandom;
use rand_chacha::ChaCha8Rng;

use super::look::Look;
use super::{made_up, words};
use pipeline::Split;

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
    pub rng: ChaCha8Rng,
    pub split: Split,
    pub look: Look,
    pub width: u32,
    pub height: u32,
    pub body: String,
    pub asks: Vec<Ask>,
}

impl Sketch {
    /// Adds to the page.
    pub fn put(&mut self, html: &str) {
        self.body.push_str(html);
    }

    /// One of a list's entries, of those of the split.
    pub fn pick<T: Copy>(&mut self, list: &[T]) -> T {
        *words::pick(list, self.split, &mut self.rng)
    }

    /// As [`Sketch::pick`], often made up in training.
    pub fn phrase(&mut self, list: &[&str]) -> String {
        let known: &&str = words::pick(list, self.split, &mut self.rng);
        made_up::phrase(known, self.split, &mut self.rng)
    }

    /// As several [`Sketch::phrase`]s of different entries.
    pub fn phrases(&mut self, list: &[&str], count: usize) -> Vec<String> {
        let known = words::several(list, count, self.split, &mut self.rng);
        let (split, rng) = (self.split, &mut self.rng);
        let known = known.into_iter();
        known.map(|one| made_up::phrase(one, split, rng)).collect()
    }

    /// One of several wordings, or layouts; these are the same in both splits.
    pub fn any<'a>(&mut self, list: &[&'a str]) -> &'a str {
        list.choose(&mut self.rng).copied().unwrap_or_default()
    }

    pub fn chance(&mut self, probability: f64) -> bool {
        self.rng.random_bool(probability)
    }

    /// Asks for the text at a mark.
    pub fn ask(&mut self, kind: &'static str, mark: &str, wordings: &[&str]) {
        let question = self.any(wordings).to_owned();
        self.asks.push(Ask {
            kind,
            question,
            mark: mark.to_owned(),
            answer: None,
        });
    }

    /// Asks something whose answer is not the text at the mark.
    pub fn ask_for(&mut self, kind: &'static str, mark: &str, question: String, answer: String) {
        self.asks.push(Ask {
            kind,
            question,
            mark: mark.to_owned(),
            answer: Some(answer),
        });
    }

    /// Asks for the title, which is marked `title`.
    pub fn ask_title(&mut self) {
        self.ask("page-title", "title", &crate::wording::TITLE);
    }

    /// A button, marked by its number.
    pub fn button(&mut self, mark: &str, second: bool) -> String {
        let label = self.phrase(words::BUTTONS);
        let class = if second { " class=\"second\"" } else { "" };
        format!(
            "<button{class} data-fact=\"{mark}\">{}</button>",
            escaped(&label)
        )
    }

    /// One button, asked about.
    pub fn lone_button(&mut self) -> String {
        self.ask("page-button", "button", &crate::wording::BUTTON);
        self.button("button", false)
    }

    /// A little picture in place of a photograph: shapes in the page's colours.
    pub fn art(&mut self, width: u32, height: u32) -> String {
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
    pub fn card_class(&mut self) -> &'static str {
        self.any(&["card", "card lined", "card"])
    }
}

/// Text as HTML.
pub(crate) fn escaped(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('"', "&quot;")
}
