//! The sets, and what each is made of.

use avocet_fetch::Sources;
use drawing::Package;

use crate::asked::Maker;
use crate::emoji::Emoji;
use crate::error::OtherHandsError;
use crate::faces::Faces;
use crate::flags::Flags;
use crate::formulas::Formulas;
use crate::order::random;
use crate::pages::Pages;
use crate::photographs::Photographs;
use crate::text::{Setter, Text};
use crate::unknowable::Unknowable;

/// A set of pictures by other hands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Set {
    /// Photographs: what they show, and whether they show an animal, a tool, a building.
    Photographs,
    /// Emoji by artists kept out of training, in outlines.
    EmojiOpenmoji,
    /// The same, flat without outlines.
    EmojiEmojione,
    /// Emoji of training's own artist, as files.
    EmojiNoto,
    /// Flags of countries as files.
    Flags,
    /// Flags cut round.
    FlagsRound,
    /// Flags that wave.
    FlagsWaving,
    /// Lines in common typefaces that training has not, set by a browser.
    TextCommon,
    /// Lines in display, script and hand typefaces, set by a browser.
    TextUnseen,
    /// Lines in the common typefaces, set by ImageMagick.
    TextCommonMagick,
    /// Lines in the others, set by ImageMagick.
    TextUnseenMagick,
    /// Formulas set by KaTeX.
    FormulasKatex,
    /// The same by MathJax.
    FormulasMathjax,
    /// The same by matplotlib.
    FormulasMatplotlib,
    /// The same by TeX.
    FormulasTex,
    /// Pages of manuals in a browser, with questions that their elements answer.
    Pages,
    /// What cannot be known: noise, blanks, and questions that no picture answers.
    Unknowable,
}

impl Set {
    /// Every set.
    pub const ALL: [Self; 17] = [
        Self::Photographs,
        Self::EmojiOpenmoji,
        Self::EmojiEmojione,
        Self::EmojiNoto,
        Self::Flags,
        Self::FlagsRound,
        Self::FlagsWaving,
        Self::TextCommon,
        Self::TextUnseen,
        Self::TextCommonMagick,
        Self::TextUnseenMagick,
        Self::FormulasKatex,
        Self::FormulasMathjax,
        Self::FormulasMatplotlib,
        Self::FormulasTex,
        Self::Pages,
        Self::Unknowable,
    ];

    /// As on the command line and in folders.
    pub fn name(self) -> &'static str {
        match self {
            Self::Photographs => "photographs",
            Self::EmojiOpenmoji => "emoji-openmoji",
            Self::EmojiEmojione => "emoji-emojione",
            Self::EmojiNoto => "emoji-noto",
            Self::Flags => "flags",
            Self::FlagsRound => "flags-round",
            Self::FlagsWaving => "flags-waving",
            Self::TextCommon => "text-common",
            Self::TextUnseen => "text-unseen",
            Self::TextCommonMagick => "text-common-magick",
            Self::TextUnseenMagick => "text-unseen-magick",
            Self::FormulasKatex => "formulas-katex",
            Self::FormulasMathjax => "formulas-mathjax",
            Self::FormulasMatplotlib => "formulas-matplotlib",
            Self::FormulasTex => "formulas-tex",
            Self::Pages => "pages",
            Self::Unknowable => "unknowable",
        }
    }
}

/// Reads what `set` is made of.
///
/// Errors if a package or a tool cannot be had.
pub(crate) fn open(
    set: Set,
    seed: u64,
    sources: &Sources,
) -> Result<Box<dyn Maker>, OtherHandsError> {
    let package = |name: &str| Package::open(sources, name);
    // The same formulas and lines by every program that sets them.
    let order = match set.name().split_once('-') {
        Some((kind @ ("formulas" | "text"), _)) => kind,
        _ => set.name(),
    };
    let mut rng = random(seed, order);
    let rng = &mut rng;
    Ok(match set {
        Set::Photographs => Box::new(Photographs::load(&package("gcompris")?, rng)?),
        Set::EmojiOpenmoji => {
            let names = package("emoji-google")?;
            Box::new(Emoji::of_icons(&package("emoji-openmoji")?, &names, rng)?)
        }
        Set::EmojiEmojione => {
            let names = package("emoji-google")?;
            Box::new(Emoji::of_icons(
                &package("emoji-emojione-v1")?,
                &names,
                rng,
            )?)
        }
        Set::EmojiNoto => Box::new(Emoji::of_files(&package("emoji-google")?, rng)?),
        Set::Flags => {
            let packages = [
                package("flags-svg-country")?,
                package("flags-country-icons")?,
            ];
            Box::new(Flags::of_files(&packages, &package("flag-icons")?, rng)?)
        }
        Set::FlagsRound => {
            let names = package("flag-icons")?;
            Box::new(Flags::round(&package("flags-circle")?, &names, rng)?)
        }
        Set::FlagsWaving => {
            let names = package("flag-icons")?;
            Box::new(Flags::waving(&package("emoji-google")?, &names, rng)?)
        }
        Set::TextCommon => Box::new(Text::open(Faces::Common, Setter::Browser, sources, rng)?),
        Set::TextUnseen => Box::new(Text::open(Faces::Unseen, Setter::Browser, sources, rng)?),
        Set::TextCommonMagick => Box::new(Text::open(Faces::Common, Setter::Magick, sources, rng)?),
        Set::TextUnseenMagick => Box::new(Text::open(Faces::Unseen, Setter::Magick, sources, rng)?),
        Set::FormulasKatex => Box::new(Formulas::katex(sources, rng)?),
        Set::FormulasMathjax => Box::new(Formulas::mathjax(sources, rng)?),
        Set::FormulasMatplotlib => Box::new(Formulas::matplotlib(sources, rng)?),
        Set::FormulasTex => Box::new(Formulas::tex(sources, rng)?),
        Set::Pages => Box::new(Pages::open(sources, rng)?),
        Set::Unknowable => {
            let plots = package("mpmath-doc")?;
            Box::new(Unknowable::load(&package("gcompris")?, &plots, rng)?)
        }
    })
}
