//! Closer looks at a made-up page: parts of its picture, with the questions that can be answered
//! from them.
//!
//! Rendering a page takes a third of a second of processor and cutting it none, and a model that
//! sees a page once as a whole and several times in part, each time elsewhere and in another size,
//! learns it by heart more slowly.

use avocet_browser::Rendered;
use avocet_browser::snapshot::{Fact, PageSnapshot};
use avocet_media::Picture;
use rand::Rng;
use rand::seq::{IndexedRandom, SliceRandom};
use rand_chacha::ChaCha8Rng;

use crate::questions::{self, Asked};
use crate::synthetic::{Ask, Made};

/// Parts of each page.
const LOOKS: usize = 3;
/// The least side of a part: as a share of the page's, and in pixels.
const LEAST: (f64, f64) = (0.35, 96.0);
/// Space around what is asked for.
const SPACE: f64 = 4.0;

/// A part of a page, and what is asked about it.
pub(crate) struct Look {
    pub picture: Picture,
    pub asked: Vec<Asked>,
}

/// Draws parts of `rendered`, each with at least one thing that is asked for.
pub(crate) fn looks(made: &Made, rendered: &Rendered, rng: &mut ChaCha8Rng) -> Vec<Look> {
    // A chart says nothing without its other half.
    if made.genre == "chart" {
        return Vec::new();
    }
    let Rendered { picture, seen } = rendered;
    let asked_for: Vec<&Fact> = (seen.facts.iter())
        .filter(|fact| fact.whole && made.asks.iter().any(|ask| ask.mark == fact.name))
        .collect();
    let mut looks = Vec::new();
    for _ in 0..LOOKS {
        let Some(fact) = asked_for.choose(rng) else {
            break;
        };
        let across = side(fact.place[0], fact.place[2], picture.width, rng);
        let down = side(fact.place[1], fact.place[3], picture.height, rng);
        let ((left, right), (top, bottom)) = (across, down);
        let part = seen.part([left as f64, top as f64, right as f64, bottom as f64]);
        let asks: Vec<Ask> = (made.asks.iter())
            .filter(|ask| answered(ask, seen, &part))
            .cloned()
            .collect();
        let mut asked = questions::about_made(&asks, &part, rng);
        let Some(picture) = picture.part([left, top, right, bottom]) else {
            continue;
        };
        asked.shuffle(rng);
        if !asked.is_empty() {
            looks.push(Look { picture, asked });
        }
    }
    looks
}

/// A stretch of `0..length` that holds `from..to`.
fn side(from: f64, to: f64, length: usize, rng: &mut ChaCha8Rng) -> (usize, usize) {
    let whole = length as f64;
    let least = (to - from + 2.0 * SPACE)
        .max(LEAST.0 * whole)
        .max(LEAST.1)
        .min(whole);
    let size = rng.random_range(least..=whole).round();
    let first = (to + SPACE - size).clamp(0.0, whole - size);
    let last = (from - SPACE).clamp(first, (whole - size).max(first));
    let start = rng.random_range(first..=last).floor();
    (start as usize, ((start + size) as usize).min(length))
}

/// Whether `part` says the answer, and shows whatever of the `page` the question speaks of.
fn answered(ask: &Ask, page: &PageSnapshot, part: &PageSnapshot) -> bool {
    let fact = part.facts.iter().find(|fact| fact.name == ask.mark);
    let says = fact.is_some_and(|fact| {
        fact.whole && ask.answer.as_ref().is_none_or(|told| *told == fact.text)
    });
    let named = |text: &str| text.chars().count() > 2 && ask.question.contains(text);
    says && (page.lines.iter())
        .filter(|line| named(&line.text))
        .all(|line| (part.lines.iter()).any(|shown| shown.whole && shown.text == line.text))
}

#[cfg(test)]
mod tests {
    use super::*;
    use avocet_browser::snapshot::Line;
    use avocet_browser::{Extent, View};
    use rand::SeedableRng;

    fn fact(name: &str, text: &str, place: [f64; 4]) -> Fact {
        let (name, text) = (name.into(), text.into());
        Fact {
            name,
            text,
            place,
            whole: true,
        }
    }

    fn ask(mark: &str, question: &str, answer: Option<&str>) -> Ask {
        Ask {
            kind: "page-price",
            question: question.into(),
            mark: mark.into(),
            answer: answer.map(str::to_owned),
        }
    }

    /// A page with a title above and a lamp and its price at the bottom.
    fn page() -> (Made, Rendered) {
        let view = View {
            width: 300,
            height: 400,
            scale: 1.0,
            mobile: false,
        };
        let made = Made {
            html: String::new(),
            view,
            extent: Extent::Screen,
            genre: "card",
            asks: vec![
                ask("title", "What is the title?", None),
                ask("price", "What does Lamp cost?", Some("$5")),
                ask("price", "How many things are there?", Some("three")),
            ],
        };
        let facts = vec![
            fact("title", "Our shop", [10.0, 10.0, 120.0, 40.0]),
            fact("price", "$5", [200.0, 350.0, 240.0, 370.0]),
        ];
        let line = Line {
            text: "Lamp".into(),
            place: [20.0, 350.0, 60.0, 370.0],
            block: 1,
            pre: false,
            whole: true,
        };
        let seen = PageSnapshot {
            width: 300.0,
            height: 400.0,
            facts,
            lines: vec![line],
            ..PageSnapshot::default()
        };
        let picture = Picture::from_rgb(300, 400, vec![200; 3 * 300 * 400]).unwrap();
        (made, Rendered { picture, seen })
    }

    #[test]
    fn a_part_shows_what_it_is_asked_about() {
        let (made, rendered) = page();
        let mut rng = ChaCha8Rng::seed_from_u64(1);
        let (mut titles, mut prices, mut both) = (0, 0, 0);
        for _ in 0..60 {
            for look in looks(&made, &rendered, &mut rng) {
                let asks = |question: &str| look.asked.iter().any(|one| one.question == question);
                let (title, price) = (asks("What is the title?"), asks("What does Lamp cost?"));
                assert!(!asks("How many things are there?"));
                // The lamp's name and price lie 220 pixels apart.
                assert!(!price || look.picture.width >= 220);
                assert!(!(title && price) || look.picture.height >= 360);
                assert!(look.picture.width <= 300 && look.picture.height <= 400);
                titles += usize::from(title);
                prices += usize::from(price);
                both += usize::from(title && price);
            }
        }
        assert!(
            titles > 40 && prices > 10 && both < prices,
            "{titles} {prices} {both}"
        );
    }

    #[test]
    fn a_chart_is_seen_whole() {
        let (mut made, rendered) = page();
        made.genre = "chart";
        let mut rng = ChaCha8Rng::seed_from_u64(1);
        assert!(looks(&made, &rendered, &mut rng).is_empty());
    }
}
