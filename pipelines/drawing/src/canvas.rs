//! A small RGB picture under construction: what backgrounds, shapes, sprites and
//! glyphs are painted on before it becomes a PNG.

use ab_glyph_rasterizer::Rasterizer;
use image::codecs::png::{CompressionType, FilterType, PngEncoder};
use image::{ExtendedColorType, ImageEncoder, ImageError};
use rand::Rng;
use rand_chacha::ChaCha8Rng;

use crate::colours::{Rgb, luminance};

/// An RGB picture, row by row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Canvas {
    /// Pixels per row.
    pub width: usize,
    /// Rows.
    pub height: usize,
    /// `width * height` pixels.
    pub pixels: Vec<Rgb>,
}

impl Canvas {
    /// A picture of one colour.
    pub fn filled(width: usize, height: usize, colour: Rgb) -> Self {
        Self {
            width,
            height,
            pixels: vec![colour; width * height],
        }
    }

    /// A picture whose pixel at column x and row y is `colour(x, y)`.
    pub fn painted(
        width: usize,
        height: usize,
        mut colour: impl FnMut(usize, usize) -> Rgb,
    ) -> Self {
        let mut pixels = Vec::with_capacity(width * height);
        for y in 0..height {
            for x in 0..width {
                pixels.push(colour(x, y));
            }
        }
        Self {
            width,
            height,
            pixels,
        }
    }

    /// Lays `colour` over the pixel with `coverage` in 0 to 1.
    pub fn cover(&mut self, x: usize, y: usize, colour: Rgb, coverage: f32) {
        let pixel = &mut self.pixels[y * self.width + x];
        for (below, above) in pixel.iter_mut().zip(colour) {
            let mixed = f32::from(*below) + (f32::from(above) - f32::from(*below)) * coverage;
            *below = (mixed + 0.5).clamp(0.0, 255.0) as u8;
        }
    }

    /// Lays `colour` over what is drawn in a raster of the picture's size.
    pub fn fill(&mut self, raster: &Rasterizer, colour: Rgb) {
        let width = self.width;
        raster.for_each_pixel(|index, coverage| {
            if coverage > 0.0 {
                self.cover(index % width, index / width, colour, coverage.min(1.0));
            }
        });
    }

    /// Softens the picture: each pixel keeps `1 - amount` of itself and takes the
    /// rest from its neighbours, first along the rows and then along the columns.
    pub fn soften(&mut self, amount: f32) {
        let side = (amount * 128.0) as u32; // of 256, for each of the two neighbours
        let mid = 256 - 2 * side;
        let mix = |a: Rgb, b: Rgb, c: Rgb| -> Rgb {
            let one = |i: usize| {
                let sum = u32::from(a[i]) * side + u32::from(b[i]) * mid + u32::from(c[i]) * side;
                ((sum + 128) >> 8) as u8
            };
            [one(0), one(1), one(2)]
        };
        let (w, h) = (self.width, self.height);
        for row in self.pixels.chunks_exact_mut(w) {
            let mut left = row[0];
            for x in 0..w {
                let here = row[x];
                row[x] = mix(left, here, row[(x + 1).min(w - 1)]);
                left = here;
            }
        }
        let mut above: Vec<Rgb> = self.pixels[..w].to_vec();
        for y in 0..h {
            for (x, above) in above.iter_mut().enumerate() {
                let here = self.pixels[y * w + x];
                let below = self.pixels[(y + 1).min(h - 1) * w + x];
                self.pixels[y * w + x] = mix(*above, here, below);
                *above = here;
            }
        }
    }

    /// Multiplies the brightness and shifts it, channel by channel alike.
    pub fn relight(&mut self, gain: f32, shift: f32) {
        let table: Vec<u8> = (0..256)
            .map(|v| (v as f32 * gain + shift + 0.5).clamp(0.0, 255.0) as u8)
            .collect();
        for channel in self.pixels.iter_mut().flatten() {
            *channel = table[usize::from(*channel)];
        }
    }

    /// Multiplies each channel by its own gain.
    pub fn tint(&mut self, gains: [f32; 3]) {
        for pixel in &mut self.pixels {
            for (channel, gain) in pixel.iter_mut().zip(gains) {
                *channel = (f32::from(*channel) * gain + 0.5).min(255.0) as u8;
            }
        }
    }

    /// Takes the colours away and leaves their brightness.
    pub fn grey(&mut self) {
        for pixel in &mut self.pixels {
            *pixel = [(luminance(*pixel) + 0.5) as u8; 3];
        }
    }

    /// Adds grey noise of at most `amplitude` to every pixel.
    pub fn add_noise(&mut self, amplitude: u8, rng: &mut ChaCha8Rng) {
        let span = u32::from(amplitude) * 2 + 1;
        for four in self.pixels.chunks_mut(4) {
            let bits: u32 = rng.random();
            for (i, pixel) in four.iter_mut().enumerate() {
                let draw = (((bits >> (8 * i)) & 255) * span) >> 8;
                let change = draw as i16 - i16::from(amplitude);
                for channel in pixel.iter_mut() {
                    *channel = (i16::from(*channel) + change).clamp(0, 255) as u8;
                }
            }
        }
    }

    /// The picture as a PNG file, compressed for speed.
    pub fn to_png(&self) -> Result<Vec<u8>, ImageError> {
        let mut file = Vec::with_capacity(self.pixels.len());
        PngEncoder::new_with_quality(&mut file, CompressionType::Fast, FilterType::Sub)
            .write_image(
                self.pixels.as_flattened(),
                self.width as u32,
                self.height as u32,
                ExtendedColorType::Rgb8,
            )?;
        Ok(file)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand::SeedableRng;

    #[test]
    fn a_flat_picture_stays_flat_when_softened() {
        let mut canvas = Canvas::filled(7, 5, [10, 200, 255]);
        canvas.soften(0.4);
        assert_eq!(canvas, Canvas::filled(7, 5, [10, 200, 255]));
    }

    #[test]
    fn a_png_holds_the_very_pixels() {
        let mut canvas = Canvas::painted(13, 9, |x, y| [x as u8 * 19, y as u8 * 28, 7]);
        canvas.add_noise(9, &mut ChaCha8Rng::seed_from_u64(1));
        let read = image::load_from_memory(&canvas.to_png().unwrap())
            .unwrap()
            .to_rgb8();
        assert_eq!(read.dimensions(), (13, 9));
        assert_eq!(read.as_raw().as_slice(), canvas.pixels.as_flattened());
    }

    #[test]
    fn noise_stays_within_its_amplitude() {
        let mut canvas = Canvas::filled(50, 50, [100; 3]);
        canvas.add_noise(12, &mut ChaCha8Rng::seed_from_u64(2));
        let values: Vec<u8> = canvas.pixels.iter().map(|p| p[0]).collect();
        assert_eq!(values.iter().min(), Some(&88));
        assert_eq!(values.iter().max(), Some(&112));
    }
}
