//! The flags of countries, from the package flag-icons.

use drawing::Package;
use rayon::prelude::*;
use resvg::tiny_skia::{Pixmap, Transform};
use resvg::usvg::{Options, Tree};
use serde::Deserialize;

use crate::error::NamedPicturesError;
use crate::named_sprites::{Named, NamedSprites, distinct};
use crate::sprite::Sprite;
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

#[derive(Deserialize)]
struct Country {
    code: String,
    name: String,
    flag_4x3: String,
    iso: bool,
}

/// Rasterises every flag that can be told from the others.
///
/// Also returns each flag left out with the reason. Errors if the package lacks a file
/// or one of its drawings cannot be read.
pub fn load(
    package: &Package,
) -> Result<(NamedSprites, Vec<(String, String)>), NamedPicturesError> {
    let list = "package/country.json";
    let countries: Vec<Country> =
        serde_json::from_str(&package.text(list)?).map_err(|e| package.broken(list, e))?;
    let (mut countries, others): (Vec<_>, Vec<_>) = countries
        .into_iter()
        .partition(|c| reason_against(c).is_none());
    countries.sort_by_key(|c| !OWNERS.contains(&c.code.as_str()));
    let things = countries
        .par_iter()
        .map(|country| {
            let sprite = rasterise(package, &format!("package/{}", country.flag_4x3))?;
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
        return Err(package.broken(list, "no country in it").into());
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

fn rasterise(package: &Package, member: &str) -> Result<Sprite, NamedPicturesError> {
    let tree = Tree::from_data(&package.read(member)?, &Options::default())
        .map_err(|e| package.broken(member, e))?;
    let (width, height) = RASTER;
    let mut pixmap = Pixmap::new(width, height).expect("neither side is zero");
    let fit = Transform::from_scale(
        width as f32 / tree.size().width(),
        height as f32 / tree.size().height(),
    );
    resvg::render(&tree, fit, &mut pixmap.as_mut());
    let rgba: Vec<u8> = pixmap
        .pixels()
        .iter()
        .flat_map(|p| {
            let plain = p.demultiply();
            [plain.red(), plain.green(), plain.blue(), plain.alpha()]
        })
        .collect();
    Ok(Sprite::new(width as usize, height as usize, &rgba))
}
