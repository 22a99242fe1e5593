//! Emoji as files: those of artists that training never saw, and those of its own artist as their
//! package ships them.

use std::collections::BTreeSet;

use drawing::{Package, PackageError};
use image::RgbaImage;
use rand::Rng;
use rand::seq::IndexedRandom;
use rand_chacha::ChaCha8Rng;
use serde::Deserialize;

use crate::asked::{Asked, Made, Maker, yes_or_no};
use crate::error::OtherHandsError;
use crate::files::Manner;
use crate::icons::Icons;
use crate::order::shuffled;

const LIST: &str = "package/emoji.json";
const WHAT: [&str; 7] = [
    "Which emoji is this?",
    "What emoji is this?",
    "Name this emoji.",
    "What is this?",
    "What do you see?",
    "What is in the picture?",
    "What does the picture show?",
];
const WHETHER: [&str; 2] = [
    "Is this the {} emoji?",
    "Does the picture show the emoji {}?",
];
/// One question in so many asks whether.
const WHETHER_SHARE: usize = 5;

/// What `emoji-datasource` says of one.
#[derive(Debug, Deserialize)]
struct Entry {
    name: Option<String>,
    image: String,
    short_names: Vec<String>,
    category: String,
    has_img_google: bool,
}

/// Its names: that which training uses first, without a number behind it.
///
/// None for flags, parts of others, and signs without a name of words.
fn names(entry: &Entry) -> Option<Vec<String>> {
    if matches!(entry.category.as_str(), "Flags" | "Component") || !entry.has_img_google {
        return None;
    }
    let words = |name: &String| name.to_lowercase().replace(['_', '-'], " ");
    let of_words = |name: &String| {
        let is_code = name.starts_with('u') && name[1..].chars().all(|c| c.is_ascii_hexdigit());
        let letters = name.chars().filter(char::is_ascii_alphabetic).count();
        letters >= 3 && name.starts_with(|c: char| c.is_ascii_alphabetic()) && !is_code
    };
    let first = entry.short_names.iter().find(|name| of_words(name))?;
    // `pig2` is training's name of a second pig, which nobody would say.
    let first = words(first);
    let said = first.trim_end_matches(|c: char| c.is_ascii_digit());
    let mut names = vec![said.to_owned()];
    for name in entry.short_names.iter().chain(&entry.name).map(words) {
        if !names.contains(&name) {
            names.push(name);
        }
    }
    Some(names)
}

/// As Iconify names an icon.
fn slug(name: &str) -> String {
    let letters = name.to_lowercase();
    let words = letters.split(|c: char| !c.is_ascii_alphanumeric());
    words
        .filter(|word| !word.is_empty())
        .collect::<Vec<_>>()
        .join("-")
}

/// Where the drawings are.
enum Artist {
    Icons(Icons),
    Files(Package),
}

/// A set of emoji by one artist.
pub(crate) struct Emoji {
    artist: Artist,
    source: String,
    licence: String,
    /// Names, and the icon or file.
    things: Vec<(Vec<String>, String)>,
}

impl Emoji {
    /// Those of an icon set that `names`, the package training draws from, has too.
    ///
    /// Errors if a package is not what it should be.
    pub fn of_icons(
        package: &Package,
        names: &Package,
        rng: &mut ChaCha8Rng,
    ) -> Result<Self, OtherHandsError> {
        let icons = Icons::read(package)?;
        let known: BTreeSet<&str> = icons.names().collect();
        let mut things = Vec::new();
        for entry in entries(names)? {
            let Some(called) = self::names(&entry) else {
                continue;
            };
            let slugs: Vec<String> = called.iter().map(|name| slug(name)).collect();
            if let Some(icon) = slugs.iter().find(|slug| known.contains(slug.as_str())) {
                things.push((called, icon.clone()));
            }
        }
        Self::new(Artist::Icons(icons), package, things, rng)
    }

    /// Those that the package ships as files.
    ///
    /// Errors if the package is not what it should be.
    pub fn of_files(package: &Package, rng: &mut ChaCha8Rng) -> Result<Self, OtherHandsError> {
        let things = entries(package)?.into_iter();
        let things = things.filter_map(|entry| Some((names(&entry)?, entry.image)));
        let things = things.collect();
        Self::new(Artist::Files(package.clone()), package, things, rng)
    }

    fn new(
        artist: Artist,
        package: &Package,
        things: Vec<(Vec<String>, String)>,
        rng: &mut ChaCha8Rng,
    ) -> Result<Self, OtherHandsError> {
        if things.len() < 2 {
            return Err(package.broken("", "fewer than two emoji with names").into());
        }
        Ok(Self {
            artist,
            source: package.name.clone(),
            licence: package.licence.clone(),
            things: shuffled(things, rng),
        })
    }

