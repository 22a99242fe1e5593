//! Things that several artists drew, as training sees them: in files as people keep them, with the
//! name asked for, or whether it is one that could be meant.

use std::collections::BTreeMap;

use avocet_data::Truth;
use drawing::wording::{ask, ask_about};
use drawing::{Habits, Sprite};
use rand::Rng;
use rand::seq::IndexedRandom;
use rand_chacha::ChaCha8Rng;
use rayon::prelude::*;

use crate::drawn::Drawn;
use crate::error::NamedPicturesError;

/// The share of questions that ask whether.
const YES_NO: f64 = 0.3;
/// Of questions whether, those that ask by another name than the usual one.
const BY_ANOTHER_NAME: f64 = 0.25;
/// How many things that look most like one are known for it.
const NEAREST: usize = 6;

/// Who drew.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hand {
    /// The package.
    pub source: String,
    /// Its licence.
    pub licence: String,
}

/// What was drawn.
#[derive(Debug, Clone)]
pub struct Thing {
    /// What it is called.
    pub name: String,
    /// What it is called as well.
    pub also: Vec<String>,
    /// Things of one group are taken for each other.
    pub group: String,
    /// By whom, as a place in the list of hands, and the drawing.
    pub drawings: Vec<(usize, Sprite)>,
}

/// How things are asked for.
#[derive(Debug, Clone, Copy)]
pub struct Wordings {
    /// Those that ask for the name.
    pub what: &'static [&'static str],
    /// Those that ask whether it is `{}`.
    pub whether: &'static [&'static str],
    /// Whether a name is asked about with "a" or "an" before it.
    pub with_article: bool,
}

/// Things by several hands, and how they are asked for.
#[derive(Debug)]
pub struct ManyHands {
    things: Vec<Thing>,
    hands: Vec<Hand>,
    habits: Habits,
    wordings: Wordings,
    texts: Vec<Sprite>,
    /// For each thing those that look most like it.
    alike: Vec<Vec<usize>>,
    groups: BTreeMap<String, Vec<usize>>,
}

impl ManyHands {
    /// Keeps of the other names those that no other thing has.
    ///
    /// `texts` stand around drawings on screens. Every thing must have a drawing, and there must be two.
    pub fn new(
        mut things: Vec<Thing>,
        hands: Vec<Hand>,
        habits: Habits,
        wordings: Wordings,
        texts: Vec<Sprite>,
    ) -> Self {
        let mut holders: BTreeMap<String, usize> = BTreeMap::new();
        for thing in &mut things {
            thing.also.sort();
            thing.also.dedup();
            thing.also.retain(|name| *name != thing.name);
            for name in thing.also.iter().chain([&thing.name]) {
                *holders.entry(name.clone()).or_default() += 1;
            }
        }
        for thing in &mut things {
            thing.also.retain(|name| holders[name] == 1);
        }
        let looks: Vec<Vec<u8>> = things
            .iter()
            .map(|thing| thing.drawings[0].1.look())
            .collect();
        let alike = looks
            .par_iter()
            .enumerate()
            .map(|(index, look)| nearest(index, look, &looks))
            .collect();
        let mut groups: BTreeMap<String, Vec<usize>> = BTreeMap::new();
        for (index, thing) in things.iter().enumerate() {
            groups.entry(thing.group.clone()).or_default().push(index);
        }
        Self {
            things,
            hands,
            habits,
            wordings,
            texts,
            alike,
            groups,
        }
    }

    /// Draws one of the things and asks about it.
    ///
    /// Errors if the picture cannot be written.
    pub fn draw(&self, rng: &mut ChaCha8Rng) -> Result<Drawn, NamedPicturesError> {
        let index = rng.random_range(0..self.things.len());
        let asked = self.ask(index, rng);
        self.show(index, asked, rng)
    }

    /// Draws the thing of that number, with a question, its answer and others that are as right.
    ///
    /// Errors if the picture cannot be written.
    pub fn show(
        &self,
        index: usize,
        (question, answer, also_right): (String, String, Vec<String>),
        rng: &mut ChaCha8Rng,
    ) -> Result<Drawn, NamedPicturesError> {
        let thing = &self.things[index];
        let (hand, sprite) = thing.drawings.choose(rng).expect("every thing was drawn");
        let hand = &self.hands[*hand];
        let image = self.habits.keep(sprite, &self.texts, rng)?;
        Ok(Drawn {
            image,
            question,
            answer,
            also_right,
            more: Vec::new(),
            truth: Some(Truth::Name(thing.name.clone())),
            source: hand.source.clone(),
            licence: hand.licence.clone(),
        })
    }

    /// A question about the thing of that number, its answer, and others that are as right.
    pub fn ask(&self, index: usize, rng: &mut ChaCha8Rng) -> (String, String, Vec<String>) {
        let thing = &self.things[index];
        if !rng.random_bool(YES_NO) {
            let also = thing.also.clone();
            return (ask(self.wordings.what, rng), thing.name.clone(), also);
        }
        let yes = rng.random_bool(0.5);
        let asked = if yes { thing } else { self.other(index, rng) };
        let name = match asked.also.choose(rng) {
            Some(other) if rng.random_bool(BY_ANOTHER_NAME) => other,
            _ => &asked.name,
        };
        let answer = if yes { "yes" } else { "no" };
        let question = if self.wordings.with_article {
            ask_about(self.wordings.whether, &with_article(name), rng)
        } else {
            ask_about(self.wordings.whether, name, rng)
        };
        (question, answer.to_owned(), Vec::new())
    }

