//! A drawing as people keep it in files: filling the picture, small, cut, framed, compressed, or
//! somewhere on a screenshot.

use std::io::Cursor;

use image::codecs::jpeg::JpegEncoder;
use image::imageops::{FilterType, crop_imm, resize};
use image::{ImageFormat, ImageResult, Rgb, RgbImage, Rgba, RgbaImage};
use rand::Rng;
use rand::seq::IndexedRandom;
use rand_chacha::ChaCha8Rng;

/// How a drawing is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Manner {
    /// It fills the picture, whose sides are as they come.
    FullBleed,
    /// A few pixels across.
    Small,
    /// Some of it is cut away at the sides.
    Cropped,
    /// Its transparency is kept in the file.
    Transparent,
    /// JPEG, from bad to good.
    Jpeg,
    /// With a border, on a field.
    Framed,
    /// On a window among bars and lines.
    Screenshot,
}

impl Manner {
    /// Those for drawings that fill their rectangle.
    pub const RECTANGLES: [Self; 6] = [
        Self::FullBleed,
        Self::Small,
        Self::Cropped,
        Self::Jpeg,
        Self::Framed,
        Self::Screenshot,
    ];
    /// Those for drawings with transparent edges.
    pub const CUT_OUT: [Self; 5] = [
        Self::FullBleed,
        Self::Small,
        Self::Transparent,
        Self::Jpeg,
        Self::Screenshot,
    ];

    /// As the kind of a sample.
    pub fn kind(self) -> &'static str {
        match self {
            Self::FullBleed => "full-bleed",
            Self::Small => "small",
            Self::Cropped => "cropped",
            Self::Transparent => "transparent",
            Self::Jpeg => "jpeg",
            Self::Framed => "framed",
            Self::Screenshot => "screenshot",
        }
    }

    /// The file.
    ///
    /// Errors if it cannot be written.
    pub fn file(self, drawing: &RgbaImage, rng: &mut ChaCha8Rng) -> ImageResult<Vec<u8>> {
        match self {
            Self::FullBleed => {
                let wide = rng.random_range(97..=611);
                png(&on(&sized(&trimmed(drawing), wide), WHITE))
            }
            Self::Small => png(&on(&sized(drawing, rng.random_range(20..=44)), WHITE)),
            Self::Cropped => {
                let (width, height) = drawing.dimensions();
                let mut cut = |length: u32| {
                    let kept = (length as f32 * rng.random_range(0.72..0.95)) as u32;
                    (rng.random_range(0..=length - kept), kept.max(1))
                };
                let ((x, w), (y, h)) = (cut(width), cut(height));
                let part = crop_imm(drawing, x, y, w, h).to_image();
                png(&on(&sized(&part, rng.random_range(120..=480)), WHITE))
            }
            Self::Transparent => {
                let kept = straight(sized(drawing, rng.random_range(48..=256)));
                let mut file = Cursor::new(Vec::new());
                kept.write_to(&mut file, ImageFormat::Png)?;
                Ok(file.into_inner())
            }
            Self::Jpeg => {
                let field = *FIELDS.choose(rng).expect("there are fields");
                let small = on(&sized(drawing, rng.random_range(72..=320)), field);
                let quality = *[20, 40, 60, 85].choose(rng).expect("there are qualities");
                let mut file = Vec::new();
                JpegEncoder::new_with_quality(&mut file, quality).encode_image(&small)?;
                Ok(file)
            }
            Self::Framed => {
                let thing = sized(drawing, rng.random_range(90..=300));
                let (border, margin) = (rng.random_range(2..=9), rng.random_range(8..=60));
                let edge = *INKS.choose(rng).expect("there are inks");
                let field = *FIELDS.choose(rng).expect("there are fields");
                let all = margin + border;
                let (width, height) = (thing.width() + 2 * all, thing.height() + 2 * all);
                let mut picture = RgbImage::from_pixel(width, height, field);
                let (w, h) = (width - 2 * margin, height - 2 * margin);
                fill(&mut picture, (margin, margin, w, h), edge);
                lay(&mut picture, &thing, all, all);
                png(&picture)
            }
            Self::Screenshot => png(&screenshot(drawing, rng)),
        }
    }
}

const WHITE: Rgb<u8> = Rgb([255; 3]);
const FIELDS: [Rgb<u8>; 5] = [
    WHITE,
    Rgb([242, 242, 245]),
    Rgb([30, 32, 36]),
    Rgb([214, 228, 240]),
    Rgb([246, 236, 214]),
];
const INKS: [Rgb<u8>; 4] = [
    Rgb([0; 3]),
    Rgb([120, 84, 50]),
    Rgb([150; 3]),
    Rgb([200, 170, 90]),
];

/// A window: a bar above, lines of what might be text, and the drawing beside them.
fn screenshot(drawing: &RgbaImage, rng: &mut ChaCha8Rng) -> RgbImage {
    let (width, height) = (rng.random_range(360..=800), rng.random_range(280..=600));
    let field = *FIELDS[..2].choose(rng).expect("there are fields");
    let mut picture = RgbImage::from_pixel(width, height, field);
    let bar = rng.random_range(24..=48);
    let shade = Rgb([rng.random_range(40..=225), rng.random_range(40..=225), 200]);
    fill(&mut picture, (0, 0, width, bar), shade);
    let thing = sized(drawing, rng.random_range(72..=200));
    let x = rng.random_range(16..width - thing.width().min(width - 32) - 8);
    let y =
        rng.random_range(bar + 8..=(height - thing.height().min(height - bar - 24)).max(bar + 9));
    for line in 0..(height - bar) / 22 {
        let top = bar + 12 + line * 22;
        let end = rng.random_range(width / 3..width - 16);
        let free = top + 10 < y.saturating_sub(6) || top > y + thing.height() + 6;
        if free && top + 10 < height && rng.random_bool(0.7) {
            fill(&mut picture, (16, top, end - 16, 8), Rgb([190, 192, 198]));
        }
    }
    lay(&mut picture, &thing, x, y);
    picture
}

