//! What draws the samples of one kind: everything read once, then any sample by number.

use drawing::{Package, Sprite};
use pipeline::Split;
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;
use rayon::prelude::*;
use sha2::{Digest, Sha256};

use crate::artists::Artists;
use crate::broad::{Broad, Written};
use crate::browser::{LINES, Setter};
use crate::clip_art::ClipArt;
use crate::continents::Continents;
use crate::drawn::Drawing;
use crate::easy_vqa::EasyVqa;
use crate::error::NamedPicturesError;
use crate::hands::ManyHands;
use crate::kinds::Kind;
use crate::named_sprites::NamedSprites;
use crate::text::Texts;
use crate::{artists, emoji, ensigns, flags, prices, shapes, surroundings, unsure, words};

/// Draws the samples of one kind and split.
#[derive(Debug)]
pub struct PictureGenerator {
    kind: Kind,
    split: Split,
    subject: Subject,
    /// Things that the packages hold but that are never drawn, with the reason.
    pub left_out: Vec<(String, String)>,
}

#[derive(Debug)]
enum Subject {
    Shapes,
    Named(NamedSprites),
    ManyHands(ManyHands),
    Continents(Continents),
    Texts(Texts),
    Broad(Broad),
    Browser(Box<Setter>),
    Prices(Texts),
    EasyVqa(EasyVqa),
    ClipArt(ClipArt),
    Unsure(Vec<Sprite>),
}

impl PictureGenerator {
    /// Reads what the kind needs out of its packages, which come in the order of
    /// [`Kind::packages`]; after them more families, for lines to learn from.
    ///
    /// Errors if the kind has no such split or a package is not what it should be.
    pub fn load(
        kind: Kind,
        split: Split,
        max_chars: usize,
        packages: &[Package],
    ) -> Result<Self, NamedPicturesError> {
        if !kind.has(split) {
            return Err(NamedPicturesError::NoSplit {
                kind: kind.name(),
                split: split.name(),
            });
        }
        let mut left_out = Vec::new();
        let subject = match (kind, packages) {
            (Kind::Flags, [house, flagpack, coreui, words, families @ ..])
                if split == Split::Train =>
            {
                let others = [flagpack.clone(), coreui.clone()];
                let texts = surroundings::lines(words, families)?;
                let (set, dropped) = ensigns::load(house, &others, texts)?;
                left_out = dropped;
                Subject::ManyHands(set)
            }
            (
                Kind::Emoji,
                [
                    house,
                    noto,
                    noto_v1,
                    fx,
                    flat,
                    pictures,
                    words,
                    families @ ..,
                ],
            ) if split == Split::Train => {
                let icons = [noto, flat, noto_v1, fx].map(Package::clone);
                let icons = &icons;
                let texts = surroundings::lines(words, families)?;
                let artists = Artists { icons, pictures };
                let (set, dropped) = artists::load(house, &artists, texts)?;
                left_out = dropped;
                Subject::ManyHands(set)
            }
            (Kind::Flags, [package, ..]) if split == Split::Test => {
                let (set, dropped) = flags::load(package)?;
                left_out = dropped;
                Subject::Named(set)
            }
            (Kind::Continents, [package, ..]) => {
                let (continents, dropped) = Continents::load(package, split)?;
                left_out = dropped;
                Subject::Continents(continents)
            }
            (Kind::Emoji, [package, ..]) if split == Split::Test => {
                let (set, dropped) = emoji::load(package)?;
                left_out = dropped;
                Subject::Named(set)
            }
            (Kind::ClipArt, [art, park, flat, weather, wordnet, words, families @ ..]) => {
                let icons = [park, flat, weather].map(Package::clone);
                let texts = surroundings::lines(words, families)?;
                let (set, dropped) = ClipArt::load(art, &icons, (wordnet, split), texts)?;
                left_out = dropped;
                Subject::ClipArt(set)
            }
            (Kind::Unsure, [words, families @ ..]) => {
                Subject::Unsure(surroundings::lines(words, families)?)
            }
            (Kind::EasyVqa, [package, ..]) => Subject::EasyVqa(EasyVqa::load(package, split)?),
            (
                Kind::Text | Kind::TextBrowser | Kind::TextScanned,
                [list, wordnet, families @ ..],
            ) if !families.is_empty() && (split == Split::Train || kind == Kind::TextScanned) => {
                let written = Written {
                    lines: words::load(list, wordnet)?,
                    max_chars,
                    split,
                    scanned: kind == Kind::TextScanned,
                };
                let (broad, dropped) = Broad::load(families, written)?;
                left_out = dropped;
                if kind.needs_browser() {
                    Subject::Browser(Box::new(Setter::new(broad)))
                } else {
                    Subject::Broad(broad)
                }
            }
            (Kind::Text | Kind::TextUnseen | Kind::Prices, [list, wordnet, families @ ..])
                if !families.is_empty() =>
            {
                let families = families
                    .par_iter()
                    .map(drawing::family)
                    .collect::<Result<Vec<_>, _>>()?;
                let lines = words::load(list, wordnet)?;
                let texts = Texts {
                    families,
                    lines,
                    max_chars,
                };
                match kind {
                    Kind::Prices => Subject::Prices(texts),
                    _ => Subject::Texts(texts),
                }
            }
            (Kind::Shapes, _) => Subject::Shapes,
            (kind, packages) => {
                let (wanted, got) = (kind.packages(split).len(), packages.len());
                return Err(NamedPicturesError::Packages {
                    kind: kind.name(),
                    wanted,
                    got,
                });
            }
        };
        Ok(Self {
            kind,
            split,
            subject,
            left_out,
        })
    }

