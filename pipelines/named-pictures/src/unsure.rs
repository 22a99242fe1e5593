//! What nobody can tell: pictures of nothing, of what cannot be made out, and questions that no
//! picture answers. The answer is that one is not sure.

use std::ops::RangeInclusive;

use drawing::wording::ask;
use drawing::{Canvas, Sprite, file_of};
use rand::Rng;
use rand::seq::IndexedRandom;
use rand_chacha::ChaCha8Rng;

use crate::drawn::Drawn;
use crate::error::NamedPicturesError;
use crate::wording;
use crate::{nothing, untold};

/// The share of questions whether there is something of a kind where there is nothing: those have an
/// answer.
const WHETHER: f64 = 0.12;
/// Right as well.
const NOT_SURE: [&str; 4] = [
    "I do not know",
    "I am not sure",
    "unknown",
    "it cannot be told",
];
/// Right as well where there is nothing to be seen.
const NOTHING: [&str; 8] = [
    "nothing",
    "noise",
    "blank",
    "a blank picture",
    "it is blank",
    "only noise",
    "a texture",
    "a pattern",
];

/// What is behind a picture: how it is painted, what is asked, and whether nothing is on it.
struct Subject {
    paint: fn((usize, usize), &[Sprite], &mut ChaCha8Rng) -> Canvas,
    sides: RangeInclusive<u32>,
    asked: &'static [&'static [&'static str]],
    empty: bool,
}

/// Everything that could be asked of a picture without anything on it.
const ANYTHING: [&[&str]; 5] = [
    &wording::THING,
    &wording::EMOJI,
    &wording::FLAG,
    &wording::TEXT,
    &wording::UNTOLD,
];

const SUBJECTS: [Subject; 11] = [
    Subject {
        paint: nothing::noise,
        sides: 16..=420,
        asked: &ANYTHING,
        empty: true,
    },
    Subject {
        paint: nothing::blank,
        sides: 16..=520,
        asked: &ANYTHING,
        empty: true,
    },
    Subject {
        paint: nothing::blurred,
        sides: 40..=520,
        asked: &ANYTHING,
        empty: true,
    },
    Subject {
        paint: nothing::remains,
        sides: 12..=300,
        asked: &ANYTHING,
        empty: true,
    },
    Subject {
        paint: nothing::texture,
        sides: 48..=520,
        asked: &ANYTHING,
        empty: true,
    },
    Subject {
        paint: nothing::scribble,
        sides: 48..=420,
        asked: &ANYTHING,
        empty: false,
    },
    Subject {
        paint: untold::plot,
        sides: 120..=560,
        asked: &[&wording::OF_PLOTS, &wording::OF_PLOTS, &wording::UNTOLD],
        empty: false,
    },
    Subject {
        paint: untold::diagram,
        sides: 120..=520,
        asked: &[&wording::OF_PLOTS, &wording::TEXT, &wording::UNTOLD],
        empty: false,
    },
    Subject {
        paint: untold::unreadable,
        sides: 80..=420,
        asked: &[&wording::TEXT, &wording::TEXT, &wording::UNTOLD],
        empty: false,
    },
    Subject {
        paint: untold::face,
        sides: 60..=400,
        asked: &[&wording::OF_PERSONS, &wording::OF_PERSONS, &wording::UNTOLD],
        empty: false,
    },
    Subject {
        paint: untold::clock,
        sides: 60..=320,
        asked: &[&wording::OF_CLOCKS],
        empty: false,
    },
];

/// A picture of which nothing is known, and a question about it. `texts` are lines in black.
///
/// Errors if the picture cannot be written.
pub fn draw(texts: &[Sprite], rng: &mut ChaCha8Rng) -> Result<Drawn, NamedPicturesError> {
    let subject = &SUBJECTS[rng.random_range(0..SUBJECTS.len())];
    let width = drawing::any_size(*subject.sides.start(), *subject.sides.end(), rng) as f32;
    let height = (width / rng.random_range(0.7..1.8f32)).max(12.0);
    let mut canvas = (subject.paint)((width as usize, height as usize), texts, rng);
    if rng.random_bool(0.2) {
        canvas.relight(rng.random_range(0.7..1.2), rng.random_range(-20.0..20.0));
    }
    let (question, answer, also_right) = if subject.empty && rng.random_bool(WHETHER) {
        let (_, wordings) = wording::KINDS.choose(rng).expect("there are kinds");
        (ask(wordings, rng), "no", Vec::new())
    } else {
        let wordings = subject
            .asked
            .choose(rng)
            .expect("every subject is asked about");
        let empty = if subject.empty { &NOTHING[..] } else { &[] };
        let also = NOT_SURE.iter().chain(empty);
        let also = also.map(|answer| (*answer).to_owned()).collect();
        (ask(wordings, rng), "not sure", also)
    };
    Ok(Drawn {
        image: file_of(canvas, rng.random_bool(0.4), rng)?,
        question,
        answer: answer.to_owned(),
        also_right,
        more: Vec::new(),
        truth: None,
        source: "made-up".to_owned(),
        licence: "CC0-1.0".to_owned(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand::SeedableRng;
    use std::collections::BTreeSet;

    #[test]
    fn every_picture_reads_and_only_what_is_empty_is_ever_denied() {
        let line = Sprite::new(90, 20, &[0, 0, 0, 255].repeat(90 * 20));
        let mut answers = BTreeSet::new();
        for seed in 0..120 {
            let mut rng = ChaCha8Rng::seed_from_u64(seed);
            let drawn = draw(std::slice::from_ref(&line), &mut rng).unwrap();
            let picture = image::load_from_memory(&drawn.image).unwrap();
            assert!(picture.width() >= 10 && picture.height() >= 8);
            assert_eq!(drawn.answer == "no", drawn.also_right.is_empty());
            answers.insert(drawn.answer);
        }
        assert_eq!(answers.into_iter().collect::<Vec<_>>(), ["no", "not sure"]);
    }

    #[test]
    fn every_subject_is_painted_in_its_smallest_and_largest_size() {
        let mut rng = ChaCha8Rng::seed_from_u64(4);
        for subject in &SUBJECTS {
            for side in [*subject.sides.start(), *subject.sides.end()] {
                let size = (side as usize, 12.max(side as usize / 2));
                let canvas = (subject.paint)(size, &[], &mut rng);
                assert_eq!((canvas.width, canvas.height), size);
                assert_eq!(canvas.pixels.len(), size.0 * size.1);
            }
        }
    }
}
