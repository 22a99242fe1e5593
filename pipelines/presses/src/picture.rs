//! What a program has written, as a picture on white.

use image::{Rgb, RgbImage, RgbaImage};

/// Why there is nothing of a program that says so, or that makes no picture.
pub(crate) const UNSET: &str = "the program does not set it";
/// Why there is nothing of a program that was killed.
pub(crate) const LATE: &str = "the program takes too long";

/// A picture, or why there is none.
pub type Drawn = Result<RgbImage, &'static str>;

/// The picture in a file.
pub(crate) fn picture(file: &[u8]) -> Drawn {
    let picture = image::load_from_memory(file).map_err(|_| UNSET)?;
    Ok(on_white(&picture.to_rgba8()))
}

fn on_white(picture: &RgbaImage) -> RgbImage {
    RgbImage::from_fn(picture.width(), picture.height(), |x, y| {
        let [r, g, b, a] = picture.get_pixel(x, y).0.map(u16::from);
        Rgb([r, g, b].map(|c| ((c * a + 255 * (255 - a) + 127) / 255) as u8))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_transparent_is_white() {
        let picture = RgbaImage::from_pixel(2, 1, image::Rgba([9, 9, 9, 0]));
        assert_eq!(on_white(&picture).get_pixel(1, 0).0, [255; 3]);
    }
}