    /// A thing that is not this one: one that looks like it, one of its group, or any.
    fn other(&self, index: usize, rng: &mut ChaCha8Rng) -> &Thing {
        let group = &self.groups[&self.things[index].group];
        let chosen = match rng.random_range(0..10) {
            0..4 => self.alike[index].choose(rng),
            4..8 => group.choose(rng),
            _ => None,
        };
        match chosen {
            Some(other) if *other != index => &self.things[*other],
            _ => {
                let ahead = rng.random_range(1..self.things.len());
                &self.things[(index + ahead) % self.things.len()]
            }
        }
    }
}

/// "a horse", "an owl".
fn with_article(name: &str) -> String {
    let article = if name.starts_with(['a', 'e', 'i', 'o', 'u']) {
        "an"
    } else {
        "a"
    };
    format!("{article} {name}")
}

/// The things whose looks differ least from that of `index`.
fn nearest(index: usize, look: &[u8], looks: &[Vec<u8>]) -> Vec<usize> {
    let apart = |other: &Vec<u8>| -> u32 {
        let pairs = look.iter().zip(other);
        pairs.map(|(a, b)| u32::from(a.abs_diff(*b))).sum()
    };
    let others = (0..looks.len()).filter(|other| *other != index);
    let mut others: Vec<(u32, usize)> = others.map(|other| (apart(&looks[other]), other)).collect();
    others.sort_unstable();
    others.truncate(NEAREST);
    others.into_iter().map(|(_, other)| other).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::drawn::TRAIN;
    use crate::wording;
    use rand::SeedableRng;

    const HABITS: Habits = Habits {
        turn: 0.2,
        cut: 0.1,
        square: 0.0,
        round: 0.0,
        rounded: 0.0,
        wave: 0.0,
        grey: 0.0,
        tint: 0.1,
        grounds: &TRAIN,
    };

    fn thing(name: &str, also: &[&str], colour: [u8; 4]) -> Thing {
        Thing {
            name: name.to_owned(),
            also: also.iter().map(|name| (*name).to_owned()).collect(),
            group: "colours".to_owned(),
            drawings: vec![(0, Sprite::new(32, 24, &colour.repeat(32 * 24)))],
        }
    }

    fn set() -> ManyHands {
        let things = vec![
            thing("red", &["scarlet", "colour"], [255, 0, 0, 255]),
            thing("blue", &["azure", "colour"], [0, 0, 255, 255]),
            thing("navy", &["blue"], [0, 0, 150, 255]),
        ];
        let hand = Hand {
            source: "a test".to_owned(),
            licence: "CC0".to_owned(),
        };
        let wordings = Wordings {
            what: &wording::EMOJI,
            whether: &wording::IS_EMOJI,
            with_article: false,
        };
        ManyHands::new(things, vec![hand], HABITS, wordings, Vec::new())
    }

    #[test]
    fn a_name_that_two_things_have_is_no_other_name_of_either() {
        let names: Vec<Vec<String>> = set().things.into_iter().map(|thing| thing.also).collect();
        assert_eq!(
            names,
            [vec!["scarlet".to_owned()], vec!["azure".into()], vec![]]
        );
    }

    #[test]
    fn what_looks_most_like_a_thing_comes_first() {
        assert_eq!(set().alike[1][0], 2);
        assert_eq!(set().alike[2][0], 1);
    }

    #[test]
    fn what_is_drawn_is_what_is_told() {
        let (set, mut rng) = (set(), ChaCha8Rng::seed_from_u64(8));
        for _ in 0..9 {
            let drawn = set.draw(&mut rng).unwrap();
            assert!(image::load_from_memory(&drawn.image).is_ok());
            let Some(Truth::Name(truth)) = drawn.truth else {
                panic!("no name")
            };
            assert!(set.things.iter().any(|thing| thing.name == truth));
            assert_eq!(drawn.licence, "CC0");
        }
    }

    #[test]
    fn three_questions_in_ten_ask_whether_and_half_of_those_are_right() {
        let (set, mut rng) = (set(), ChaCha8Rng::seed_from_u64(5));
        let (mut yes, mut no, mut another) = (0, 0, 0);
        for number in 0..1200 {
            let index = number % 3;
            let thing = &set.things[index];
            let (question, answer, also_right) = set.ask(index, &mut rng);
            let says = |name: &String| question.contains(name.as_str());
            let meant = says(&thing.name) || thing.also.iter().any(says);
            match answer.as_str() {
                "yes" => {
                    assert!(meant, "{question}");
                    yes += 1;
                    another += usize::from(!says(&thing.name));
                }
                "no" => {
                    assert!(!meant, "{question}");
                    no += 1;
                }
                name => {
                    assert_eq!(name, thing.name);
                    assert_eq!(also_right, thing.also);
                }
            }
        }
        assert!((140..220).contains(&yes) && (140..220).contains(&no));
        assert!(another > 10, "{another}");
    }
}
