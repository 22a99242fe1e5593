//! Drawings of an icon set in Iconify's JSON: a name and the inside of an SVG file each.

use std::collections::BTreeMap;

use drawing::{Package, PackageError};
use image::RgbaImage;
use serde::Deserialize;

use crate::svg::raster;

const LIST: &str = "package/icons.json";
/// Pixels of the longer side, from which files of any size are made.
pub(crate) const RASTER: u32 = 512;

/// An icon set.
#[derive(Debug, Deserialize)]
pub(crate) struct Icons {
    icons: BTreeMap<String, Icon>,
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

    /// Their names, in order.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.icons.keys().map(String::as_str)
    }

    /// The drawing called `name`; none if there is none or it does not read.
    pub fn drawing(&self, name: &str) -> Option<RgbaImage> {
        let icon = self.icons.get(name)?;
        let width = icon.width.unwrap_or(self.width);
        let height = icon.height.unwrap_or(self.height);
        let svg = format!(
            "<svg xmlns=\"http://www.w3.org/2000/svg\" xmlns:xlink=\"http://www.w3.org/1999/xlink\" \
             viewBox=\"0 0 {width} {height}\">{}</svg>",
            icon.body
        );
        raster(svg.as_bytes(), RASTER)
    }
}
