//! A drawing as people keep it in files: filling the picture at any size, on a field, framed, on a
//! photograph, on a screen or in a wide frame; cut, stretched, turned, made smaller and larger
//! again, relit, compressed.
//!
//! The test has sizes and kinds of backgrounds of its own, which nothing here draws.

use image::codecs::jpeg::JpegEncoder;
use image::imageops::{FilterType, resize};
use image::{ImageError, RgbImage};
use rand::Rng;
use rand::seq::IndexedRandom;
use rand_chacha::ChaCha8Rng;

use crate::backdrop::photograph_like;
use crate::background::Background;
use crate::bend::{Bend, Outline, Wave};
use crate::canvas::Canvas;
use crate::colours::{Rgb, field_colours};
use crate::layer::Layer;
use crate::screen::{fill, screen};
use crate::sizes::any_size;
use crate::sprite::Sprite;

/// What happens to drawings of one kind, and how often. Chances are 0 to 1.
#[derive(Debug, Clone, Copy)]
pub struct Habits {
    /// The most that it is turned, in radians.
    pub turn: f32,
    /// Chance to be cut at the sides.
    pub cut: f64,
    /// Chance to be cut to a square.
    pub square: f64,
    /// Chance to be cut round.
    pub round: f64,
    /// Chance to have rounded corners.
    pub rounded: f64,
    /// Chance to wave.
    pub wave: f64,
    /// Chance to lose its colours.
    pub grey: f64,
    /// How far a channel may be from its own brightness, as a share.
    pub tint: f32,
    /// The patterns that may lie behind it.
    pub grounds: &'static [Background],
}

/// Where the drawing is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Setting {
    /// It fills the picture.
    Bleed,
    /// On a field of one colour or a pattern.
    Field,
    /// In a frame, on a field.
    Framed,
    /// Before what might be a photograph.
    Photograph,
    /// In a window among other things.
    Screen,
    /// Somewhere in a frame as wide as that of a film.
    Wide,
}

/// How often each is drawn, of a hundred.
const SETTINGS: [(Setting, u32); 6] = [
    (Setting::Bleed, 28),
    (Setting::Field, 22),
    (Setting::Framed, 8),
    (Setting::Photograph, 14),
    (Setting::Screen, 16),
    (Setting::Wide, 12),
];

/// Colours of plain fields.
const PLAIN: [Rgb; 6] = [
    [255; 3],
    [255; 3],
    [248, 248, 250],
    [236, 240, 244],
    [250, 244, 232],
    [28, 30, 34],
];

impl Habits {
    /// A file with the drawing somewhere in it: PNG, at times with its transparency, or JPEG.
    ///
    /// `texts` are lines in black for what stands around it.
    ///
    /// Errors if the file cannot be written.
    pub fn keep(
        &self,
        drawing: &Sprite,
        texts: &[Sprite],
        rng: &mut ChaCha8Rng,
    ) -> Result<Vec<u8>, ImageError> {
        let setting = setting(rng);
        let (mut canvas, rough) = match setting {
            Setting::Bleed => {
                let side = any_size(16, 640, rng);
                let layer = drawing.bent(&self.bend(drawing, side as f32, setting, rng));
                if rng.random_bool(0.15) {
                    return layer.to_png();
                }
                let mut canvas = Canvas::filled(layer.width, layer.height, plain(rng));
                layer.lay(&mut canvas, 0, 0);
                (canvas, false)
            }
            Setting::Field => {
                let side = any_size(18, 240, rng);
                let layer = drawing.bent(&self.bend(drawing, side as f32, setting, rng));
                if rng.random_bool(0.15) {
                    return layer.to_png();
                }
                let widest = rng.random_range(0.02..0.9f32).powi(2);
                let (width, left) = around(layer.width, widest, rng);
                let (height, top) = around(layer.height, widest, rng);
                let mut canvas = self.ground(width, height, rng);
                cast(&layer, &mut canvas, (left, top), rng);
                (canvas, false)
            }
            Setting::Framed => (self.framed(drawing, rng), false),
            Setting::Photograph => {
                let side = any_size(36, 240, rng);
                let layer = drawing.bent(&self.bend(drawing, side as f32, setting, rng));
                let (width, left) = around(layer.width, rng.random_range(0.02..1.0), rng);
                let (height, top) = around(layer.height, rng.random_range(0.02..1.0), rng);
                let mut canvas = photograph_like(width, height, rng);
                cast(&layer, &mut canvas, (left, top), rng);
                (canvas, true)
            }
            Setting::Screen => {
                let width = any_size(200, 640, rng);
                let height = (width as f32 / rng.random_range(0.6..1.9)).min(560.0) as u32;
                let shared = rng.random_range(0.1f32.ln()..0.62f32.ln()).exp();
                let size = (width as usize, height as usize);
                (self.placed(drawing, size, shared, texts, rng), false)
            }
            Setting::Wide => {
                let width = any_size(400, 640, rng) as usize;
                let height = width * rng.random_range(9..=12) / 16;
                let shared = rng.random_range(0.14f32.ln()..0.95f32.ln()).exp();
                return self.wide(drawing, (width, height), shared, texts, rng);
            }
        };
        self.weather(&mut canvas, rng);
        file_of(canvas, rough, rng)
    }

