//! Which continent the country of a flag is in: a question that the picture alone does not answer.
//!
//! Training asks it about two thirds of the countries, the test about the others: whoever answers
//! those has seen the flag and knew the country's place from elsewhere.

use std::collections::HashMap;

use avocet_data::Truth;
use drawing::Package;
use drawing::wording::ask;
use pipeline::Split;
use rand_chacha::ChaCha8Rng;
use serde::Deserialize;
use sha2::{Digest, Sha256};

use crate::drawn::Drawn;
use crate::error::NamedPicturesError;
use crate::flags;
use crate::named_sprites::NamedSprites;
use crate::wording;

/// Flags, and the continent of each country.
#[derive(Debug)]
pub struct Continents {
    flags: NamedSprites,
    continents: HashMap<String, String>,
}

#[derive(Deserialize)]
struct Country {
    name: String,
    continent: Option<String>,
}

/// Whether a country is asked about in the test, and so never in training.
fn is_held_out(country: &str) -> bool {
    Sha256::digest(country)[0].is_multiple_of(3)
}

impl Continents {
    /// The flags of the split's countries. Also returns each flag left out with the reason.
    ///
    /// Errors if the package lacks a file or one of its drawings cannot be read.
    pub fn load(
        package: &Package,
        split: Split,
    ) -> Result<(Self, Vec<(String, String)>), NamedPicturesError> {
        let list = "package/country.json";
        let countries: Vec<Country> =
            serde_json::from_str(&package.text(list)?).map_err(|e| package.broken(list, e))?;
        let known = |country: Country| Some((country.name, country.continent?));
        let continents: HashMap<_, _> = countries.into_iter().filter_map(known).collect();
        let (mut flags, mut left_out) = flags::load(package)?;
        flags.things.retain(|thing| {
            let reason = if !continents.contains_key(&thing.name) {
                "no continent is given"
            } else if is_held_out(&thing.name) != (split == Split::Test) {
                "belongs to the other split"
            } else {
                return true;
            };
            left_out.push((thing.name.clone(), reason.to_owned()));
            false
        });
        if flags.things.is_empty() {
            return Err(package.broken(list, "no country of the split in it").into());
        }
        Ok((Self { flags, continents }, left_out))
    }

    /// Draws one of the flags and asks where its country is.
    ///
    /// Errors if the picture cannot be written as PNG.
    pub fn draw(&self, split: Split, rng: &mut ChaCha8Rng) -> Result<Drawn, NamedPicturesError> {
        let (thing, image) = self.flags.show(split, rng)?;
        Ok(Drawn {
            image,
            question: ask(&wording::CONTINENT, rng),
            answer: self.continents[&thing.name].clone(),
            also_right: Vec::new(),
            more: Vec::new(),
            truth: Some(Truth::Name(thing.name.clone())),
            source: self.flags.source.clone(),
            licence: self.flags.licence.clone(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixture::packages;
    use rand::SeedableRng;

    #[test]
    fn each_country_is_asked_about_in_one_split() {
        let fixture = packages();
        let package = fixture.package("flag-icons");
        let asked = |split| {
            let (continents, left_out) = Continents::load(&package, split).unwrap();
            assert!(left_out.iter().any(|(_, reason)| reason.contains("split")));
            let mut rng = ChaCha8Rng::seed_from_u64(1);
            let drawn = continents.draw(split, &mut rng).unwrap();
            assert!(drawn.question.contains("ontinent"), "{}", drawn.question);
            let Some(Truth::Name(name)) = drawn.truth else {
                panic!("no name")
            };
            (name, drawn.answer)
        };
        let (train, test) = (asked(Split::Train), asked(Split::Test));
        let mut both = [train, test];
        both.sort();
        let pair = |name: &str, continent: &str| (name.to_owned(), continent.to_owned());
        assert_eq!(
            both,
            [pair("Isle of Blue", "Oceania"), pair("Redland", "Asia")]
        );
    }
}
