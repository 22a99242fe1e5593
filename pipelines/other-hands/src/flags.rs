//! Flags of countries by other hands: flat files of two packages, cut round, and waving.

use std::collections::BTreeMap;

use drawing::{Package, PackageError};
use image::RgbaImage;
use rand::Rng;
use rand::seq::IndexedRandom;
use rand_chacha::ChaCha8Rng;
use serde::Deserialize;

use crate::asked::{Asked, Made, Maker, yes_or_no};
use crate::emoji;
use crate::error::OtherHandsError;
use crate::files::Manner;
use crate::icons::{Icons, RASTER};
use crate::order::shuffled;
use crate::svg::raster;

/// The names of countries, in training's own package.
const LIST: &str = "package/country.json";
const WHICH: [&str; 6] = [
    "Which country's flag is this?",
    "What country does this flag belong to?",
    "Whose flag is this?",
    "Name the country of this flag.",
    "What flag is shown?",
    "Which flag do you see?",
];
const WHETHER: [&str; 3] = [
    "Is this the flag of {}?",
    "Does this flag belong to {}?",
    "Do you see the flag of {}?",
];
/// One question in so many asks whether.
const WHETHER_SHARE: usize = 5;
/// Parts of countries and islands that fly the flag of another, or none that is known.
const NOT_ASKED: &str = "aq bl bq bv cp dg ea eh eu gf gp hm ic mf mq nc pm re sh sj ta tf um un wf \
    xx yt";
/// Countries whose flags differ in shade or shape only: any of a row is right.
const ALIKE: [&[&str]; 2] = [&["id", "mc"], &["ro", "td"]];
/// Other names of countries, by code.
#[rustfmt::skip]
const ALSO: &[(&str, &[&str])] = &[
    ("ae", &["UAE", "Emirates"]), ("bn", &["Brunei"]), ("bo", &["Bolivia"]),
    ("cd", &["Democratic Republic of the Congo", "DR Congo"]), ("cf", &["Central Africa"]),
    ("cg", &["Congo", "Republic of the Congo"]), ("ci", &["Ivory Coast", "Cote d'Ivoire"]),
    ("cv", &["Cape Verde", "Cabo Verde"]), ("cz", &["Czechia", "Czech Republic"]),
    ("fk", &["Falkland Islands"]), ("fm", &["Micronesia"]), ("gb", &["UK", "Great Britain", "Britain"]),
    ("ir", &["Iran"]), ("kp", &["North Korea"]), ("kr", &["South Korea", "Korea"]), ("la", &["Laos"]),
    ("md", &["Moldova"]), ("mk", &["North Macedonia", "Macedonia"]), ("mm", &["Myanmar", "Burma"]),
    ("nl", &["Holland"]), ("ps", &["Palestine"]), ("ru", &["Russia"]), ("sy", &["Syria"]),
    ("sz", &["Eswatini", "Swaziland"]), ("tl", &["East Timor", "Timor-Leste"]),
    ("tr", &["Turkey", "Türkiye"]), ("tw", &["Taiwan"]), ("tz", &["Tanzania"]),
    ("us", &["United States", "United States of America", "USA", "US", "America"]),
    ("va", &["Vatican", "Vatican City", "Holy See"]), ("ve", &["Venezuela"]), ("vn", &["Vietnam"]),
];

#[derive(Deserialize)]
struct Country {
    code: String,
    name: String,
    iso: bool,
}

/// Where a drawing is.
enum Drawn {
    Svg { package: usize, member: String },
    Icon(String),
    Shipped(String),
}

/// A set of flags.
pub(crate) struct Flags {
    packages: Vec<Package>,
    icons: Option<Icons>,
    manners: &'static [Manner],
    /// The code of a country and its drawing.
    things: Vec<(String, Drawn)>,
    /// The names of each code.
    names: BTreeMap<String, Vec<String>>,
}

impl Flags {
    /// Flat files: of `packages` those of `svg-country-flags` and of `country-flag-icons`, the
    /// latter also square.
    ///
    /// Errors if a package is not what it should be.
    pub fn of_files(
        packages: &[Package],
        names: &Package,
        rng: &mut ChaCha8Rng,
    ) -> Result<Self, OtherHandsError> {
        let mut found = Vec::new();
        for (number, package) in packages.iter().enumerate() {
            for member in package.files(&[".svg"])? {
                let path = member.strip_prefix("package/").unwrap_or(&member);
                let Some((folder, file)) = path.split_once('/') else {
                    continue;
                };
                let code = file.trim_end_matches(".svg").to_lowercase();
                if matches!(folder, "svg" | "3x2" | "1x1") {
                    let package = number;
                    found.push((code, Drawn::Svg { package, member }));
                }
            }
        }
        Self::new(
            packages.to_vec(),
            None,
            &Manner::RECTANGLES,
            found,
            (names, rng),
        )
    }

    /// Flags cut round, of an icon set.
    ///
    /// Errors if a package is not what it should be.
    pub fn round(
        package: &Package,
        names: &Package,
        rng: &mut ChaCha8Rng,
    ) -> Result<Self, OtherHandsError> {
        let icons = Icons::read(package)?;
        let found = icons
            .names()
            .map(|name| (name.to_owned(), Drawn::Icon(name.into())));
        let found = found.collect();
        let packages = vec![package.clone()];
        Self::new(packages, Some(icons), &Manner::CUT_OUT, found, (names, rng))
    }

