//! Letters as coverage to a picture as people have it: in other weights and sizes, on paper of any
//! colour, with margins from none to wide, tilted, copied, scanned, compressed.

use drawing::{Background, Canvas, Rgb, between, ink_and_field};
use image::imageops::{FilterType, resize};
use image::{ImageBuffer, Luma, RgbImage};
use rand::Rng;
use rand::seq::IndexedRandom;
use rand_chacha::ChaCha8Rng;

use crate::error::FormulasError;
use crate::paint::{LEAST_EM, LEAST_SCRIPT, Painted, Room, encode};
use crate::typeset::Unrenderable;

/// The least difference in brightness of ink and field, for large letters and for small.
const CONTRAST: (f32, f32) = (80.0, 120.0);
/// A picture with less ink than this many black pixels shows nothing.
const LEAST_INK: f32 = 4.0;
/// Grounds and how often each is taken.
const GROUNDS: [Background; 10] = [
    Background::Solid,
    Background::Solid,
    Background::Solid,
    Background::Solid,
    Background::Gradient,
    Background::Gradient,
    Background::Radial,
    Background::Noise,
    Background::Clouds,
    Background::Clouds,
];

/// How much of each pixel letters cover, 0 to 1, row by row.
#[derive(Debug, Clone, PartialEq)]
pub struct Mask {
    /// Pixels across.
    pub width: usize,
    /// Pixels down.
    pub height: usize,
    /// `width * height` parts.
    pub cover: Vec<f32>,
}

impl Mask {
    /// Nothing.
    pub fn empty(width: usize, height: usize) -> Self {
        Self {
            width,
            height,
            cover: vec![0.0; width * height],
        }
    }

    /// Black letters on white.
    pub fn of(picture: &RgbImage) -> Self {
        let part = |pixel: &image::Rgb<u8>| 1.0 - f32::from(pixel.0[1]) / 255.0;
        Self {
            width: picture.width() as usize,
            height: picture.height() as usize,
            cover: picture.pixels().map(part).collect(),
        }
    }

    /// Without the empty rows and columns around it; none if nothing is there.
    pub fn trimmed(&self) -> Option<Self> {
        let rows = self.cover.chunks_exact(self.width.max(1));
        let inked = |row: &[f32]| row.iter().any(|part| *part > 0.04);
        let (mut top, mut bottom, mut left, mut right) = (None, 0, self.width, 0);
        for (y, row) in rows.enumerate().filter(|(_, row)| inked(row)) {
            top = top.or(Some(y));
            bottom = y + 1;
            let here = |part: &f32| *part > 0.04;
            left = left.min(row.iter().position(here).unwrap_or(left));
            right = right.max(row.iter().rposition(here).map_or(0, |at| at + 1));
        }
        let top = top?;
        let rows = self.cover.chunks_exact(self.width);
        let rows = rows.skip(top).take(bottom - top);
        let cover = rows.flat_map(|row| &row[left..right]).copied().collect();
        Some(Self {
            width: right - left,
            height: bottom - top,
            cover,
        })
    }

    fn resized(&self, width: usize, height: usize, filter: FilterType) -> Self {
        let picture = ImageBuffer::<Luma<f32>, _>::from_raw(
            self.width as u32,
            self.height as u32,
            self.cover.clone(),
        );
        let Some(picture) = picture else {
            return self.clone();
        };
        let (width, height) = (width.max(1), height.max(1));
        let resized = resize(&picture, width as u32, height as u32, filter);
        Self {
            width,
            height,
            cover: resized
                .into_raw()
                .into_iter()
                .map(|part| part.clamp(0.0, 1.0))
                .collect(),
        }
    }

    /// With strokes as heavy or light as other typefaces and printers make them.
    fn weighed(mut self, em: f32, rng: &mut ChaCha8Rng) -> Self {
        if rng.random_bool(0.4) {
            let power = rng.random_range(0.6..1.5f32);
            self.cover
                .iter_mut()
                .for_each(|part| *part = part.powf(power));
        }
        if em >= 18.0 && rng.random_bool(0.15) {
            let amount = rng.random_range(0.15..0.75f32) * (em / 34.0).min(1.0);
            for row in self.cover.chunks_exact_mut(self.width) {
                let mut before = 0.0f32;
                for part in row {
                    let here = *part;
                    *part = here.max(before * amount);
                    before = here;
                }
            }
        }
        self
    }

