//! What lies behind a line of text: one colour, two that run into each other, or a photograph that
//! was made dark or light enough to write on.

use drawing::{between, ink_and_field};
use image::imageops::{FilterType, resize};
use image::{Rgb, RgbImage};
use rand::Rng;
use rand_chacha::ChaCha8Rng;

use crate::photographs::Photograph;

/// How far a photograph is taken towards black or white.
const VEIL: std::ops::Range<f32> = 0.45..0.7;
/// How far letters differ in brightness from their ground.
const CONTRAST: f32 = 110.0;

/// A ground and the colour of the letters on it.
#[derive(Debug, Clone)]
pub(crate) struct Ground {
    pub picture: RgbImage,
    pub ink: [u8; 3],
}

/// A ground of so many pixels.
pub(crate) fn ground(
    (width, height): (u32, u32),
    photographs: &[Photograph],
    rng: &mut ChaCha8Rng,
) -> Ground {
    let choice = rng.random_range(0..4);
    if choice == 3
        && let Some(ground) = photograph((width, height), photographs, rng)
    {
        return ground;
    }
    let (ink, field, other) = ink_and_field(CONTRAST, rng);
    let other = if choice == 2 { other } else { field };
    let down = rng.random_bool(0.5);
    let picture = RgbImage::from_fn(width, height, |x, y| {
        let along = if down {
            y as f32 / height as f32
        } else {
            x as f32 / width as f32
        };
        Rgb(between(field, other, along))
    });
    Ground { picture, ink }
}

/// A part of a photograph; none if the one chosen does not read.
fn photograph(
    (width, height): (u32, u32),
    photographs: &[Photograph],
    rng: &mut ChaCha8Rng,
) -> Option<Ground> {
    if photographs.is_empty() {
        return None;
    }
    let chosen = &photographs[rng.random_range(0..photographs.len())];
    let whole = image::load_from_memory(&chosen.file().ok()?)
        .ok()?
        .to_rgb8();
    // The largest part of that shape, somewhere.
    let scale = (whole.width() as f32 / width as f32).min(whole.height() as f32 / height as f32);
    let (w, h) = (
        (width as f32 * scale) as u32,
        (height as f32 * scale) as u32,
    );
    let x = rng.random_range(0..=whole.width() - w.clamp(1, whole.width()));
    let y = rng.random_range(0..=whole.height() - h.clamp(1, whole.height()));
    let part = image::imageops::crop_imm(&whole, x, y, w.max(1), h.max(1)).to_image();
    let mut picture = resize(&part, width, height, FilterType::Triangle);
    let dark = rng.random_bool(0.5);
    let veil = if dark { [0; 3] } else { [255; 3] };
    let amount = rng.random_range(VEIL);
    for pixel in picture.pixels_mut() {
        pixel.0 = between(pixel.0, veil, amount);
    }
    let ink = if dark { [255; 3] } else { [0; 3] };
    Some(Ground { picture, ink })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixture;
    use drawing::luminance;
    use rand::SeedableRng;

    #[test]
    fn letters_can_be_read_on_every_ground() {
        let fixture = fixture::packages();
        let photographs = crate::photographs::free_photographs(&fixture.gcompris).unwrap();
        for seed in 0..60 {
            let mut rng = ChaCha8Rng::seed_from_u64(seed);
            let ground = ground((90, 40), &photographs, &mut rng);
            assert_eq!(ground.picture.dimensions(), (90, 40));
            let apart = |p: &Rgb<u8>| (luminance(p.0) - luminance(ground.ink)).abs();
            let nearest = ground.picture.pixels().map(apart).fold(255.0, f32::min);
            assert!(nearest > 70.0, "seed {seed}: {nearest}");
        }
    }
}
