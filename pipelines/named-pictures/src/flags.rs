//! The flags of countries, from the package flag-icons; `ensigns` has those of other hands.

use drawing::{Package, PackageError};
use rayon::prelude::*;
use serde::Deserialize;

use crate::error::NamedPicturesError;
use crate::named_sprites::{Named, NamedSprites, distinct};
use crate::vector::stretched;
use crate::wording;

/// Flags are rasterised once at this size and scaled from there.
const RASTER: (u32, u32) = (176, 132);

/// Flags that differ by less cannot be told apart once relit (0 to 255).
const LEAST_DIFFERENCE: f32 = 3.0;

/// Of countries that fly one flag, those that it is named after.
const OWNERS: [&str; 6] = ["au", "fr", "gb", "nl", "no", "us"];

/// Countries whose flags differ from another's in shade only: Monaco's from Indonesia's,
/// Chad's from Romania's.
const SHADES: [&str; 2] = ["mc", "td"];

/// Countries that have no code of their own in ISO 3166.
const BEYOND_ISO: [&str; 4] = ["xk", "gb-eng", "gb-sct", "gb-wls"];

const LIST: &str = "package/country.json";

/// What the package says of a country.
#[derive(Debug, Deserialize)]
pub struct Country {
    /// Two small letters, or more.
    pub code: String,
    /// What it is called.
    pub name: String,
    /// Where it lies, if that is told.
    pub continent: Option<String>,
    /// Its flag's file.
    pub flag_4x3: String,
    /// The file of the same flag as a square.
    #[serde(default)]
    pub flag_1x1: String,
    iso: bool,
}

/// Every country of the package.
///
/// Errors if the list is not what it should be.
pub fn countries(package: &Package) -> Result<Vec<Country>, PackageError> {
    serde_json::from_str(&package.text(LIST)?).map_err(|e| package.broken(LIST, e))
}

/// Rasterises every flag that can be told from the others.
///
/// Also returns each flag left out with the reason. Errors if the package lacks a file
/// or one of its drawings cannot be read.
pub fn load(
    package: &Package,
) -> Result<(NamedSprites, Vec<(String, String)>), NamedPicturesError> {
    let (mut countries, others): (Vec<_>, Vec<_>) = countries(package)?
        .into_iter()
        .partition(|c| reason_against(c).is_none());
    countries.sort_by_key(|c| !OWNERS.contains(&c.code.as_str()));
    let things = countries
        .par_iter()
        .map(|country| {
            let member = format!("package/{}", country.flag_4x3);
            let sprite = stretched(&package.read(&member)?, RASTER)
                .map_err(|e| package.broken(&member, e))?;
            Ok(Named {
                name: country.name.clone(),
                sprite,
            })
        })
        .collect::<Result<Vec<_>, NamedPicturesError>>()?;
    let (things, mut dropped) = distinct(things, LEAST_DIFFERENCE);
    dropped.extend(
        others
            .into_iter()
            .map(|c| (c.name, "not a country".to_owned())),
    );
    if things.is_empty() {
        return Err(package.broken(LIST, "no country in it").into());
    }
    let set = NamedSprites {
        things,
        questions: &wording::FLAG,
        yes_no: &wording::IS_FLAG,
        yes_no_share: 0.1,
        widths: (40, 128),
        skew: 2.4,
        margin: 0.15,
        turn: 0.14,
        source: package.name.clone(),
        licence: package.licence.clone(),
    };
    Ok((set, dropped))
}

/// Why a flag is left out before its looks are compared; none if it is not.
fn reason_against(country: &Country) -> Option<&'static str> {
    let code = country.code.as_str();
    if SHADES.contains(&code) {
        return Some("differs from another flag in shade only");
    }
    (!country.iso && !BEYOND_ISO.contains(&code)).then_some("not a country")
}
