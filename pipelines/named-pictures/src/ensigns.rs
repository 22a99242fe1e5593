//! The flags of countries by several hands, for training: flat, square, round, waving; all by the
//! names of `flags`.

use std::collections::BTreeMap;

use drawing::{Habits, Package, Sprite};
use rayon::prelude::*;

use crate::artists::hand;
use crate::countries::also;
use crate::drawn::TRAIN;
use crate::error::NamedPicturesError;
use crate::flags;
use crate::hands::{ManyHands, Thing, Wordings};
use crate::icons::Icons;
use crate::vector::stretched;
use crate::wording;

/// Flags are kept at these sizes and scaled from there.
const RASTER: (u32, u32) = (256, 192);
const SQUARE: (u32, u32) = (192, 192);

/// Countries are told apart by their colours, which are changed little.
const HABITS: Habits = Habits {
    turn: 0.35,
    cut: 0.22,
    square: 0.06,
    round: 0.13,
    rounded: 0.08,
    wave: 0.2,
    grey: 0.0,
    tint: 0.08,
    grounds: &TRAIN,
};

/// Reads the flags of `house` that can be told apart, also its square ones, and those of other
/// icon sets. Also returns each flag left out with the reason.
///
/// Errors if a package is not what it should be.
pub fn load(
    house: &Package,
    others: &[Package],
    texts: Vec<Sprite>,
) -> Result<(ManyHands, Vec<(String, String)>), NamedPicturesError> {
    let (set, left_out) = flags::load(house)?;
    let mut countries = BTreeMap::new();
    for country in flags::countries(house)? {
        countries.entry(country.name.clone()).or_insert(country);
    }
    let icons = others
        .iter()
        .map(Icons::read)
        .collect::<Result<Vec<_>, _>>()?;
    let mut hands = vec![hand(house)];
    hands.extend(others.iter().map(hand));
    let known = set
        .things
        .iter()
        .filter_map(|named| countries.get(&named.name));
    let things = known
        .collect::<Vec<_>>()
        .par_iter()
        .map(|country| {
            let drawn = |file: &str, size| {
                let member = format!("package/{file}");
                stretched(&house.read(&member)?, size).map_err(|error| house.broken(&member, error))
            };
            let mut drawings = vec![(0, drawn(&country.flag_4x3, RASTER)?)];
            if !country.flag_1x1.is_empty() {
                drawings.push((0, drawn(&country.flag_1x1, SQUARE)?));
            }
            for (number, icons) in icons.iter().enumerate() {
                let drawing = icons.drawing(&country.code, RASTER.0, "#000");
                drawings.extend(drawing.map(|drawing| (number + 1, drawing)));
            }
            Ok(Thing {
                name: country.name.clone(),
                also: also(&country.code),
                group: country.continent.clone().unwrap_or_default(),
                drawings,
            })
        })
        .collect::<Result<Vec<_>, NamedPicturesError>>()?;
    if things.len() < 2 {
        return Err(house.broken("", "fewer than two flags of countries").into());
    }
    let wordings = Wordings {
        what: &wording::FLAG,
        whether: &wording::IS_FLAG,
        with_article: false,
    };
    let set = ManyHands::new(things, hands, HABITS, wordings, texts);
    Ok((set, left_out))
}
