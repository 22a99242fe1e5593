//! What of a sample is compared with others, worked out from it alone.

use avocet_media::{Limits, decode};
use avocet_text::Role;
use avocet_text::turn::shown;

use super::text::Shingles;
use super::thumbnail::Thumbnail;
use super::{DedupOptions, Match};
use crate::digest::sha256;
use crate::{Content, Sample};

/// What a sample shows and says, for comparison.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Fingerprint {
    /// What is said, whatever its white space.
    pub(crate) said: [u8; 16],
    /// Whether this is a text without pictures, and such are compared.
    pub(crate) text_alone: bool,
    /// Hash of each image file; only where an opt-out list asks for it.
    pub(crate) files: Vec<[u8; 32]>,
    /// Hash of the pixels of each picture, or of the file of one that does not decode.
    pub(crate) pixels: Vec<[u8; 32]>,
    /// Each picture from afar; empty if one does not decode.
    pub(crate) thumbnails: Vec<Vec<Thumbnail>>,
    /// The text of a document without pictures, if it is long enough.
    pub(crate) text: Option<Shingles>,
}

impl Fingerprint {
    pub(crate) fn of(sample: &Sample, options: &DedupOptions) -> Self {
        let mut fingerprint = Self {
            said: said(&sample.content),
            text_alone: sample.images.is_empty() && options.texts != Match::Off,
            files: Vec::new(),
            pixels: Vec::new(),
            thumbnails: Vec::new(),
            text: None,
        };
        if options.opt_out.is_some() {
            fingerprint.files = sample.images.iter().map(|image| sha256(image)).collect();
        }
        if options.pictures != Match::Off {
            fingerprint.look(&sample.images, options.pictures == Match::Near);
        }
        if let Content::Document(parts) = &sample.content
            && options.texts == Match::Near
            && sample.images.is_empty()
        {
            fingerprint.text = Shingles::of(&shown(parts));
        }
        fingerprint
    }

    fn look(&mut self, images: &[Vec<u8>], from_afar: bool) {
        let mut all_decode = true;
        for image in images {
            match decode(image, &Limits::default()) {
                Ok(picture) => {
                    self.pixels.push(picture.content_hash());
                    if from_afar {
                        self.thumbnails.push(Thumbnail::of(&picture));
                    }
                }
                Err(_) => {
                    self.pixels.push(sha256(image));
                    all_decode = false;
                }
            }
        }
        if !all_decode {
            self.thumbnails.clear();
        }
    }

    /// Names the sample as a whole, if samples of its sort are compared: by what its pictures
    /// show and, if that counts, what is said; or by its text alone.
    pub(crate) fn exact(&self, with_said: bool) -> Option<[u8; 16]> {
        match self.pixels.is_empty() {
            true => self.text_alone.then_some(self.said),
            false => Some(self.whole(with_said)),
        }
    }

    /// Names what all pictures show together, and what is said if that counts too.
    fn whole(&self, with_said: bool) -> [u8; 16] {
        let mut parts = self.pixels.concat();
        if with_said {
            parts.extend(self.said);
        }
        short(&parts)
    }
}

/// Hash of who says what, with runs of white space as one space.
fn said(content: &Content) -> [u8; 16] {
    let words = |text: &str| text.split_whitespace().collect::<Vec<_>>().join(" ");
    let text = match content {
        Content::Document(parts) => words(&shown(parts)),
        Content::Turns(turns) => {
            let turn = |role: Role, text: &str| format!("\u{1}{role:?}\u{2}{}", words(text));
            turns.iter().map(|t| turn(t.role, &t.shown())).collect()
        }
    };
    short(text.as_bytes())
}

fn short(bytes: &[u8]) -> [u8; 16] {
    let mut short = [0; 16];
    short.copy_from_slice(&sha256(bytes)[..16]);
    short
}
