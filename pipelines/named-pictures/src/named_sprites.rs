//! Sprites with names, drawn on fields: the flags and emoji of the test, and those whose continent is
//! asked for. `hands` is what training sees of flags and emoji.

use avocet_data::Truth;
use drawing::wording::{ask, ask_about};
use drawing::{Placement, Sprite, field_colours};
use pipeline::Split;
use rand::Rng;
use rand::seq::IndexedRandom;
use rand_chacha::ChaCha8Rng;

use crate::drawn::{Drawn, background, size, weather};
use crate::error::NamedPicturesError;

/// A sprite and what it is called.
#[derive(Debug, Clone)]
pub struct Named {
    /// The answer to what it is.
    pub name: String,
    /// The sprite.
    pub sprite: Sprite,
}

/// A set of named sprites and how they are asked for.
#[derive(Debug)]
pub struct NamedSprites {
    /// The sprites; no two look or are called the same.
    pub things: Vec<Named>,
    /// Wordings that ask for the name.
    pub questions: &'static [&'static str],
    /// Wordings that ask whether it is `{}`.
    pub yes_no: &'static [&'static str],
    /// The share of questions that ask whether.
    pub yes_no_share: f64,
    /// The smallest and largest width drawn, in pixels.
    pub widths: (u32, u32),
    /// How far small sizes are preferred: 1 not at all.
    pub skew: f32,
    /// The widest field around the thing, as a share of its size.
    pub margin: f32,
    /// The most that it is turned, in radians.
    pub turn: f32,
    /// Where the sprites come from.
    pub source: String,
    /// The licence of the sprites.
    pub licence: String,
}

/// Keeps, of things that cannot be told apart by name or by looks, only the first.
///
/// Returns what is kept, and for each thing dropped its name and the reason.
pub fn distinct(things: Vec<Named>, least_difference: f32) -> (Vec<Named>, Vec<(String, String)>) {
    let mut kept: Vec<(Named, Sprite)> = Vec::new();
    let mut dropped = Vec::new();
    for thing in things {
        let small = thing.sprite.small();
        let twin = kept.iter().find(|(other, look)| {
            other.name == thing.name || look.is_like(&small, least_difference)
        });
        match twin {
            Some((other, _)) if other.name == thing.name => {
                dropped.push((thing.name, "a second picture of that name".to_owned()));
            }
            Some((other, _)) => {
                let reason = format!("looks like {}", other.name);
                dropped.push((thing.name, reason));
            }
            None => kept.push((thing, small)),
        }
    }
    (kept.into_iter().map(|(thing, _)| thing).collect(), dropped)
}

impl NamedSprites {
    /// Draws one of the things and asks about it.
    ///
    /// Errors if the picture cannot be written as PNG.
    pub fn draw(&self, split: Split, rng: &mut ChaCha8Rng) -> Result<Drawn, NamedPicturesError> {
        let (thing, image) = self.show(split, rng)?;
        let (question, answer) = self.ask(thing, rng);
        Ok(Drawn {
            image,
            question,
            answer,
            also_right: Vec::new(),
            more: Vec::new(),
            truth: Some(Truth::Name(thing.name.clone())),
            source: self.source.clone(),
            licence: self.licence.clone(),
        })
    }

    /// One of the things, and a picture of it as a PNG file.
    ///
    /// Errors if the picture cannot be written.
    pub fn show(
        &self,
        split: Split,
        rng: &mut ChaCha8Rng,
    ) -> Result<(&Named, Vec<u8>), NamedPicturesError> {
        let thing = self
            .things
            .choose(rng)
            .expect("the set was checked to have things");
        Ok((thing, self.picture(thing, split, rng)?))
    }

