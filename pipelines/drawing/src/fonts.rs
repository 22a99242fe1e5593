//! Typefaces as outlines: every character that can be asked for is read out of its
//! font once per process and then only scaled, turned and filled.

use std::collections::{BTreeSet, HashMap};
use std::path::PathBuf;

use ab_glyph::{Font, FontVec, OutlineCurve, Point};

use crate::package::{Package, PackageError};
use crate::woff::{is_packed, unpacked};

/// Families seen in training.
pub const FAMILIES: [&str; 23] = [
    "fonts-cabin",
    "fonts-cantarell",
    "fonts-comfortaa",
    "fonts-comic-neue",
    "fonts-courier-prime",
    "fonts-crosextra-caladea",
    "fonts-crosextra-carlito",
    "fonts-dejavu-core",
    "fonts-dosis",
    "fonts-ebgaramond",
    "fonts-hack",
    "fonts-inconsolata",
    "fonts-jetbrains-mono",
    "fonts-lato",
    "fonts-liberation2",
    "fonts-linuxlibertine",
    "fonts-open-sans",
    "fonts-play",
    "fonts-quattrocento",
    "fonts-roboto-slab",
    "fonts-roboto-unhinted",
    "fonts-sil-gentium-basic",
    "fonts-yanone-kaffeesatz",
];

/// Families kept for the test: a serif, a fixed-width and two without serifs.
pub const UNSEEN_FAMILIES: [&str; 4] = [
    "fonts-anonymous-pro",
    "fonts-karla",
    "fonts-sora",
    "fonts-vollkorn",
];

/// Letters, digits and signs that lines of text are made of, beside ASCII.
const BEYOND_ASCII: &str = "£€°éèêëáàâäãåçíîïñóòôöõøúùûüÉÈÁÀÂÄÅÇÑÖØÜßæœ";

/// Marks in file names of faces that are too thin, drawn for ornament, or variable.
const LEFT_OUT: [&str; 9] = [
    "Thin",
    "Hairline",
    "ExtraLight",
    "Tamil",
    "[",
    "Libertine_M",
    "LinBiolinum_K",
    "Z",
    "_DR",
];

/// One weight of one family.
#[derive(Debug, Clone)]
pub struct Face {
    /// The file's name without its ending, e.g. `Lato-BoldItalic`.
    pub name: String,
    /// The package that the file came in, e.g. `fonts-lato`.
    pub family: String,
    /// The licence of the family.
    pub licence: String,
    /// The font's file; empty where the outlines were read by someone else.
    pub file: PathBuf,
    glyphs: HashMap<char, Glyph>,
}

/// A character's outline in units of the font's size, y downwards from the baseline.
#[derive(Debug, Clone)]
pub struct Glyph {
    /// How far the pen moves on.
    pub advance: f32,
    /// The outline.
    pub curves: Vec<Curve>,
}

/// A piece of an outline.
#[derive(Debug, Clone, Copy)]
pub enum Curve {
    /// From the first point to the second.
    Line([Point; 2]),
    /// Quadratic Bézier curve.
    Quad([Point; 3]),
    /// Cubic Bézier curve.
    Cubic([Point; 4]),
}

impl Curve {
    /// The same curve with every point moved by `place`.
    pub fn map(self, place: impl Fn(Point) -> Point) -> Self {
        match self {
            Self::Line(points) => Self::Line(points.map(place)),
            Self::Quad(points) => Self::Quad(points.map(place)),
            Self::Cubic(points) => Self::Cubic(points.map(place)),
        }
    }

    /// Its ends and control points.
    pub fn points(&self) -> impl Iterator<Item = Point> + use<> {
        let (array, count) = match *self {
            Self::Line([a, b]) => ([a, b, b, b], 2),
            Self::Quad([a, b, c]) => ([a, b, c, c], 3),
            Self::Cubic(points) => (points, 4),
        };
        array.into_iter().take(count)
    }
}

