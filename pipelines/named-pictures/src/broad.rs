//! Lines of text for training: hundreds of typefaces, sizes, grounds and ways that pictures of text
//! are made and kept. The test's lines are drawn by `text`, which does not change.
//!
//! `sayings` (what is written) -> [`setting`] -> [`grounds`] and [`inking`], or [`paper`] and
//! [`scanner`] -> [`keeping`].

mod grounds;
mod inking;
mod keeping;
mod paper;
mod plane;
mod scanner;
mod setting;

use avocet_data::Truth;
use drawing::wording::ask;
use drawing::{Canvas, Face, Package, TYPEFACES, family, typeface};
use pipeline::Split;
use rand::Rng;
use rand::seq::IndexedRandom;
use rand_chacha::ChaCha8Rng;
use rayon::prelude::*;

use crate::drawn::{Drawing, Drawn};
use crate::error::NamedPicturesError;
use crate::lines::Lines;
use crate::wording;
use setting::Setting;

/// Pixels of the largest picture: 420 patches of 8 pixels a side, which the model sees unshrunk.
const MOST_PIXELS: f32 = 420.0 * 64.0;
/// Faces whose letters have more pieces of outline than this on average take too long.
const MOST_PIECES: usize = 400;
/// Of a hundred lines, how many are as a scanner gives them back.
const SCANNED: u32 = 14;

/// Families of faces, and what is written in them.
#[derive(Debug)]
pub struct Broad {
    families: Vec<Vec<Shown>>,
    written: Written,
}

/// What is written in the faces, and whether every line is scanned.
#[derive(Debug)]
pub struct Written {
    /// Where words come from.
    pub lines: Lines,
    /// The most characters of a line.
    pub max_chars: usize,
    /// What the lines are for.
    pub split: Split,
    /// All as scanners give them back, and marked as sheets are.
    pub scanned: bool,
}

/// A face, and whether it has capitals alone.
#[derive(Debug)]
pub(crate) struct Shown {
    pub face: Face,
    capitals: bool,
}

impl Broad {
    /// Reads the faces of the packages; beside them the names of families left out, with the
    /// reason.
    ///
    /// Errors if a package has no font that can be read.
    pub fn load(
        packages: &[Package],
        written: Written,
    ) -> Result<(Self, Vec<(String, String)>), NamedPicturesError> {
        let read = |package: &Package| {
            let faces = if package.name.starts_with(TYPEFACES) {
                typeface(package)?
            } else {
                family(package)?
            };
            let shown = |face: Face| Shown {
                capitals: face.is_of_one_case(),
                face,
            };
            let quick = |face: &Face| pieces(face) <= MOST_PIECES;
            Ok(faces.into_iter().filter(quick).map(shown).collect())
        };
        let all = packages
            .par_iter()
            .map(read)
            .collect::<Result<Vec<Vec<Shown>>, NamedPicturesError>>()?;
        let (mut families, mut left_out) = (Vec::new(), Vec::new());
        for (package, faces) in packages.iter().zip(all) {
            if faces.is_empty() {
                let reason = "outlines of too many pieces".to_owned();
                left_out.push((package.name.clone(), reason));
            } else {
                families.push(faces);
            }
        }
        let broad = Self { families, written };
        Ok((broad, left_out))
    }

    /// Draws one line in one face and asks for it; or says why the face cannot show it.
    ///
    /// Errors if the picture cannot be written.
    pub fn draw(&self, rng: &mut ChaCha8Rng) -> Result<Drawing, NamedPicturesError> {
        let shown = self.shown(rng);
        let line = self.line(shown, rng);
        let face = &shown.face;
        if let Some(missing) = face.missing(&line) {
            let reason = format!("{line:?}: {} has no {missing:?}", face.name);
            return Ok(Drawing::Unfit(reason));
        }
        let enlargement = keeping::enlargement(rng);
        let most = (MOST_PIXELS * enlargement * enlargement) as usize;
        let set = Setting::new(face, &line, (most, enlargement), rng);
        let size = set.size / enlargement;
        let canvas = if self.written.scanned {
            let mut canvas = paper::scanned(&set, rng);
            scanner::handled(&mut canvas, size, rng);
            keeping::resized(canvas, enlargement, rng)
        } else if rng.random_range(0..100) < SCANNED {
            keeping::resized(paper::scanned(&set, rng), enlargement, rng)
        } else {
            let ground = grounds::ground((set.width, set.height), size, rng);
            let mut canvas = inking::inked(&set, ground, rng);
            keeping::worn(&mut canvas, size, rng);
            keeping::resized(canvas, enlargement, rng)
        };
        self.done(&canvas, size, (face, line), rng)
    }

    /// What is written in the face.
    pub(crate) fn line(&self, shown: &Shown, rng: &mut ChaCha8Rng) -> String {
        let Written {
            lines,
            max_chars,
            split,
            ..
        } = &self.written;
        match split {
            Split::Train => lines.say(*max_chars, shown.capitals, rng),
            Split::Test => lines.draw(Split::Test, *max_chars, rng),
        }
    }

    fn done(
        &self,
        canvas: &Canvas,
        size: f32,
        (face, line): (&Face, String),
        rng: &mut ChaCha8Rng,
    ) -> Result<Drawing, NamedPicturesError> {
        Ok(Drawing::Done(Drawn {
            image: keeping::kept(canvas, size, rng)?,
            question: ask(&wording::TEXT, rng),
            answer: line.clone(),
            more: Vec::new(),
            also_right: Vec::new(),
            truth: Some(Truth::Text(line)),
            source: format!("{}/{}", face.family, face.name),
            licence: face.licence.clone(),
        }))
    }

    /// A family, then its plain weight or any of its weights.
    pub(crate) fn shown(&self, rng: &mut ChaCha8Rng) -> &Shown {
        let family = self.families.choose(rng).expect("there are families");
        let plain = rng.random_bool(0.4);
        let regular: Vec<&Shown> = family
            .iter()
            .enumerate()
            .filter(|(index, shown)| !plain || *index == 0 || shown.face.is_regular())
            .map(|(_, shown)| shown)
            .collect();
        regular.choose(rng).expect("no family is empty")
    }
}

/// How many pieces of outline a letter of the face has on average.
fn pieces(face: &Face) -> usize {
    let letters = ('a'..='z').chain('A'..='Z');
    let counts: Vec<usize> = letters
        .filter_map(|c| face.glyph(c))
        .map(|glyph| glyph.curves.len())
        .collect();
    counts.iter().sum::<usize>() / counts.len().max(1)
}
