//! A picture with transparency at the size at which it is laid on a canvas.

use std::io::Cursor;

use image::codecs::png::{CompressionType, FilterType, PngEncoder};
use image::{ExtendedColorType, ImageEncoder, ImageError};

use crate::canvas::Canvas;
use crate::colours::Rgb;

/// Colours times opacity, then opacity; row by row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Layer {
    /// Pixels per row.
    pub width: usize,
    /// Rows.
    pub height: usize,
    /// `width * height` pixels.
    pub pixels: Vec<[u8; 4]>,
}

impl Layer {
    /// A layer from `rgba`, `width * height` pixels whose colours are as they are seen.
    pub fn of_rgba(width: usize, height: usize, rgba: &[u8]) -> Self {
        let pixels = rgba
            .chunks_exact(4)
            .map(|p| {
                let times_alpha = |c: u8| ((u32::from(c) * u32::from(p[3]) + 127) / 255) as u8;
                [
                    times_alpha(p[0]),
                    times_alpha(p[1]),
                    times_alpha(p[2]),
                    p[3],
                ]
            })
            .collect();
        Self {
            width,
            height,
            pixels,
        }
    }

    /// The next smaller level, or none below four pixels.
    pub fn halved(&self) -> Option<Self> {
        let (width, height) = (self.width / 2, self.height / 2);
        if width < 4 || height < 4 {
            return None;
        }
        let mut pixels = Vec::with_capacity(width * height);
        for y in 0..height {
            for x in 0..width {
                let at = |dx: usize, dy: usize| self.pixels[(2 * y + dy) * self.width + 2 * x + dx];
                let (p, q, r, s) = (at(0, 0), at(1, 0), at(0, 1), at(1, 1));
                pixels.push(std::array::from_fn(|i| {
                    let sum = u16::from(p[i]) + u16::from(q[i]) + u16::from(r[i]) + u16::from(s[i]);
                    ((sum + 2) / 4) as u8
                }));
            }
        }
        Some(Self {
            width,
            height,
            pixels,
        })
    }

    /// Bilinear lookup; outside the picture its border goes on.
    pub fn sample(&self, x: f32, y: f32) -> [f32; 4] {
        let x = x.clamp(0.0, (self.width - 1) as f32);
        let y = y.clamp(0.0, (self.height - 1) as f32);
        let (i, j) = (x as usize, y as usize);
        let (u, v) = (x - i as f32, y - j as f32);
        let (right, below) = ((i + 1).min(self.width - 1), (j + 1).min(self.height - 1));
        let p = self.pixels[j * self.width + i];
        let q = self.pixels[j * self.width + right];
        let r = self.pixels[below * self.width + i];
        let s = self.pixels[below * self.width + right];
        std::array::from_fn(|c| {
            let [p, q, r, s] = [p[c], q[c], r[c], s[c]].map(f32::from);
            (p * (1.0 - u) + q * u) * (1.0 - v) + (r * (1.0 - u) + s * u) * v
        })
    }

    /// Lays it on a canvas, its upper left corner at column `left` and row `top`; what lies beyond
    /// the canvas is cut off.
    pub fn lay(&self, canvas: &mut Canvas, left: isize, top: isize) {
        self.each_on(canvas, left, top, |below, above| {
            let keep = 255 - u32::from(above[3]);
            for (below, above) in below.iter_mut().zip(above) {
                let kept = (u32::from(*below) * keep + 127) / 255;
                *below = (kept + u32::from(above)).min(255) as u8;
            }
        });
    }

    /// Lays its outline on a canvas as a field of one colour, `strength` in 0 to 1 of it: a shadow,
    /// or letters in another ink.
    pub fn stain(
        &self,
        canvas: &mut Canvas,
        (left, top): (isize, isize),
        colour: Rgb,
        strength: f32,
    ) {
        self.each_on(canvas, left, top, |below, above| {
            let much = f32::from(above[3]) / 255.0 * strength;
            for (below, ink) in below.iter_mut().zip(colour) {
                let mixed = f32::from(*below) + (f32::from(ink) - f32::from(*below)) * much;
                *below = (mixed + 0.5) as u8;
            }
        });
    }

    fn each_on(
        &self,
        canvas: &mut Canvas,
        left: isize,
        top: isize,
        mut mix: impl FnMut(&mut Rgb, [u8; 4]),
    ) {
        let first = |start: isize| start.min(0).unsigned_abs();
        let (skip_x, skip_y) = (first(left), first(top));
        let (left, top) = (left.max(0) as usize, top.max(0) as usize);
        let columns = self
            .width
            .saturating_sub(skip_x)
            .min(canvas.width.saturating_sub(left));
        let rows = self
            .height
            .saturating_sub(skip_y)
            .min(canvas.height.saturating_sub(top));
        if columns == 0 {
            return;
        }
        for y in 0..rows {
            let from = (y + skip_y) * self.width + skip_x;
            let to = (y + top) * canvas.width + left;
            let above = &self.pixels[from..from + columns];
            for (below, above) in canvas.pixels[to..to + columns].iter_mut().zip(above) {
                if above[3] > 0 {
                    mix(below, *above);
                }
            }
        }
    }

    /// As a PNG file that keeps the transparency.
    ///
    /// Errors if it cannot be written.
    pub fn to_png(&self) -> Result<Vec<u8>, ImageError> {
        let plain: Vec<u8> = self
            .pixels
            .iter()
            .flat_map(|&[r, g, b, a]| {
                let whole = |c: u8| (u16::from(c) * 255 / u16::from(a).max(1)).min(255) as u8;
                [whole(r), whole(g), whole(b), a]
            })
            .collect();
        let mut file = Cursor::new(Vec::with_capacity(plain.len() / 2));
        let (width, height) = (self.width as u32, self.height as u32);
        PngEncoder::new_with_quality(&mut file, CompressionType::Fast, FilterType::Sub)
            .write_image(&plain, width, height, ExtendedColorType::Rgba8)?;
        Ok(file.into_inner())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn red(width: usize, height: usize, alpha: u8) -> Layer {
        Layer::of_rgba(width, height, &[255, 0, 0, alpha].repeat(width * height))
    }

    #[test]
    fn what_lies_beyond_the_canvas_is_cut_off() {
        for (left, top, covered) in [
            (-2, -3, 2),
            (8, 9, 2),
            (3, 3, 20),
            (11, 2, 0),
            (-9, 0, 0),
            (0, 40, 0),
        ] {
            let mut canvas = Canvas::filled(10, 10, [0, 0, 255]);
            red(4, 5, 255).lay(&mut canvas, left, top);
            let found = canvas.pixels.iter().filter(|p| p[0] == 255).count();
            let expected = if (left, top) == (-2, -3) { 4 } else { covered };
            assert_eq!(found, expected, "at {left}, {top}");
        }
    }

    #[test]
    fn half_a_layer_covers_half() {
        let mut canvas = Canvas::filled(4, 4, [0, 0, 200]);
        red(4, 4, 128).lay(&mut canvas, 0, 0);
        assert_eq!(canvas.pixels[5], [128, 0, 100]);
        red(4, 4, 255).stain(&mut canvas, (0, 0), [0; 3], 0.5);
        assert_eq!(canvas.pixels[5], [64, 0, 50]);
    }

    #[test]
    fn a_file_keeps_the_transparency() {
        let file = red(5, 3, 100).to_png().unwrap();
        let read = image::load_from_memory(&file).unwrap().to_rgba8();
        assert_eq!(read.dimensions(), (5, 3));
        assert_eq!(read.get_pixel(2, 1).0, [255, 0, 0, 100]);
    }
}