impl Face {
    /// Reads the outlines of a TrueType, OpenType or WOFF file of a package.
    ///
    /// Errors if the font cannot be read.
    pub fn read(package: &Package, member: &str) -> Result<Self, PackageError> {
        let name = member.rsplit('/').next().unwrap_or(member);
        let name = name
            .rsplit_once('.')
            .map_or(name, |(stem, _)| stem)
            .to_owned();
        let bytes = package.read(member)?;
        let bytes = if is_packed(&bytes) {
            unpacked(&bytes).map_err(|reason| package.broken(member, reason))?
        } else {
            bytes
        };
        let font = FontVec::try_from_vec(bytes)
            .map_err(|_| package.broken(member, "not a font that can be read"))?;
        let em = font
            .units_per_em()
            .filter(|em| *em > 0.0)
            .ok_or_else(|| package.broken(member, "a font without a size of its em square"))?;
        let glyphs = characters()
            .filter_map(|c| Some((c, glyph(&font, em, c)?)))
            .collect();
        let (family, licence) = (package.name.clone(), package.licence.clone());
        Ok(Self {
            name,
            family,
            licence,
            file: package.root.join(member),
            glyphs,
        })
    }

    /// A face of outlines read by someone else.
    pub fn of_outlines(name: &str, licence: &str, glyphs: HashMap<char, Glyph>) -> Self {
        Self {
            name: name.to_owned(),
            family: name.to_owned(),
            licence: licence.to_owned(),
            file: PathBuf::new(),
            glyphs,
        }
    }

    /// The outline of a character, or none where the font has none.
    pub fn glyph(&self, character: char) -> Option<&Glyph> {
        self.glyphs.get(&character)
    }

    /// The first character of `line` that the font cannot show.
    pub fn missing(&self, line: &str) -> Option<char> {
        line.chars().find(|c| !self.glyphs.contains_key(c))
    }

    /// Whether this is the family's plain upright weight, by its file's name.
    pub fn is_regular(&self) -> bool {
        let name = &self.name;
        name.ends_with("Regular")
            || name.ends_with("_R")
            || name.ends_with("BasR")
            || !["-", "_", "Bold", "Italic", " B", " I"]
                .iter()
                .any(|mark| name.contains(mark))
    }
}

/// The faces of a font package; of a face in two formats only one, and none of the
/// hairline weights, of decorated letters or of variable fonts.
///
/// Errors if the package has no usable font or one that cannot be read.
pub fn family(package: &Package) -> Result<Vec<Face>, PackageError> {
    let mut names = BTreeSet::new();
    let mut faces = Vec::new();
    for member in package.files(&[".ttf", ".otf"])? {
        let name = member.rsplit('/').next().unwrap_or(&member);
        let stem = &name[..name.len() - 4];
        if !LEFT_OUT.iter().any(|mark| stem.contains(mark)) && names.insert(stem.to_owned()) {
            faces.push(Face::read(package, &member)?);
        }
    }
    if faces.is_empty() {
        return Err(package.broken("", "no .ttf or .otf file of a plain face"));
    }
    Ok(faces)
}

/// Every character that a line may hold.
pub fn characters() -> impl Iterator<Item = char> {
    (' '..='~').chain(BEYOND_ASCII.chars())
}

/// Reads one outline; none if the font lacks the character or draws nothing for it.
pub fn glyph(font: &FontVec, em: f32, character: char) -> Option<Glyph> {
    let id = font.glyph_id(character);
    if id.0 == 0 {
        return None;
    }
    let place = |p: Point| Point {
        x: p.x / em,
        y: -p.y / em,
    };
    let curves: Vec<Curve> = font
        .outline(id)
        .map(|outline| outline.curves)
        .unwrap_or_default()
        .into_iter()
        .map(|curve| match curve {
            OutlineCurve::Line(a, b) => Curve::Line([a, b].map(place)),
            OutlineCurve::Quad(a, b, c) => Curve::Quad([a, b, c].map(place)),
            OutlineCurve::Cubic(a, b, c, d) => Curve::Cubic([a, b, c, d].map(place)),
        })
        .collect();
    if curves.is_empty() && character != ' ' {
        return None;
    }
    Some(Glyph {
        advance: font.h_advance_unscaled(id) / em,
        curves,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn four_families_are_kept_for_the_test() {
        assert_eq!(UNSEEN_FAMILIES.len(), 4);
        assert!(
            UNSEEN_FAMILIES
                .iter()
                .all(|family| !FAMILIES.contains(family))
        );
    }
}