    /// What is done to the drawing itself, its longer side about `side` pixels.
    fn bend(&self, drawing: &Sprite, side: f32, setting: Setting, rng: &mut ChaCha8Rng) -> Bend {
        let trim = match setting {
            Setting::Bleed => 0.75,
            _ => 0.2,
        };
        let mut part = if rng.random_bool(trim) {
            drawing.extent()
        } else {
            [0.0, 0.0, 1.0, 1.0]
        };
        let (outline, square) = match rng.random::<f64>() {
            chance if chance < self.round => (Outline::Round, true),
            chance if chance < self.round + self.rounded => {
                let corner = Outline::Rounded(rng.random_range(0.05..0.3));
                (corner, rng.random_bool(self.square))
            }
            _ => (Outline::Whole, rng.random_bool(self.square)),
        };
        let wide = drawing.aspect() * (part[2] - part[0]) / (part[3] - part[1]);
        if square && wide > 1.0 {
            let spare = (part[2] - part[0]) * (1.0 - 1.0 / wide) / 2.0;
            (part[0], part[2]) = (part[0] + spare, part[2] - spare);
        } else if outline == Outline::Whole && rng.random_bool(self.cut) {
            let mut cut = |low: f32, high: f32| {
                let kept = (high - low) * rng.random_range(0.7..0.97);
                let start = rng.random_range(low..=high - kept);
                (start, start + kept)
            };
            (part[0], part[2]) = cut(part[0], part[2]);
            (part[1], part[3]) = cut(part[1], part[3]);
        }
        let mut aspect = drawing.aspect() * (part[2] - part[0]) / (part[3] - part[1]);
        if !square && rng.random_bool(0.4) {
            aspect *= rng.random_range(0.7f32.ln()..1.4f32.ln()).exp();
        }
        let size = if aspect >= 1.0 {
            (side, side / aspect)
        } else {
            (side * aspect, side)
        };
        let wave = rng.random_bool(self.wave).then(|| Wave {
            amplitude: rng.random_range(0.02..0.1),
            count: rng.random_range(0.5..2.2),
            phase: rng.random_range(0.0..1.0),
            shade: rng.random_range(0.0..0.35),
        });
        let turned = match setting {
            Setting::Bleed => 0.08,
            _ => 0.4,
        };
        let angle = if rng.random_bool(turned) {
            rng.random_range(-self.turn..self.turn)
        } else {
            0.0
        };
        Bend {
            size: (size.0.max(6.0), size.1.max(6.0)),
            part,
            outline,
            wave,
            angle,
        }
    }

    /// One colour or a pattern.
    fn ground(&self, width: usize, height: usize, rng: &mut ChaCha8Rng) -> Canvas {
        if rng.random_bool(0.55) {
            return Canvas::filled(width, height, plain(rng));
        }
        let (a, b) = field_colours(rng);
        let ground = *self.grounds.choose(rng).unwrap_or(&Background::Solid);
        ground.paint(width, height, a, b, rng)
    }

    fn framed(&self, drawing: &Sprite, rng: &mut ChaCha8Rng) -> Canvas {
        let side = any_size(48, 280, rng);
        let bend = Bend {
            angle: 0.0,
            ..self.bend(drawing, side as f32, Setting::Framed, rng)
        };
        let layer = drawing.bent(&bend);
        let (border, mat) = (rng.random_range(1..=12), rng.random_range(0..=14));
        let margin = rng.random_range(0..=60);
        let edge = border + mat;
        let (width, height) = (layer.width + 2 * edge, layer.height + 2 * edge);
        let mut canvas = self.ground(width + 2 * margin, height + 2 * margin, rng);
        let (ink, _) = field_colours(rng);
        let ink = *[[0; 3], [255; 3], [150; 3], ink]
            .choose(rng)
            .expect("there are inks");
        fill(&mut canvas, (margin, margin, width, height), ink);
        let inner = (margin + border, margin + border);
        let (w, h) = (width - 2 * border, height - 2 * border);
        fill(&mut canvas, (inner.0, inner.1, w, h), plain(rng));
        let corner = (margin + edge) as isize;
        layer.lay(&mut canvas, corner, corner);
        canvas
    }