    /// What is drawn.
    pub fn kind(&self) -> Kind {
        self.kind
    }

    /// How many different samples there are, where there is a limit.
    pub fn limit(&self) -> Option<usize> {
        match &self.subject {
            Subject::EasyVqa(questions) => Some(questions.count()),
            _ => None,
        }
    }

    /// How many samples one number stands for, at most.
    pub fn at_once(&self) -> usize {
        match self.subject {
            Subject::Browser(_) => LINES,
            _ => 1,
        }
    }

    /// Draws the sample with this number, the same for the same seed whatever was drawn
    /// before. Where there is a [`limit`](Self::limit), the number is below it.
    ///
    /// Errors if a picture cannot be written as PNG, or there is no browser for those it draws.
    pub fn draw(&self, seed: u64, index: usize) -> Result<Drawing, NamedPicturesError> {
        let mut rng = self.rng(seed, index);
        Ok(Drawing::Done(match &self.subject {
            Subject::Shapes => shapes::draw(self.split, &mut rng)?,
            Subject::Named(set) => set.draw(self.split, &mut rng)?,
            Subject::ManyHands(set) => set.draw(&mut rng)?,
            Subject::Continents(continents) => continents.draw(self.split, &mut rng)?,
            Subject::EasyVqa(questions) => questions.question(index),
            Subject::Broad(broad) => return broad.draw(&mut rng),
            Subject::Browser(setter) => return Ok(Drawing::Several(setter.page(&mut rng)?)),
            Subject::ClipArt(set) => set.draw(&mut rng)?,
            Subject::Unsure(texts) => unsure::draw(texts, &mut rng)?,
            Subject::Texts(texts) => return texts.draw(self.split, &mut rng),
            Subject::Prices(texts) => return prices::draw(texts, self.split, &mut rng),
        }))
    }

    /// The random state of one sample, from the run's seed, the kind, split and number.
    fn rng(&self, seed: u64, index: usize) -> ChaCha8Rng {
        let name = format!("{seed}/{}/{}/{index}", self.kind.name(), self.split.name());
        ChaCha8Rng::from_seed(Sha256::digest(name).into())
    }
}
