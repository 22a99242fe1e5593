//! The outlines of KaTeX's typefaces, read once per process: every formula is drawn with
//! them, and texts too when no other typefaces are to be fetched.

use std::collections::HashMap;

use ab_glyph::{Font, FontVec};
use drawing::{Face, Glyph, glyph};
use ratex_font::{FontId, katex_ttf_glyph_char};

use crate::error::FormulasError;

/// Licence of KaTeX's typefaces.
pub const LICENCE: &str = "OFL-1.1";

/// The typefaces that RaTeX's layout names; those for other scripts it has none of itself.
const FONTS: [FontId; 19] = [
    FontId::AmsRegular,
    FontId::CaligraphicRegular,
    FontId::FrakturRegular,
    FontId::FrakturBold,
    FontId::MainBold,
    FontId::MainBoldItalic,
    FontId::MainItalic,
    FontId::MainRegular,
    FontId::MathBoldItalic,
    FontId::MathItalic,
    FontId::SansSerifBold,
    FontId::SansSerifItalic,
    FontId::SansSerifRegular,
    FontId::ScriptRegular,
    FontId::Size1Regular,
    FontId::Size2Regular,
    FontId::Size3Regular,
    FontId::Size4Regular,
    FontId::TypewriterRegular,
];

/// Every outline of KaTeX's typefaces.
#[derive(Debug)]
pub struct KatexFaces {
    fonts: HashMap<FontId, HashMap<char, Glyph>>,
}

impl KatexFaces {
    /// Reads the typefaces that the renderer brings.
    ///
    /// Errors if one is missing or cannot be read.
    pub fn load() -> Result<Self, FormulasError> {
        let read = |id: FontId| -> Result<_, FormulasError> {
            let file = format!("KaTeX_{}.ttf", id.as_str());
            let broken = |reason: &str| FormulasError::Face {
                file: file.clone(),
                reason: reason.to_owned(),
            };
            let bytes = ratex_katex_fonts::ttf_bytes(&file).ok_or_else(|| broken("not there"))?;
            let font = FontVec::try_from_vec(bytes.into_owned())
                .map_err(|_| broken("not a font that can be read"))?;
            let em = font
                .units_per_em()
                .filter(|em| *em > 0.0)
                .ok_or_else(|| broken("no size of its em square"))?;
            let outlines = font
                .codepoint_ids()
                .filter_map(|(_, c)| Some((c, glyph(&font, em, c)?)))
                .collect();
            Ok((id, outlines))
        };
        let fonts = FONTS.into_iter().map(read).collect::<Result<_, _>>()?;
        Ok(Self { fonts })
    }

    /// The outline that stands for a code of a font, or none; blanks have none either.
    pub fn glyph(&self, font: FontId, code: u32) -> Option<&Glyph> {
        let character = katex_ttf_glyph_char(font, code);
        self.of(font, character)
            .or_else(|| self.of(FontId::MainRegular, character))
    }

    /// The outline of a character in exactly this font.
    pub fn of(&self, font: FontId, character: char) -> Option<&Glyph> {
        self.fonts.get(&font)?.get(&character)
    }

    /// KaTeX's faces for running text, as families of faces.
    pub fn families(&self) -> Vec<Vec<Face>> {
        let face = |id: FontId| {
            let name = format!("KaTeX_{}", id.as_str());
            let outlines = self.fonts.get(&id).cloned().unwrap_or_default();
            let space = Glyph {
                advance: if id == FontId::TypewriterRegular {
                    0.525
                } else {
                    0.28
                },
                curves: Vec::new(),
            };
            let known = drawing::characters().chain(['`']);
            let mut glyphs: HashMap<char, Glyph> = known
                .filter_map(|c| Some((c, outlines.get(&c)?.clone())))
                .collect();
            // KaTeX keeps the keyboard's quotes at their typographic places only.
            for (keyboard, printed) in [('\'', '’'), ('"', '”'), ('`', '‘'), ('-', '-')] {
                if let Some(outline) = outlines.get(&printed) {
                    glyphs.entry(keyboard).or_insert_with(|| outline.clone());
                }
            }
            glyphs.insert(' ', space);
            Face::of_outlines(&name, LICENCE, glyphs)
        };
        vec![
            vec![
                face(FontId::MainRegular),
                face(FontId::MainBold),
                face(FontId::MainItalic),
            ],
            vec![face(FontId::SansSerifRegular), face(FontId::SansSerifBold)],
            vec![face(FontId::TypewriterRegular)],
        ]
    }
}
