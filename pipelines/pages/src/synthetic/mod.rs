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
mod sketch;
pub mod words;

use avocet_browser::{Extent, View};
use pipeline::Split;
use rand::seq::IndexedRandom;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use sha2::{Digest, Sha256};

use look::Look;
pub use sketch::Ask;
use sketch::Sketch;

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