    /// Turned by some degrees about its middle.
    fn turned(&self, degrees: f32) -> Self {
        let (sin, cos) = degrees.to_radians().sin_cos();
        let (w, h) = (self.width as f32, self.height as f32);
        let width = (w * cos.abs() + h * sin.abs()).ceil() as usize + 2;
        let height = (w * sin.abs() + h * cos.abs()).ceil() as usize + 2;
        let mut turned = Self::empty(width, height);
        let at = |x: i64, y: i64| {
            let inside = x >= 0 && y >= 0 && x < self.width as i64 && y < self.height as i64;
            if inside {
                self.cover[y as usize * self.width + x as usize]
            } else {
                0.0
            }
        };
        for y in 0..height {
            for x in 0..width {
                let (dx, dy) = (
                    x as f32 + 0.5 - width as f32 / 2.0,
                    y as f32 + 0.5 - height as f32 / 2.0,
                );
                let (u, v) = (
                    dx * cos + dy * sin + w / 2.0 - 0.5,
                    dy * cos - dx * sin + h / 2.0 - 0.5,
                );
                let (i, j) = (u.floor(), v.floor());
                let (p, q, i, j) = (u - i, v - j, i as i64, j as i64);
                let upper = at(i, j) * (1.0 - p) + at(i + 1, j) * p;
                let lower = at(i, j + 1) * (1.0 - p) + at(i + 1, j + 1) * p;
                turned.cover[y * width + x] = upper * (1.0 - q) + lower * q;
            }
        }
        turned
    }
}

/// What is known of the letters.
#[derive(Debug, Clone, Copy)]
pub struct Letters {
    /// Pixels of an em.
    pub em: f32,
    /// The size of the smallest of them, in that of the others.
    pub smallest: f32,
    /// They were turned when they were drawn.
    pub turned: bool,
}

/// A picture file of letters that lie close in their mask.
///
/// Errors if the picture cannot be encoded.
pub fn picture(
    mask: Mask,
    letters: Letters,
    room: Room,
    rng: &mut ChaCha8Rng,
) -> Result<Painted, FormulasError> {
    let inked: f32 = mask.cover.iter().sum();
    if inked < LEAST_INK {
        return Ok(Err(Unrenderable {
            reason: "an empty picture",
            detail: format!("{inked:.1} pixels of ink"),
        }));
    }
    let least = LEAST_EM.max(LEAST_SCRIPT / letters.smallest);
    let mask = mask.weighed(letters.em, rng);
    let most = (room.width as f32 / mask.width as f32).min(room.height as f32 / mask.height as f32);
    let wanted = match rng.random_range(0..20) {
        0..5 => rng.random_range(0.6..1.0f32),
        5..8 => rng.random_range(1.0..1.7f32),
        _ => 1.0,
    };
    let scale = wanted.max(least / letters.em).min(most);
    if letters.em * scale < least * 0.97 {
        return Ok(Err(Unrenderable {
            reason: "too large for the picture at a size that can be read",
            detail: format!(
                "{} x {} pixels with {:.0} pixels an em; there is room for {} x {}",
                mask.width, mask.height, letters.em, room.width, room.height
            ),
        }));
    }
    let em = letters.em * scale;
    let mut mask = if (scale - 1.0).abs() > 0.01 {
        let filter = *[
            FilterType::Triangle,
            FilterType::CatmullRom,
            FilterType::Lanczos3,
        ]
        .choose(rng)
        .expect("there are filters");
        let side = |length: usize| (length as f32 * scale).round() as usize;
        mask.resized(side(mask.width), side(mask.height), filter)
    } else {
        mask
    };
    if !letters.turned && rng.random_bool(0.15) {
        mask = mask.turned(rng.random_range(-2.5..2.5));
    }
    let margins = margins(em, rng);
    let canvas = coloured(&mask, margins, em, rng);
    Ok(Ok(encode(&canvas, em, rng)?))
}

/// Pixels left free at the left, above, at the right and below.
fn margins(em: f32, rng: &mut ChaCha8Rng) -> [usize; 4] {
    let (low, high) = match rng.random_range(0..20) {
        0..4 => (0.0, 0.15),
        4..13 => (0.1, 0.8),
        13..18 => (0.5, 1.5),
        _ => (1.0, 3.5),
    };
    let even = rng.random_bool(0.5);
    let all = rng.random_range(low..high) * em;
    std::array::from_fn(|_| {
        let own = rng.random_range(low..high) * em;
        (if even { all } else { own }).round() as usize
    })
}