    /// Somewhere on a screen, `share` of its shorter side large.
    fn placed(
        &self,
        drawing: &Sprite,
        (width, height): (usize, usize),
        share: f32,
        texts: &[Sprite],
        rng: &mut ChaCha8Rng,
    ) -> Canvas {
        let side = (share * width.min(height) as f32).max(20.0);
        let layer = drawing.bent(&self.bend(drawing, side, Setting::Screen, rng));
        let left = rng.random_range(0..=width.saturating_sub(layer.width));
        let top = rng.random_range(0..=height.saturating_sub(layer.height));
        let free = (left, top, layer.width, layer.height);
        let mut canvas = screen((width, height), free, texts, rng);
        layer.lay(&mut canvas, left as isize, top as isize);
        canvas
    }

    fn wide(
        &self,
        drawing: &Sprite,
        (width, height): (usize, usize),
        share: f32,
        texts: &[Sprite],
        rng: &mut ChaCha8Rng,
    ) -> Result<Vec<u8>, ImageError> {
        let choice = rng.random_range(0..10);
        if choice == 0 {
            let mut canvas = self.placed(drawing, (width, height), share, texts, rng);
            self.weather(&mut canvas, rng);
            return file_of(canvas, false, rng);
        }
        let side = share * height as f32;
        let layer = drawing.bent(&self.bend(drawing, side.max(24.0), Setting::Wide, rng));
        let rough = choice < 6;
        let mut canvas = if rough {
            photograph_like(width, height, rng)
        } else {
            self.ground(width, height, rng)
        };
        let mut place = |room: usize, taken: usize| {
            let spare = room.saturating_sub(taken);
            if rng.random_bool(0.3) {
                spare / 2
            } else {
                rng.random_range(0..=spare)
            }
        };
        let corner = (place(width, layer.width), place(height, layer.height));
        cast(&layer, &mut canvas, corner, rng);
        self.weather(&mut canvas, rng);
        file_of(canvas, rough, rng)
    }

    /// Light, colour, softness and noise.
    fn weather(&self, canvas: &mut Canvas, rng: &mut ChaCha8Rng) {
        if rng.random_bool(0.15) {
            canvas.soften(rng.random_range(0.1..0.7));
        }
        if rng.random_bool(0.2) {
            canvas.relight(rng.random_range(0.7..1.2), rng.random_range(-20.0..20.0));
        }
        if rng.random_bool(self.grey) {
            canvas.grey();
        } else if rng.random_bool(0.12) {
            let mut gain = || 1.0 + rng.random_range(-self.tint..self.tint);
            canvas.tint([gain(), gain(), gain()]);
        }
        if rng.random_bool(0.08) {
            canvas.add_noise(rng.random_range(2..=16), rng);
        }
    }
}

fn setting(rng: &mut ChaCha8Rng) -> Setting {
    let mut drawn = rng.random_range(0..100);
    for (setting, share) in SETTINGS {
        if drawn < share {
            return setting;
        }
        drawn -= share;
    }
    Setting::Bleed
}

fn plain(rng: &mut ChaCha8Rng) -> Rgb {
    if rng.random_bool(0.75) {
        *PLAIN.choose(rng).expect("there are colours")
    } else {
        std::array::from_fn(|_| rng.random())
    }
}

/// A canvas' side around `inner` pixels, and where they begin, with fields of up to `share` of
/// them on both sides.
fn around(inner: usize, share: f32, rng: &mut ChaCha8Rng) -> (usize, usize) {
    let mut field = || (rng.random_range(0.0..=share) * inner as f32) as usize;
    let (before, after) = (field(), field());
    ((before + inner + after).clamp(8, 640.max(inner)), before)
}

