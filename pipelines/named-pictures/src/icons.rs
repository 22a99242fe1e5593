//! Drawings of an icon set in Iconify's JSON: a name and the inside of an SVG file each, other names
//! for some, and the code points that a set of emoji has.

use std::collections::BTreeMap;

use drawing::{Package, PackageError, Sprite};
use serde::Deserialize;

use crate::vector::fitted;

const LIST: &str = "package/icons.json";
const CODES: &str = "package/chars.json";

/// An icon set.
#[derive(Debug, Deserialize)]
pub struct Icons {
    icons: BTreeMap<String, Icon>,
    #[serde(default)]
    aliases: BTreeMap<String, Alias>,
    #[serde(default = "usual_side")]
    width: f32,
    #[serde(default = "usual_side")]
    height: f32,
}

#[derive(Debug, Deserialize)]
struct Icon {
    body: String,
    width: Option<f32>,
    height: Option<f32>,
}

#[derive(Debug, Deserialize)]
struct Alias {
    parent: String,
}

/// What Iconify takes where a set states no size.
fn usual_side() -> f32 {
    16.0
}

impl Icons {
    /// The set of an npm package.
    ///
    /// Errors if there is none or it is not what it should be.
    pub fn read(package: &Package) -> Result<Self, PackageError> {
        serde_json::from_str(&package.text(LIST)?).map_err(|error| package.broken(LIST, error))
    }

    /// The names of all icons, in order, and then the other names of some.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        let names = self.icons.keys().chain(self.aliases.keys());
        names.map(String::as_str)
    }

    /// The names of all icons, without the other names of some.
    pub fn own_names(&self) -> impl Iterator<Item = &str> {
        self.icons.keys().map(String::as_str)
    }

    /// The icon called `name` with its longer side so many pixels, what has no colour of its own in
    /// `ink`; none if there is none or it does not read.
    pub fn drawing(&self, name: &str, longest: u32, ink: &str) -> Option<Sprite> {
        let named = self.aliases.get(name).map_or(name, |alias| &alias.parent);
        let icon = self.icons.get(named)?;
        let width = icon.width.unwrap_or(self.width);
        let height = icon.height.unwrap_or(self.height);
        let svg = format!(
            "<svg xmlns=\"http://www.w3.org/2000/svg\" xmlns:xlink=\"http://www.w3.org/1999/xlink\" \
             viewBox=\"0 0 {width} {height}\" color=\"{ink}\">{}</svg>",
            icon.body
        );
        fitted(svg.as_bytes(), longest).ok()
    }
}

/// The icon of each code of Unicode, as [`bare_code`] writes it; none where the set lists none.
///
/// Errors if the list is not what it should be.
pub fn codes(package: &Package) -> Result<BTreeMap<String, String>, PackageError> {
    let codes: BTreeMap<String, String> = serde_json::from_str(&package.text(CODES)?)
        .map_err(|error| package.broken(CODES, error))?;
    let bare = |(code, name): (String, String)| (bare_code(&code), name);
    Ok(codes.into_iter().map(bare).collect())
}

/// Code points in small letters, without the one that only asks for colours.
pub fn bare_code(code: &str) -> String {
    let code = code.to_lowercase();
    let points = code.split('-').filter(|point| *point != "fe0f");
    points.collect::<Vec<_>>().join("-")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_icon_has_its_own_size_or_that_of_its_set_and_may_have_two_names() {
        let set = r##"{"icons": {
            "ball": {"body": "<circle cx='10' cy='10' r='10' fill='#f00'/>"},
            "bar": {"body": "<path fill='currentColor' d='M0 0h40v10H0z'/>", "width": 40, "height": 10}
        }, "aliases": {"globe": {"parent": "ball"}, "lost": {"parent": "gone"}},
        "width": 20, "height": 20}"##;
        let set: Icons = serde_json::from_str(set).unwrap();
        assert_eq!(
            set.names().collect::<Vec<_>>(),
            ["ball", "bar", "globe", "lost"]
        );
        assert_eq!(set.drawing("globe", 40, "#000").unwrap().aspect(), 1.0);
        assert_eq!(set.drawing("bar", 40, "#000").unwrap().aspect(), 4.0);
        assert!(set.drawing("gone", 40, "#000").is_none());
        assert!(set.drawing("lost", 40, "#000").is_none());
    }

    #[test]
    fn codes_are_the_same_however_they_are_written() {
        assert_eq!(bare_code("0023-FE0F-20E3"), "0023-20e3");
        assert_eq!(bare_code("1F600"), "1f600");
    }
}
