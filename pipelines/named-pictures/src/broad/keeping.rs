//! What happens to a picture of a line before anybody sees it: it is drawn larger and shrunk,
//! or smaller and enlarged, blurred, made noisy, and kept as JPEG.

use drawing::Canvas;
use image::codecs::jpeg::JpegEncoder;
use image::imageops::{FilterType, resize};
use image::{ExtendedColorType, ImageEncoder, RgbImage};
use rand::Rng;
use rand::seq::IndexedRandom;
use rand_chacha::ChaCha8Rng;

use crate::error::NamedPicturesError;

const FILTERS: [FilterType; 3] = [
    FilterType::Triangle,
    FilterType::CatmullRom,
    FilterType::Lanczos3,
];

/// By how much the picture is drawn larger than it will be.
pub(super) fn enlargement(rng: &mut ChaCha8Rng) -> f32 {
    match rng.random_range(0..20) {
        0..13 => 1.0,
        13..18 => rng.random_range(1.1..2.2),
        _ => rng.random_range(0.6..0.9),
    }
}

/// The picture resized so that it was drawn larger by `enlargement`.
pub(super) fn resized(canvas: Canvas, enlargement: f32, rng: &mut ChaCha8Rng) -> Canvas {
    if enlargement == 1.0 {
        return canvas;
    }
    let side = |length: usize| ((length as f32 / enlargement) as u32).max(8);
    let (width, height) = (side(canvas.width), side(canvas.height));
    let filter = *FILTERS.choose(rng).expect("there are filters");
    let Some(picture) = RgbImage::from_raw(
        canvas.width as u32,
        canvas.height as u32,
        canvas.pixels.as_flattened().to_vec(),
    ) else {
        return canvas;
    };
    let small = resize(&picture, width, height, filter);
    Canvas {
        width: width as usize,
        height: height as usize,
        pixels: small.pixels().map(|pixel| pixel.0).collect(),
    }
}

/// Blurs and roughens as far as letters of this size bear it.
pub(super) fn worn(canvas: &mut Canvas, size: f32, rng: &mut ChaCha8Rng) {
    if rng.random_bool(0.25) {
        let most = if size < 16.0 { 0.3 } else { 0.6 };
        canvas.soften(rng.random_range(0.1..most));
        if size > 26.0 && rng.random_bool(0.5) {
            canvas.soften(0.6);
        }
    }
    if rng.random_bool(0.15) {
        canvas.add_noise(rng.random_range(2..=if size < 20.0 { 8 } else { 18 }), rng);
    }
    if rng.random_bool(0.08) {
        canvas.relight(rng.random_range(0.75..1.1), rng.random_range(-15.0..25.0));
    }
}

/// The bytes of a PNG or, one time in four, of a JPEG.
///
/// Errors if the picture cannot be written.
pub(super) fn kept(
    canvas: &Canvas,
    size: f32,
    rng: &mut ChaCha8Rng,
) -> Result<Vec<u8>, NamedPicturesError> {
    if !rng.random_bool(0.25) {
        return Ok(canvas.to_png()?);
    }
    let worst = if size < 14.0 { 60 } else { 25 };
    let mut file = Vec::new();
    JpegEncoder::new_with_quality(&mut file, rng.random_range(worst..=95)).write_image(
        canvas.pixels.as_flattened(),
        canvas.width as u32,
        canvas.height as u32,
        ExtendedColorType::Rgb8,
    )?;
    Ok(file)
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand::SeedableRng;

    #[test]
    fn a_picture_drawn_twice_as_large_is_shrunk_to_half() {
        let mut rng = ChaCha8Rng::seed_from_u64(1);
        let canvas = Canvas::filled(100, 40, [9, 90, 200]);
        let half = resized(canvas.clone(), 2.0, &mut rng);
        assert_eq!(half, Canvas::filled(50, 20, [9, 90, 200]));
        assert_eq!(resized(canvas.clone(), 1.0, &mut rng), canvas);
    }

    #[test]
    fn every_file_reads_as_a_picture_of_its_size() {
        let mut rng = ChaCha8Rng::seed_from_u64(2);
        let canvas = Canvas::filled(33, 17, [200; 3]);
        let mut jpegs = 0;
        for _ in 0..60 {
            let file = kept(&canvas, 30.0, &mut rng).unwrap();
            let read = image::load_from_memory(&file).unwrap();
            assert_eq!((read.width(), read.height()), (33, 17));
            jpegs += usize::from(file.starts_with(&[0xFF, 0xD8]));
        }
        assert!((5..30).contains(&jpegs), "{jpegs}");
    }
}
