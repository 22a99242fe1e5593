//! Formulas in other letters: the letters and digits of a text face stand at the places
//! that the layout gave to KaTeX's, made as wide as those.

use ab_glyph::Point;
use drawing::{Curve, Face, Glyph};
use ratex_font::FontId;

use crate::katex::KatexFaces;

/// How much a letter may be narrowed or widened before it looks wrong.
const SQUEEZE: (f32, f32) = (0.78, 1.18);
/// The height of a small x in KaTeX's typefaces.
const X_HEIGHT: f32 = 0.431;

/// Which letters a formula is drawn in.
#[derive(Debug, Clone, Copy)]
pub enum Lettering<'a> {
    /// KaTeX's own.
    Katex,
    /// An upright face and an italic one of the same family.
    Face {
        /// For text, functions and digits.
        upright: &'a Face,
        /// For variables.
        italic: &'a Face,
        /// How much both are scaled to have KaTeX's height of small letters.
        size: f32,
    },
}

impl<'a> Lettering<'a> {
    /// The letters of a family if it has an upright and an italic face with all of them and
    /// none is so wide or narrow that it would have to be squeezed too far.
    pub fn of(family: &'a [Face], katex: &KatexFaces) -> Option<Self> {
        let upright = family.iter().find(|face| face.is_regular())?;
        let slanted = |face: &&Face| {
            let name = &face.name;
            let bold = ["Bold", "Black", "Heavy", "Light", "Medium", "_RB", "Semi"];
            (name.contains("Italic") || name.contains("Oblique") || name.ends_with("_RI"))
                && !bold.iter().any(|mark| name.contains(mark))
        };
        let italic = family.iter().find(slanted)?;
        let heights = upright.glyph('x')?.curves.iter().flat_map(Curve::points);
        let x_height = heights.map(|p| -p.y).fold(0.0, f32::max);
        if x_height <= 0.2 {
            return None;
        }
        // Slightly larger letters than KaTeX's suit most faces, which are wider.
        let size = X_HEIGHT / x_height;
        let lettering = Self::Face {
            upright,
            italic,
            size,
        };
        let fits = |font: FontId, letters: &str| {
            letters.chars().all(|c| {
                katex
                    .of(font, c)
                    .is_some_and(|glyph| lettering.replace(font, c, glyph).is_some())
            })
        };
        let letters = "abcdehknopqrsuvxyzABCDEFGHKLNPRSTUVXYZ";
        (fits(FontId::MathItalic, letters) && fits(FontId::MainRegular, "0123456789abcdeghnoprstu"))
            .then_some(lettering)
    }

    /// The curves to draw for a glyph of KaTeX's; none to draw that itself.
    pub fn replace(&self, font: FontId, character: char, glyph: &Glyph) -> Option<Vec<Curve>> {
        let Self::Face {
            upright,
            italic,
            size,
        } = *self
        else {
            return None;
        };
        let face = match font {
            FontId::MainRegular => upright,
            FontId::MathItalic | FontId::MainItalic => italic,
            _ => return None,
        };
        if !character.is_ascii_alphanumeric() {
            return None;
        }
        let other = face.glyph(character)?;
        let squeeze = glyph.advance / (other.advance * size);
        if !(0.6..1.5).contains(&squeeze) {
            return None;
        }
        let width = squeeze.clamp(SQUEEZE.0, SQUEEZE.1) * size;
        // What squeezing within bounds leaves over is shared by both sides.
        let shift = (glyph.advance - other.advance * width) / 2.0;
        let to = |p: Point| Point {
            x: p.x * width + shift,
            y: p.y * size,
        };
        Some(other.curves.iter().map(|curve| curve.map(to)).collect())
    }
}