    fn drawing(&self, what: &str) -> Result<Option<RgbaImage>, PackageError> {
        match &self.artist {
            Artist::Icons(icons) => Ok(icons.drawing(what)),
            Artist::Files(package) => shipped(package, what).map(Some),
        }
    }
}

/// An emoji's own file.
///
/// Errors if there is none or it does not read.
pub(crate) fn shipped(package: &Package, image: &str) -> Result<RgbaImage, PackageError> {
    let member = format!("package/img/google/64/{image}");
    let picture = image::load_from_memory(&package.read(&member)?);
    let picture = picture.map_err(|error| package.broken(&member, error))?;
    Ok(picture.to_rgba8())
}

fn entries(package: &Package) -> Result<Vec<Entry>, PackageError> {
    serde_json::from_str(&package.text(LIST)?).map_err(|error| package.broken(LIST, error))
}

/// The short names and files of the flags of countries, by their codes in small letters.
///
/// Errors if the package is not what it should be.
pub(crate) fn flags(package: &Package) -> Result<Vec<(String, String)>, PackageError> {
    let flags = entries(package)?.into_iter();
    let flags = flags.filter(|entry| entry.category == "Flags" && entry.has_img_google);
    let code = |entry: &Entry| {
        let mut codes = entry.short_names.iter();
        codes.find_map(|name| Some(name.strip_prefix("flag-")?.to_owned()))
    };
    Ok(flags
        .filter_map(|entry| Some((code(&entry)?, entry.image)))
        .collect())
}

impl Maker for Emoji {
    fn len(&self) -> usize {
        self.things.len()
    }

    fn make(&self, index: usize, rng: &mut ChaCha8Rng) -> Result<Made, OtherHandsError> {
        let (names, what) = &self.things[index];
        let Some(drawing) = self.drawing(what)? else {
            return Ok(Made::Unfit("the drawing does not read"));
        };
        let manner = *Manner::CUT_OUT.choose(rng).expect("there are manners");
        let picture = manner.file(&drawing, rng);
        let picture = picture.map_err(OtherHandsError::picture(what))?;
        let (question, answers) = if index % WHETHER_SHARE == WHETHER_SHARE - 1 {
            let yes = (index / WHETHER_SHARE).is_multiple_of(2);
            let other = rng.random_range(1..self.things.len());
            let other = &self.things[(index + other) % self.things.len()].0;
            let name = if yes { &names[0] } else { &other[0] };
            let wording = WHETHER.choose(rng).expect("there are wordings");
            (wording.replace("{}", name), yes_or_no(yes))
        } else {
            let wording = *WHAT.choose(rng).expect("there are wordings");
            (wording.to_owned(), names.clone())
        };
        Ok(Made::Asked(vec![Asked {
            kind: manner.kind(),
            source: self.source.clone(),
            licence: self.licence.clone(),
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
    fn another_artists_emoji_have_the_names_of_training_and_their_own() {
        let fixture = fixture::packages();
        let mut rng = ChaCha8Rng::seed_from_u64(1);
        let set = Emoji::of_icons(&fixture.icons, &fixture.emoji, &mut rng).unwrap();
        let mut names: Vec<_> = set.things.iter().map(|(names, _)| names.clone()).collect();
        names.sort();
        let expected = [
            vec!["anchor".to_owned()],
            vec!["car".to_owned(), "red car".into(), "automobile".into()],
        ];
        assert_eq!(names, expected);
        for index in 0..set.len() {
            let Made::Asked(asked) = set.make(index, &mut rng).unwrap() else {
                panic!("a drawing that reads gives a question")
            };
            assert!(image::load_from_memory(&asked[0].picture).is_ok());
        }
    }

    #[test]
    fn codes_and_flags_are_no_names() {
        let entry = |short: &str, category: &str| Entry {
            name: None,
            image: String::new(),
            short_names: vec![short.into()],
            category: category.into(),
            has_img_google: true,
        };
        assert_eq!(names(&entry("u7121", "Symbols")), None);
        assert_eq!(names(&entry("flag-de", "Flags")), None);
        assert_eq!(
            names(&entry("smiley_cat", "Smileys")).unwrap(),
            ["smiley cat"]
        );
        let second = entry("pig2", "Animals");
        assert_eq!(names(&second).unwrap(), ["pig", "pig2"]);
        assert_eq!(slug("Father Christmas!"), "father-christmas");
    }
}
