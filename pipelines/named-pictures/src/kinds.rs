//! The kinds of pictures, and which packages each needs.

use clap::ValueEnum;
use drawing::{FAMILIES, UNSEEN_FAMILIES};
use pipeline::Split;

/// Typefaces of what stands around drawings on screens.
const AROUND: [&str; 4] = [
    "fonts-crosextra-caladea",
    "fonts-lato",
    "fonts-liberation2",
    "fonts-open-sans",
];

/// What is drawn.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, ValueEnum)]
pub enum Kind {
    /// Circles, rectangles and triangles, with easy-VQA's questions.
    Shapes,
    /// The flags of countries.
    Flags,
    /// Flags again, asked for the continent of their country.
    Continents,
    /// Emoji.
    Emoji,
    /// Lines of text in the faces seen in training.
    Text,
    /// Lines of text in the four families kept for the test.
    TextUnseen,
    /// Lists of things with their prices, as shops set them.
    Prices,
    /// Easy-VQA's own pictures and questions.
    EasyVqa,
    /// Clip art and icons of everyday things.
    ClipArt,
    /// What nobody can tell.
    Unsure,
}

impl Kind {
    /// Every kind.
    pub const ALL: [Self; 10] = [
        Self::Shapes,
        Self::Flags,
        Self::Continents,
        Self::Emoji,
        Self::Text,
        Self::TextUnseen,
        Self::Prices,
        Self::EasyVqa,
        Self::ClipArt,
        Self::Unsure,
    ];

    /// As on the command line and in samples.
    pub fn name(self) -> &'static str {
        match self {
            Self::Shapes => "shapes",
            Self::Flags => "flags",
            Self::Continents => "continents",
            Self::Emoji => "emoji",
            Self::Text => "text",
            Self::TextUnseen => "text-unseen",
            Self::Prices => "prices",
            Self::EasyVqa => "easy-vqa",
            Self::ClipArt => "clip-art",
            Self::Unsure => "unsure",
        }
    }

    /// Whether the kind has the split: unseen families are for the test alone.
    pub fn has(self, split: Split) -> bool {
        self != Self::TextUnseen || split == Split::Test
    }

    /// The font packages it draws with.
    pub fn families(self, split: Split) -> &'static [&'static str] {
        match (self, split) {
            (Self::Text | Self::Prices, _) => &FAMILIES,
            (Self::TextUnseen, _) => &UNSEEN_FAMILIES,
            (Self::Flags | Self::Emoji, Split::Train) | (Self::ClipArt | Self::Unsure, _) => {
                &AROUND
            }
            _ => &[],
        }
    }

    /// The rows of the manifest that it needs, fonts last. Other artists' drawings are for training
    /// alone: the test's pictures are the same as ever.
    pub fn packages(self, split: Split) -> Vec<&'static str> {
        let own: &[&str] = match (self, split) {
            (Self::Shapes, _) => &[],
            (Self::Flags, Split::Train) => &[
                "flag-icons",
                "flags-flagpack",
                "flags-coreui",
                "american-english",
            ],
            (Self::Flags | Self::Continents, _) => &["flag-icons"],
            (Self::Emoji, Split::Train) => &[
                "emoji-google",
                "emoji-noto",
                "emoji-noto-v1",
                "emoji-fx",
                "emoji-fluent-flat",
                "emoji-fluent-3d",
                "american-english",
            ],
            (Self::Emoji, Split::Test) => &["emoji-google"],
            (Self::Text | Self::TextUnseen | Self::Prices, _) => &["american-english", "wordnet"],
            (Self::EasyVqa, _) => &["easy-vqa"],
            (Self::ClipArt, _) => &[
                "openclipart",
                "icons-icon-park",
                "icons-flat-color",
                "icons-meteocons",
                "wordnet",
                "american-english",
            ],
            (Self::Unsure, _) => &["american-english"],
        };
        [own, self.families(split)].concat()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn unseen_families_are_for_the_test_alone() {
        assert!(!Kind::TextUnseen.has(Split::Train) && Kind::TextUnseen.has(Split::Test));
    }
}
