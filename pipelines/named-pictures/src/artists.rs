//! Emoji as several artists drew them, for training; all by the names of `emoji`.

use std::collections::{BTreeMap, HashMap};

use drawing::{Habits, Package, Sprite};
use image::ImageFormat;
use rayon::prelude::*;

use crate::drawn::TRAIN;
use crate::emoji;
use crate::error::NamedPicturesError;
use crate::hands::{Hand, ManyHands, Thing, Wordings};
use crate::icons::{Icons, bare_code, codes};
use crate::wording;

/// Drawings are kept at this size and scaled from there.
const LONGEST: u32 = 160;

const HABITS: Habits = Habits {
    turn: 0.35,
    cut: 0.08,
    square: 0.0,
    round: 0.0,
    rounded: 0.0,
    wave: 0.0,
    grey: 0.04,
    tint: 0.15,
    grounds: &TRAIN,
};

/// The icon set whose names stand for code points, those of icon sets that list none, and a package
/// of pictures named by their codes.
pub struct Artists<'a> {
    /// Packages of icons, the first of which lists code points.
    pub icons: &'a [Package],
    /// A package of pictures.
    pub pictures: &'a Package,
}

/// One emoji on its way: the thing, and what it may be called elsewhere.
struct Wanted {
    thing: Thing,
    code: String,
    /// Names without spaces and signs.
    squeezed: Vec<String>,
}

/// Reads what all artists drew of the emoji that `house` has names for. Also returns each emoji left
/// out with the reason.
///
/// Errors if a package is not what it should be.
pub fn load(
    house: &Package,
    artists: &Artists<'_>,
    texts: Vec<Sprite>,
) -> Result<(ManyHands, Vec<(String, String)>), NamedPicturesError> {
    let (set, left_out) = emoji::load(house)?;
    let mut wanted = wanted(
        house,
        set.things
            .into_iter()
            .map(|named| (named.name, named.sprite)),
    )?;
    let mut hands = vec![hand(house)];
    for package in artists.icons {
        let icons = Icons::read(package)?;
        let codes = codes(package)?;
        for one in &mut wanted {
            if let Some(name) = codes.get(&one.code) {
                one.thing.also.push(name.replace('-', " "));
                one.squeezed.push(squeezed(name));
            }
        }
        let by_name: HashMap<String, &str> = icons.names().map(|n| (squeezed(n), n)).collect();
        let number = hands.len();
        wanted.par_iter_mut().for_each(|one| {
            let coded = codes.get(&one.code).map(String::as_str);
            let named = || {
                one.squeezed
                    .iter()
                    .find_map(|name| by_name.get(name))
                    .copied()
            };
            let drawing = coded.or_else(named);
            let drawing = drawing.and_then(|name| icons.drawing(name, LONGEST, "#000"));
            one.thing
                .drawings
                .extend(drawing.map(|drawing| (number, drawing)));
        });
        hands.push(hand(package));
    }
    let number = hands.len();
    let files = pictures(artists.pictures)?;
    wanted.par_iter_mut().try_for_each(|one| {
        if let Some(member) = files.get(&one.code) {
            let drawing = picture(artists.pictures, member)?;
            one.thing.drawings.push((number, drawing));
        }
        Ok::<_, NamedPicturesError>(())
    })?;
    hands.push(hand(artists.pictures));
    let things = wanted.into_iter().map(|one| one.thing).collect();
    let wordings = Wordings {
        what: &wording::EMOJI,
        whether: &wording::IS_EMOJI,
        with_article: false,
    };
    let set = ManyHands::new(things, hands, HABITS, wordings, texts);
    Ok((set, left_out))
}

/// A package as a hand.
pub fn hand(package: &Package) -> Hand {
    Hand {
        source: package.name.clone(),
        licence: package.licence.clone(),
    }
}

fn wanted(
    house: &Package,
    drawn: impl Iterator<Item = (String, Sprite)>,
) -> Result<Vec<Wanted>, NamedPicturesError> {
    let mut entries: BTreeMap<String, emoji::Entry> = BTreeMap::new();
    for (name, entry) in emoji::entries(house)? {
        if let Some(name) = name {
            entries.entry(name).or_insert(entry);
        }
    }
    let wanted = drawn.filter_map(|(name, sprite)| {
        let entry = entries.remove(&name)?;
        let also = entry.names();
        Some(Wanted {
            code: bare_code(&entry.unified),
            squeezed: also.iter().map(|name| squeezed(name)).collect(),
            thing: Thing {
                name,
                also,
                group: entry.subcategory,
                drawings: vec![(0, sprite)],
            },
        })
    });
    let wanted: Vec<Wanted> = wanted.collect();
    if wanted.len() < 2 {
        return Err(house.broken("", "fewer than two emoji with names").into());
    }
    Ok(wanted)
}

/// Only the letters and digits of a name, small.
fn squeezed(name: &str) -> String {
    let letters = name.chars().filter(char::is_ascii_alphanumeric);
    letters.collect::<String>().to_lowercase()
}

/// The files of a package of pictures by their codes.
fn pictures(package: &Package) -> Result<BTreeMap<String, String>, NamedPicturesError> {
    let coded = |member: String| {
        let name = member.rsplit('/').next()?.strip_suffix(".webp")?;
        Some((bare_code(name), member))
    };
    Ok(package
        .files(&[".webp"])?
        .into_iter()
        .filter_map(coded)
        .collect())
}

fn picture(package: &Package, member: &str) -> Result<Sprite, NamedPicturesError> {
    let picture = image::load_from_memory_with_format(&package.read(member)?, ImageFormat::WebP)
        .map_err(|error| package.broken(member, error))?
        .to_rgba8();
    let (width, height) = (picture.width() as usize, picture.height() as usize);
    let sprite = Sprite::new(width, height, picture.as_raw());
    Ok(sprite.no_larger_than(LONGEST as usize))
}