    fn picture(
        &self,
        thing: &Named,
        split: Split,
        rng: &mut ChaCha8Rng,
    ) -> Result<Vec<u8>, NamedPicturesError> {
        let (low, high) = self.widths;
        let width = size(low, high, self.skew, split, rng) as f32;
        let height = width / thing.sprite.aspect();
        let angle = if rng.random_bool(0.5) {
            0.0
        } else {
            rng.random_range(-self.turn..self.turn)
        };
        let (sin, cos) = (f32::sin(angle).abs(), f32::cos(angle).abs());
        let (reach_x, reach_y) = (width * cos + height * sin, width * sin + height * cos);
        let mut around = |reach: f32| {
            let before = rng.random_range(0.0..=self.margin) * reach;
            let after = rng.random_range(0.0..=self.margin) * reach;
            (
                (reach + before + after).round().max(8.0) as usize,
                before + reach / 2.0,
            )
        };
        let (canvas_width, x) = around(reach_x);
        let (canvas_height, y) = around(reach_y);
        let (a, b) = field_colours(rng);
        let mut canvas = background(split, rng).paint(canvas_width, canvas_height, a, b, rng);
        thing.sprite.draw(
            &mut canvas,
            Placement {
                centre: (x, y),
                size: (width, height),
                angle,
            },
        );
        weather(&mut canvas, rng);
        Ok(canvas.to_png()?)
    }

    fn ask(&self, thing: &Named, rng: &mut ChaCha8Rng) -> (String, String) {
        if !rng.random_bool(self.yes_no_share) {
            return (ask(self.questions, rng), thing.name.clone());
        }
        let yes = rng.random_bool(0.5);
        let other = self
            .things
            .choose(rng)
            .expect("the set was checked to have things");
        let asked = if yes { thing } else { other };
        let answer = if asked.name == thing.name {
            "yes"
        } else {
            "no"
        };
        (ask_about(self.yes_no, &asked.name, rng), answer.to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wording;
    use rand::SeedableRng;

    fn plain(name: &str, colour: [u8; 4]) -> Named {
        Named {
            name: name.to_owned(),
            sprite: Sprite::new(32, 24, &colour.repeat(32 * 24)),
        }
    }

    fn set() -> NamedSprites {
        let things = vec![
            plain("red", [255, 0, 0, 255]),
            plain("blue", [0, 0, 255, 255]),
        ];
        NamedSprites {
            things,
            questions: &wording::EMOJI,
            yes_no: &wording::IS_EMOJI,
            yes_no_share: 0.5,
            widths: (32, 112),
            skew: 1.5,
            margin: 0.2,
            turn: 0.2,
            source: "a test".to_owned(),
            licence: "CC0".to_owned(),
        }
    }

    #[test]
    fn twins_by_name_or_looks_are_dropped_with_the_reason() {
        let things = vec![
            plain("red", [255, 0, 0, 255]),
            plain("blue", [0, 0, 255, 255]),
            plain("crimson", [253, 0, 0, 255]),
            plain("blue", [0, 255, 0, 255]),
        ];
        let (kept, dropped) = distinct(things, 3.0);
        assert_eq!(
            kept.iter().map(|t| t.name.as_str()).collect::<Vec<_>>(),
            ["red", "blue"]
        );
        let reasons: Vec<_> = dropped
            .iter()
            .map(|(n, r)| (n.as_str(), r.as_str()))
            .collect();
        assert_eq!(
            reasons,
            [
                ("crimson", "looks like red"),
                ("blue", "a second picture of that name")
            ]
        );
    }

    #[test]
    fn answers_agree_with_their_questions() {
        let (set, mut rng) = (set(), ChaCha8Rng::seed_from_u64(5));
        let mut whether = 0;
        for _ in 0..400 {
            let drawn = set.draw(Split::Test, &mut rng).unwrap();
            let Some(Truth::Name(truth)) = drawn.truth else {
                panic!("no name")
            };
            match drawn.answer.as_str() {
                "yes" => assert!(drawn.question.contains(&truth), "{}", drawn.question),
                "no" => assert!(!drawn.question.contains(&truth), "{}", drawn.question),
                name => assert_eq!(name, truth),
            }
            whether += usize::from(["yes", "no"].contains(&drawn.answer.as_str()));
        }
        assert!((150..250).contains(&whether), "{whether} of 400");
    }
}
