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
    /// Lines of text for training as a browser sets them.
    TextBrowser,
    /// Lines of text as scanners give them back; of the test in the families kept for it.
    TextScanned,
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
    pub const ALL: [Self; 12] = [
        Self::Shapes,
        Self::Flags,
        Self::Continents,
        Self::Emoji,
        Self::Text,
        Self::TextUnseen,
        Self::TextBrowser,
        Self::TextScanned,
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
            Self::TextBrowser => "text-browser",
            Self::TextScanned => "text-scanned",
            Self::Prices => "prices",
            Self::EasyVqa => "easy-vqa",
            Self::ClipArt => "clip-art",
            Self::Unsure => "unsure",
        }
    }

    /// Whether the kind has the split: unseen families are for the test alone, lines of a browser
    /// for training.
    pub fn has(self, split: Split) -> bool {
        match self {
            Self::TextUnseen => split == Split::Test,
            Self::TextBrowser => split == Split::Train,
            _ => true,
        }
    }

    /// Whether a browser draws it, so that it is only drawn where it is asked for by name.
    pub fn needs_browser(self) -> bool {
        self == Self::TextBrowser
    }

    /// Whether its answers are spelled rather than said.
    pub fn is_transcribed(self) -> bool {
        matches!(
            self,
            Self::Text | Self::TextUnseen | Self::TextBrowser | Self::TextScanned | Self::Prices
        )
    }

    /// Whether the split's lines are drawn in all the typefaces of the manifest, beside its
    /// families.
    pub fn draws_in_every_typeface(self, split: Split) -> bool {
        matches!(self, Self::Text | Self::TextBrowser | Self::TextScanned) && split == Split::Train
    }

    /// The font packages it draws with.
    pub fn families(self, split: Split) -> &'static [&'static str] {
        match (self, split) {
            (Self::TextScanned, Split::Test) | (Self::TextUnseen, _) => &UNSEEN_FAMILIES,
            (Self::Text | Self::TextBrowser | Self::TextScanned | Self::Prices, _) => &FAMILIES,
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
            (
                Self::Text
                | Self::TextUnseen
                | Self::TextBrowser
                | Self::TextScanned
                | Self::Prices,
                _,
            ) => &["american-english", "wordnet"],
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
        assert!(Kind::TextBrowser.has(Split::Train) && !Kind::TextBrowser.has(Split::Test));
    }
}
