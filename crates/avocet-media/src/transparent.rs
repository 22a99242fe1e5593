//! Transparent pictures as OpenFlamingo saw them: resized with their alpha, which is dropped then.
//!
//! Everywhere else transparency is laid over white before anything. open_clip's transform resizes
//! the four channels as Pillow does, colours weighed by alpha, and drops alpha afterwards, so that
//! colours under transparent pixels come back.

use crate::processor::ImageProcessor;
use crate::{Fit, Patches, Picture};

/// The colours and the alpha of a picture with transparency.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Transparent {
    /// Colours as they are stored, under transparent pixels too.
    pub colours: Picture,
    /// Alpha in each of three channels.
    pub alpha: Picture,
}

impl ImageProcessor {
    /// Whether transparency is dropped after resizing instead of being laid over white.
    pub fn drops_alpha(&self) -> bool {
        matches!(
            self,
            Self::Square {
                fit: Fit::ShortestEdgeThenCrop,
                ..
            }
        )
    }

    /// Cuts a transparent picture into patches, dropping its alpha after resizing.
    pub fn patches_without_alpha(&self, picture: &Transparent) -> Patches {
        let Transparent { colours, alpha } = picture;
        if self.keeps_size(colours) {
            // Pillow copies what has the size already, without weighing.
            return self.patches(colours);
        }
        let weighed = Picture {
            rgb: zipped(colours, alpha, weighed).collect(),
            ..*colours
        };
        let (weighed, alpha) = (self.fitted(&weighed), self.fitted(alpha));
        let rgb = zipped(&weighed, &alpha, unweighed).collect();
        self.cut_fitted(&Picture { rgb, ..weighed })
    }
}

fn zipped(colours: &Picture, alpha: &Picture, join: fn(u8, u8) -> u8) -> impl Iterator<Item = u8> {
    let pairs = colours.rgb.iter().zip(&alpha.rgb);
    pairs.map(move |(&colour, &alpha)| join(colour, alpha))
}

/// A colour times alpha, rounded as Pillow's `MULDIV255`.
fn weighed(colour: u8, alpha: u8) -> u8 {
    let product = u32::from(colour) * u32::from(alpha) + 128;
    (((product >> 8) + product) >> 8) as u8
}

/// The colour again, as Pillow's conversion from `RGBa` to `RGBA`.
fn unweighed(colour: u8, alpha: u8) -> u8 {
    match alpha {
        0 | 255 => colour,
        _ => (u32::from(colour) * 255 / u32::from(alpha)).min(255) as u8,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_opaque_colour_survives_and_a_clear_one_vanishes() {
        for colour in 0..=255 {
            assert_eq!(unweighed(weighed(colour, 255), 255), colour);
            assert_eq!(weighed(colour, 0), 0);
        }
    }

    #[test]
    fn weighing_is_rounded_to_the_nearest() {
        for colour in 0..=255u8 {
            for alpha in 0..=255u8 {
                let exact = f64::from(colour) * f64::from(alpha) / 255.0;
                assert_eq!(f64::from(weighed(colour, alpha)), exact.round());
            }
        }
    }
}