fn fill(picture: &mut RgbImage, (left, top, width, height): (u32, u32, u32, u32), colour: Rgb<u8>) {
    for y in top..(top + height).min(picture.height()) {
        for x in left..(left + width).min(picture.width()) {
            picture.put_pixel(x, y, colour);
        }
    }
}

/// The drawing at another width, its shape kept, with colours times opacity.
pub(crate) fn sized(drawing: &RgbaImage, width: u32) -> RgbaImage {
    let (w, h) = (drawing.width().max(1), drawing.height().max(1));
    let height =
        ((u64::from(width) * u64::from(h) + u64::from(w) / 2) / u64::from(w)).max(1) as u32;
    resize(
        &premultiplied(drawing),
        width,
        height,
        FilterType::CatmullRom,
    )
}

/// Colours times opacity, so that nothing bleeds in from behind transparent edges.
fn premultiplied(drawing: &RgbaImage) -> RgbaImage {
    let mut picture = drawing.clone();
    for Rgba([r, g, b, a]) in picture.pixels_mut() {
        for channel in [r, g, b] {
            *channel = ((u16::from(*channel) * u16::from(*a) + 127) / 255) as u8;
        }
    }
    picture
}

/// The inverse of [`premultiplied`].
fn straight(mut drawing: RgbaImage) -> RgbaImage {
    for Rgba([r, g, b, a]) in drawing.pixels_mut() {
        for channel in [r, g, b] {
            let whole = u16::from(*channel) * 255 / u16::from(*a).max(1);
            *channel = whole.min(255) as u8;
        }
    }
    drawing
}

/// Without the transparent rows and columns around it.
fn trimmed(drawing: &RgbaImage) -> RgbaImage {
    let seen = drawing.enumerate_pixels().filter(|(_, _, p)| p.0[3] > 8);
    let start = (u32::MAX, u32::MAX, 0, 0);
    let (left, top, right, bottom) = seen.fold(start, |(l, t, r, b), (x, y, _)| {
        (l.min(x), t.min(y), r.max(x + 1), b.max(y + 1))
    });
    if right == 0 {
        return drawing.clone();
    }
    crop_imm(drawing, left, top, right - left, bottom - top).to_image()
}

fn on(drawing: &RgbaImage, field: Rgb<u8>) -> RgbImage {
    let mut picture = RgbImage::from_pixel(drawing.width(), drawing.height(), field);
    lay(&mut picture, drawing, 0, 0);
    picture
}

/// Lays a drawing whose colours are times its opacity.
fn lay(picture: &mut RgbImage, drawing: &RgbaImage, left: u32, top: u32) {
    for (x, y, Rgba([r, g, b, a])) in drawing.enumerate_pixels() {
        let (x, y) = (x + left, y + top);
        if x < picture.width() && y < picture.height() {
            let below = picture.get_pixel_mut(x, y);
            for (below, above) in below.0.iter_mut().zip([r, g, b]) {
                let kept = (u16::from(*below) * u16::from(255 - a) + 127) / 255;
                *below = (kept + u16::from(*above)).min(255) as u8;
            }
        }
    }
}

/// As a PNG file.
///
/// Errors if it cannot be written.
pub(crate) fn png(picture: &RgbImage) -> ImageResult<Vec<u8>> {
    let mut file = Cursor::new(Vec::new());
    picture.write_to(&mut file, ImageFormat::Png)?;
    Ok(file.into_inner())
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand::SeedableRng;

    fn disc() -> RgbaImage {
        RgbaImage::from_fn(64, 64, |x, y| {
            let (dx, dy) = (x as f32 - 32.0, y as f32 - 32.0);
            let inside = dx * dx + dy * dy < 400.0;
            Rgba([220, 20, 40, if inside { 255 } else { 0 }])
        })
    }

    #[test]
    fn every_manner_gives_a_picture_and_the_same_for_the_same_seed() {
        for manner in [Manner::RECTANGLES.as_slice(), &Manner::CUT_OUT].concat() {
            for seed in 0..3 {
                let file = |seed| {
                    let mut rng = ChaCha8Rng::seed_from_u64(seed);
                    manner.file(&disc(), &mut rng).unwrap()
                };
                let picture = image::load_from_memory(&file(seed)).unwrap().to_rgb8();
                let red = |p: &&Rgb<u8>| p.0[0] > 150 && p.0[1] < 110;
                assert!(picture.pixels().filter(red).count() > 20, "{manner:?}");
                assert_eq!(file(seed), file(seed));
            }
        }
    }

    #[test]
    fn what_fills_a_picture_has_no_empty_edge() {
        let mut rng = ChaCha8Rng::seed_from_u64(3);
        let file = Manner::FullBleed.file(&disc(), &mut rng).unwrap();
        let picture = image::load_from_memory(&file).unwrap().to_rgb8();
        let middle = picture.height() / 2;
        for x in [2, picture.width() - 3] {
            assert_ne!(*picture.get_pixel(x, middle), WHITE);
        }
    }
}
