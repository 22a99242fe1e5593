//! Emoji as one artist drew them, from the package emoji-datasource-google; `artists` has the others.

use drawing::{Package, PackageError, Sprite};
use image::ImageFormat;
use rayon::prelude::*;
use serde::Deserialize;

use crate::error::NamedPicturesError;
use crate::named_sprites::{Named, NamedSprites, distinct};
use crate::wording;

/// Emoji that differ by less cannot be told apart when small (0 to 255).
const LEAST_DIFFERENCE: f32 = 4.0;

const LIST: &str = "package/emoji.json";

/// What the package says of one.
#[derive(Debug, Deserialize)]
pub struct Entry {
    image: String,
    short_names: Vec<String>,
    category: String,
    has_img_google: bool,
    name: Option<String>,
    /// Its code points.
    #[serde(default)]
    pub unified: String,
    /// Things of one kind, such as `face-smiling`.
    #[serde(default)]
    pub subcategory: String,
}

impl Entry {
    /// All that it is called, in small letters.
    pub fn names(&self) -> Vec<String> {
        let names = self.short_names.iter().chain(&self.name);
        names.map(|name| of_words(name)).collect()
    }
}

fn of_words(name: &str) -> String {
    name.to_lowercase().replace(['_', '-'], " ")
}

/// Every emoji of the package with the name that it has here; none if it has none.
///
/// Errors if the list is not what it should be.
pub fn entries(package: &Package) -> Result<Vec<(Option<String>, Entry)>, PackageError> {
    let entries: Vec<Entry> =
        serde_json::from_str(&package.text(LIST)?).map_err(|e| package.broken(LIST, e))?;
    let named = |entry: Entry| (name(&entry).ok(), entry);
    Ok(entries.into_iter().map(named).collect())
}

/// Reads every emoji that has a name of words and looks like no other.
///
/// Flags are left out, and so are skin tones and signs without a name in letters; each is
/// returned with the reason. Errors if the package lacks a file or a picture is broken.
pub fn load(
    package: &Package,
) -> Result<(NamedSprites, Vec<(String, String)>), NamedPicturesError> {
    let entries: Vec<Entry> =
        serde_json::from_str(&package.text(LIST)?).map_err(|e| package.broken(LIST, e))?;
    let mut dropped = Vec::new();
    let mut wanted = Vec::new();
    for entry in entries {
        match name(&entry) {
            Ok(name) => wanted.push((name, entry.image)),
            Err(reason) => {
                let called = entry.short_names.into_iter().next().unwrap_or(entry.image);
                dropped.push((called, reason.to_owned()));
            }
        }
    }
    let things = wanted
        .into_par_iter()
        .map(|(name, image)| {
            let member = format!("package/img/google/64/{image}");
            let picture =
                image::load_from_memory_with_format(&package.read(&member)?, ImageFormat::Png)
                    .map_err(|e| package.broken(&member, e))?
                    .to_rgba8();
            let (width, height) = (picture.width() as usize, picture.height() as usize);
            Ok(Named {
                name,
                sprite: Sprite::new(width, height, picture.as_raw()),
            })
        })
        .collect::<Result<Vec<_>, NamedPicturesError>>()?;
    let (things, twins) = distinct(things, LEAST_DIFFERENCE);
    dropped.extend(twins);
    if things.is_empty() {
        return Err(package.broken(LIST, "no emoji in it").into());
    }
    let set = NamedSprites {
        things,
        questions: &wording::EMOJI,
        yes_no: &wording::IS_EMOJI,
        yes_no_share: 0.08,
        widths: (32, 112),
        skew: 2.4,
        margin: 0.12,
        turn: 0.2,
        source: package.name.clone(),
        licence: package.licence.clone(),
    };
    Ok((set, dropped))
}

/// The first short name that is made of words, in small letters; or why there is none.
fn name(entry: &Entry) -> Result<String, &'static str> {
    if entry.category == "Flags" {
        return Err("a flag, and flags are a kind of their own");
    }
    if entry.category == "Component" {
        return Err("a part of other emoji");
    }
    if !entry.has_img_google {
        return Err("without a picture");
    }
    let has_words = |name: &&String| {
        let is_code = name.starts_with('u') && name[1..].chars().all(|c| c.is_ascii_hexdigit());
        let letters = name.chars().filter(char::is_ascii_alphabetic).count();
        letters >= 3 && name.starts_with(|c: char| c.is_ascii_alphabetic()) && !is_code
    };
    let chosen = entry
        .short_names
        .iter()
        .find(has_words)
        .ok_or("without a name of words")?;
    Ok(of_words(chosen))
}
