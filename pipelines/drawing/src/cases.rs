//! Typefaces whose small letters are drawn as capitals: nobody can tell the case of what they show.

use crate::fonts::{Curve, Face};

/// Small letters with and without a stem that reaches above the others.
const TALL: [char; 5] = ['b', 'd', 'h', 'k', 'l'];
const LOW: [char; 6] = ['a', 'e', 'm', 'n', 'x', 'z'];
/// By how much the tall ones reach above the others at least where there are small letters. Of 405
/// families, 24 have capitals alone, at most 1.03; of the others the least is 1.16.
const RISE: f32 = 1.1;

impl Face {
    /// Whether small letters look like capitals, of the same size or smaller: then all of them are
    /// as tall as each other.
    pub fn is_of_one_case(&self) -> bool {
        self.top(&TALL) < RISE * self.top(&LOW)
    }

    /// How far the letters without a stem reach above the baseline, as a part of the size.
    pub fn low_letters(&self) -> f32 {
        self.top(&LOW)
    }

    /// How far the letters reach above the baseline, the one in the middle.
    fn top(&self, letters: &[char]) -> f32 {
        let glyphs = letters.iter().filter_map(|c| self.glyph(*c));
        let mut tops: Vec<f32> = glyphs
            .map(|glyph| {
                let points = glyph.curves.iter().flat_map(Curve::points);
                points.map(|p| -p.y).fold(0.0, f32::max)
            })
            .collect();
        tops.sort_by(f32::total_cmp);
        tops.get(tops.len() / 2).copied().unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fonts::{Glyph, characters, glyph};
    use ab_glyph::{Font, FontVec, Point};
    use std::collections::HashMap;

    #[test]
    fn small_letters_drawn_as_smaller_capitals_are_found() {
        let bytes = include_bytes!("../../../tests/golden/ComicNeue-Regular.otf");
        let font = FontVec::try_from_vec(bytes.to_vec()).unwrap();
        let em = font.units_per_em().unwrap();
        let read = |c| Some((c, glyph(&font, em, c)?));
        let both: HashMap<char, Glyph> = characters().filter_map(read).collect();
        let mut capitals = both.clone();
        for c in 'a'..='z' {
            let mut glyph = both[&c.to_ascii_uppercase()].clone();
            for curve in &mut glyph.curves {
                *curve = curve.map(|p| Point {
                    x: p.x * 0.8,
                    y: p.y * 0.7,
                });
            }
            capitals.insert(c, glyph);
        }
        let two_cases = Face::of_outlines("two cases", "", both);
        assert!(!two_cases.is_of_one_case());
        assert!((0.4..0.6).contains(&two_cases.low_letters()));
        assert!(Face::of_outlines("small capitals", "", capitals).is_of_one_case());
    }
}