    /// Flags that wave, as emoji.
    ///
    /// Errors if a package is not what it should be.
    pub fn waving(
        package: &Package,
        names: &Package,
        rng: &mut ChaCha8Rng,
    ) -> Result<Self, OtherHandsError> {
        let found = emoji::flags(package)?.into_iter();
        let found = found.map(|(code, image)| (code, Drawn::Shipped(image)));
        let found = found.collect();
        Self::new(
            vec![package.clone()],
            None,
            &Manner::CUT_OUT,
            found,
            (names, rng),
        )
    }

    fn new(
        packages: Vec<Package>,
        icons: Option<Icons>,
        manners: &'static [Manner],
        mut found: Vec<(String, Drawn)>,
        (named, rng): (&Package, &mut ChaCha8Rng),
    ) -> Result<Self, OtherHandsError> {
        let names = countries(named)?;
        found.retain(|(code, _)| names.contains_key(code));
        if found.len() < 2 {
            return Err(packages[0]
                .broken("", "fewer than two flags of countries")
                .into());
        }
        Ok(Self {
            packages,
            icons,
            manners,
            things: shuffled(found, rng),
            names,
        })
    }

    fn drawing(&self, drawn: &Drawn) -> Result<Option<RgbaImage>, PackageError> {
        match drawn {
            Drawn::Svg { package, member } => {
                Ok(raster(&self.packages[*package].read(member)?, RASTER))
            }
            Drawn::Icon(name) => Ok(self.icons.as_ref().and_then(|icons| icons.drawing(name))),
            Drawn::Shipped(image) => emoji::shipped(&self.packages[0], image).map(Some),
        }
    }

    /// All names that are right for a flag.
    fn answers(&self, code: &str) -> Vec<String> {
        let row = ALIKE.iter().find(|row| row.contains(&code));
        let others = row.into_iter().flat_map(|row| row.iter());
        let others = others.copied().filter(|other| *other != code);
        let codes = std::iter::once(code).chain(others);
        let names = codes.filter_map(|code| self.names.get(code));
        names.flatten().cloned().collect()
    }
}

/// The names of countries by code: training's first.
fn countries(package: &Package) -> Result<BTreeMap<String, Vec<String>>, PackageError> {
    let countries: Vec<Country> =
        serde_json::from_str(&package.text(LIST)?).map_err(|error| package.broken(LIST, error))?;
    let asked = |country: &Country| {
        country.iso
            && !NOT_ASKED
                .split_whitespace()
                .any(|code| code == country.code)
    };
    let named = |country: Country| {
        let also = ALSO.iter().find(|(code, _)| *code == country.code);
        let also = also.map_or(&[][..], |(_, names)| names);
        let also = also.iter().map(|name| (*name).to_owned());
        let mut names = vec![country.name];
        names.extend(also);
        (country.code, names)
    };
    Ok(countries.into_iter().filter(asked).map(named).collect())
}

impl Maker for Flags {
    fn len(&self) -> usize {
        self.things.len()
    }

    fn make(&self, index: usize, rng: &mut ChaCha8Rng) -> Result<Made, OtherHandsError> {
        let (code, drawn) = &self.things[index];
        let package = match drawn {
            Drawn::Svg { package, .. } => *package,
            Drawn::Icon(_) | Drawn::Shipped(_) => 0,
        };
        let Some(drawing) = self.drawing(drawn)? else {
            return Ok(Made::Unfit("the drawing does not read"));
        };
        let manner = *self.manners.choose(rng).expect("there are manners");
        let picture = manner.file(&drawing, rng);
        let picture = picture.map_err(OtherHandsError::picture(code))?;
        let answers = self.answers(code);
        let (question, answers) = if index % WHETHER_SHARE == WHETHER_SHARE - 1 {
            let yes = (index / WHETHER_SHARE).is_multiple_of(2);
            let other = rng.random_range(0..self.names.len());
            let mut others = self.names.values().cycle().skip(other);
            let other = others.find(|names| !answers.contains(&names[0]));
            let other = other.map_or(&answers[0], |names| &names[0]);
            let name = if yes { &answers[0] } else { other };
            let wording = WHETHER.choose(rng).expect("there are wordings");
            (wording.replace("{}", name), yes_or_no(yes))
        } else {
            let wording = *WHICH.choose(rng).expect("there are wordings");
            (wording.to_owned(), answers)
        };
        Ok(Made::Asked(vec![Asked {
            kind: manner.kind(),
            source: self.packages[package].name.clone(),
            licence: self.packages[package].licence.clone(),
            picture,
            question,
            answers,
            spelled: false,
        }]))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixture;
    use rand::SeedableRng;

    #[test]
    fn flags_that_nobody_tells_apart_are_right_by_either_name() {
        let fixture = fixture::packages();
        let mut rng = ChaCha8Rng::seed_from_u64(1);
        let packages = [fixture.flags.clone(), fixture.flags.clone()];
        let set = Flags::of_files(&packages, &fixture.countries, &mut rng).unwrap();
        assert_eq!(set.answers("mc"), ["Monaco", "Indonesia"]);
        assert!(set.answers("us").contains(&"USA".to_owned()));
        assert!(set.things.iter().all(|(code, _)| code != "eu"));
        for index in 0..set.len() {
            let Made::Asked(asked) = set.make(index, &mut rng).unwrap() else {
                panic!("a flag that reads gives a question")
            };
            assert!(image::load_from_memory(&asked[0].picture).is_ok());
        }
    }
}