/// Lays the drawing down, at times with a shadow.
fn cast(layer: &Layer, canvas: &mut Canvas, (left, top): (usize, usize), rng: &mut ChaCha8Rng) {
    let (left, top) = (left as isize, top as isize);
    if rng.random_bool(0.2) {
        let far = rng.random_range(1..=8i32) as isize;
        for (x, y) in [(0, 0), (1, 0), (0, 1), (1, 1), (2, 2)] {
            layer.stain(canvas, (left + far + x, top + far + y), [0; 3], 0.1);
        }
    }
    layer.lay(canvas, left, top);
}

/// A finished picture as a file: resampled at times, PNG or JPEG, which it is more often where the
/// picture is rough.
///
/// Errors if it cannot be written.
pub fn file_of(canvas: Canvas, rough: bool, rng: &mut ChaCha8Rng) -> Result<Vec<u8>, ImageError> {
    let small = canvas.pixels.len() < 150_000;
    let canvas = if small && rng.random_bool(0.15) {
        resampled(canvas, rng)
    } else {
        canvas
    };
    let compressed = if rough { 0.7 } else { 0.25 };
    if !rng.random_bool(compressed) {
        return canvas.to_png();
    }
    let quality = match rng.random_range(0..4) {
        0 => rng.random_range(12..40),
        1 => rng.random_range(40..75),
        _ => rng.random_range(75..=96),
    };
    let picture = into_image(canvas);
    let mut file = Vec::new();
    JpegEncoder::new_with_quality(&mut file, quality).encode_image(&picture)?;
    Ok(file)
}

fn into_image(canvas: Canvas) -> RgbImage {
    let (width, height) = (canvas.width as u32, canvas.height as u32);
    RgbImage::from_raw(width, height, canvas.pixels.into_flattened())
        .expect("a canvas has as many pixels as it says")
}

/// Smaller by any of the usual ways, or smaller and larger again.
fn resampled(canvas: Canvas, rng: &mut ChaCha8Rng) -> Canvas {
    const WAYS: [FilterType; 4] = [
        FilterType::Nearest,
        FilterType::Triangle,
        FilterType::CatmullRom,
        FilterType::Lanczos3,
    ];
    let picture = into_image(canvas);
    let (width, height) = picture.dimensions();
    let factor = rng.random_range(0.4..1.0f32);
    let to = |side: u32, factor: f32| ((side as f32 * factor).round() as u32).max(12);
    let way = *WAYS.choose(rng).expect("there are ways");
    let mut picture = resize(&picture, to(width, factor), to(height, factor), way);
    if rng.random_bool(0.5) {
        let way = *WAYS.choose(rng).expect("there are ways");
        picture = resize(&picture, width, height, way);
    }
    Canvas {
        width: picture.width() as usize,
        height: picture.height() as usize,
        pixels: picture.pixels().map(|pixel| pixel.0).collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand::SeedableRng;
    use std::collections::BTreeSet;

    const HABITS: Habits = Habits {
        turn: 0.35,
        cut: 0.2,
        square: 0.1,
        round: 0.1,
        rounded: 0.1,
        wave: 0.2,
        grey: 0.0,
        tint: 0.1,
        grounds: &[Background::Gradient, Background::Stripes],
    };

    fn red() -> Sprite {
        Sprite::new(96, 64, &[220, 20, 30, 255].repeat(96 * 64))
    }

    #[test]
    fn the_drawing_is_seen_in_every_file_and_files_are_of_all_forms() {
        let mut forms = BTreeSet::new();
        for seed in 0..150 {
            let mut rng = ChaCha8Rng::seed_from_u64(seed);
            let file = HABITS.keep(&red(), &[], &mut rng).unwrap();
            forms.insert(file[..4].to_vec());
            let picture = image::load_from_memory(&file).unwrap();
            forms.insert(vec![u8::from(picture.color().has_alpha())]);
            let picture = picture.to_rgb8();
            assert!(picture.width() <= 800 && picture.height() <= 800);
            let reds = |p: &&image::Rgb<u8>| p.0[0] > 110 && p.0[1] < 110 && p.0[2] < 120;
            let seen = picture.pixels().filter(reds).count();
            assert!(
                seen > 12,
                "seed {seed}: {seen} of {:?}",
                picture.dimensions()
            );
        }
        assert_eq!(forms.len(), 4);
    }

    #[test]
    fn a_seed_gives_the_same_file() {
        for seed in 0..30 {
            let file = || {
                let mut rng = ChaCha8Rng::seed_from_u64(seed);
                HABITS.keep(&red(), &[], &mut rng).unwrap()
            };
            assert_eq!(file(), file());
        }
    }
}