fn coloured(mask: &Mask, margins: [usize; 4], em: f32, rng: &mut ChaCha8Rng) -> Canvas {
    let [left, top, right, bottom] = margins;
    let (width, height) = (mask.width + left + right, mask.height + top + bottom);
    let scanned = rng.random_bool(0.1);
    let (ink, mut canvas): (Rgb, Canvas) = match rng.random_range(0..20) {
        _ if scanned => {
            let grey: u8 = rng.random_range(205..=250);
            let paper = [grey, grey, grey.saturating_sub(rng.random_range(0..25))];
            let other = between(paper, [150; 3], rng.random_range(0.0..0.35));
            let ground = if rng.random_bool(0.5) {
                Background::Clouds
            } else {
                Background::Gradient
            };
            let ink = [rng.random_range(0..70u8); 3];
            (ink, ground.paint(width, height, paper, other, rng))
        }
        0..9 => ([0; 3], Canvas::filled(width, height, [255; 3])),
        9..11 => {
            let ink = [rng.random_range(10..90u8); 3];
            let paper: Rgb = std::array::from_fn(|_| rng.random_range(236..=255));
            (ink, Canvas::filled(width, height, paper))
        }
        11..13 => {
            let field: Rgb = std::array::from_fn(|_| rng.random_range(10..60));
            (
                [rng.random_range(190..=255u8); 3],
                Canvas::filled(width, height, field),
            )
        }
        _ => {
            let contrast = if em < 20.0 { CONTRAST.1 } else { CONTRAST.0 };
            let (ink, a, b) = ink_and_field(contrast, rng);
            let ground = *GROUNDS.choose(rng).expect("there are grounds");
            let ground = if em < 16.0 && ground == Background::Noise {
                Background::Solid
            } else {
                ground
            };
            (ink, ground.paint(width, height, a, b, rng))
        }
    };
    for (y, row) in mask.cover.chunks_exact(mask.width).enumerate() {
        for (x, part) in row.iter().enumerate().filter(|(_, part)| **part > 0.004) {
            canvas.cover(x + left, y + top, ink, part.min(1.0));
        }
    }
    let blur = if em < 16.0 { 0.25 } else { 0.65 };
    if scanned || rng.random_bool(0.25) {
        canvas.soften(rng.random_range(0.05..blur));
        if em > 24.0 && rng.random_bool(0.35) {
            canvas.soften(blur);
        }
    }
    if scanned || rng.random_bool(0.15) {
        let most = if em < 18.0 { 5 } else { 12 };
        let amplitude = rng.random_range(2..=most);
        (0..3).for_each(|_| canvas.add_noise(amplitude, rng));
    }
    canvas
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand::SeedableRng;

    fn bar() -> Mask {
        let mut mask = Mask::empty(60, 30);
        (5..25).for_each(|y| (10..40).for_each(|x| mask.cover[y * 60 + x] = 1.0));
        mask
    }

    const LETTERS: Letters = Letters {
        em: 24.0,
        smallest: 0.7,
        turned: false,
    };
    const ROOM: Room = Room {
        width: 300,
        height: 100,
    };

    #[test]
    fn what_is_empty_around_letters_goes() {
        let trimmed = bar().trimmed().unwrap();
        assert_eq!((trimmed.width, trimmed.height), (30, 20));
        assert!(trimmed.cover.iter().all(|part| *part == 1.0));
        assert_eq!(Mask::empty(4, 4).trimmed(), None);
    }

    #[test]
    fn every_picture_shows_its_letters_and_the_same_for_the_same_seed() {
        for seed in 0..60 {
            let file = || {
                let mut rng = ChaCha8Rng::seed_from_u64(seed);
                let mask = bar().trimmed().unwrap();
                picture(mask, LETTERS, ROOM, &mut rng).unwrap().unwrap()
            };
            let shown = image::load_from_memory(&file()).unwrap().to_luma8();
            let (low, high) = shown.pixels().fold((255, 0), |(low, high), p| {
                (p.0[0].min(low), p.0[0].max(high))
            });
            // The bar fills a picture without margins.
            let fills = shown.width() * shown.height() < 30 * 20 * 3;
            assert!(fills || high - low > 60, "{seed}: {low} to {high}");
            assert_eq!(file(), file());
        }
    }

    #[test]
    fn letters_too_large_for_the_room_are_made_smaller_or_refused() {
        let mut rng = ChaCha8Rng::seed_from_u64(1);
        let room = Room {
            width: 10,
            height: 10,
        };
        let refused = picture(bar(), LETTERS, room, &mut rng)
            .unwrap()
            .unwrap_err();
        assert!(refused.reason.starts_with("too large"), "{refused}");
        let empty = picture(Mask::empty(9, 9), LETTERS, ROOM, &mut rng).unwrap();
        assert_eq!(empty.unwrap_err().reason, "an empty picture");
    }
}
