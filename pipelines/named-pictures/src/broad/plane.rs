//! A number in 0 to 1 for each pixel: how far letters cover it, or how a ground is mottled.

use ab_glyph_rasterizer::Rasterizer;
use rand::Rng;
use rand_chacha::ChaCha8Rng;

/// Numbers row by row.
#[derive(Debug, Clone)]
pub(super) struct Plane {
    pub width: usize,
    pub height: usize,
    pub values: Vec<f32>,
}

impl Plane {
    /// How far the raster's outlines cover each pixel.
    pub fn of(raster: &Rasterizer, width: usize, height: usize) -> Self {
        let mut values = vec![0.0; width * height];
        raster.for_each_pixel(|index, covered| values[index] = covered.min(1.0));
        Self {
            width,
            height,
            values,
        }
    }

    /// Mottles of several sizes, the largest `cell` pixels across, each half as strong and half as
    /// large as the one before.
    pub fn mottled((width, height): (usize, usize), cell: f32, rng: &mut ChaCha8Rng) -> Self {
        let mut values = vec![0.0f32; width * height];
        let (mut cell, mut weight, mut sum) = (cell.max(2.0), 1.0, 0.0);
        while cell >= 1.5 && weight > 0.08 {
            add_mottles(&mut values, width, (cell, weight), rng);
            sum += weight;
            cell /= 2.0;
            weight /= 1.8;
        }
        for value in &mut values {
            *value /= sum;
        }
        Self {
            width,
            height,
            values,
        }
    }

    /// The larger of two values, pixel by pixel.
    pub fn join(&mut self, other: &Self) {
        for (value, other) in self.values.iter_mut().zip(&other.values) {
            *value = value.max(*other);
        }
    }

    /// Every value changed.
    pub fn map(&mut self, change: impl Fn(f32) -> f32) {
        for value in &mut self.values {
            *value = change(*value);
        }
    }

    /// The value there, or nothing outside.
    pub fn at(&self, x: isize, y: isize) -> f32 {
        if x < 0 || y < 0 || x >= self.width as isize || y >= self.height as isize {
            return 0.0;
        }
        self.values[y as usize * self.width + x as usize]
    }

    /// Moved by whole pixels; what comes in is nothing.
    pub fn moved(&self, dx: isize, dy: isize) -> Self {
        let (width, height) = (self.width as isize, self.height as isize);
        let places = (0..height).flat_map(|y| (0..width).map(move |x| (x, y)));
        Self {
            values: places.map(|(x, y)| self.at(x - dx, y - dy)).collect(),
            ..*self
        }
    }

    /// Grown by so many pixels on every side.
    pub fn grown(&self, radius: f32) -> Self {
        let reach = radius.ceil() as isize;
        let mut grown = self.clone();
        for dy in -reach..=reach {
            for dx in -reach..=reach {
                let far = ((dx * dx + dy * dy) as f32).sqrt();
                let part = (radius + 1.0 - far).clamp(0.0, 1.0);
                if part > 0.0 && (dx, dy) != (0, 0) {
                    let moved = self.moved(dx, dy);
                    for (value, other) in grown.values.iter_mut().zip(&moved.values) {
                        *value = value.max(other * part);
                    }
                }
            }
        }
        grown
    }

    /// Blurred by so many passes over each pixel and its neighbours.
    pub fn blurred(mut self, passes: usize) -> Self {
        let (w, h) = (self.width, self.height);
        for _ in 0..passes {
            for row in self.values.chunks_exact_mut(w) {
                let mut left = row[0];
                for x in 0..w {
                    let here = row[x];
                    row[x] = 0.25 * left + 0.5 * here + 0.25 * row[(x + 1).min(w - 1)];
                    left = here;
                }
            }
            let mut above = self.values[..w].to_vec();
            for y in 0..h {
                let below = (y + 1).min(h - 1) * w;
                for (x, above) in above.iter_mut().enumerate() {
                    let here = self.values[y * w + x];
                    self.values[y * w + x] =
                        0.25 * *above + 0.5 * here + 0.25 * self.values[below + x];
                    *above = here;
                }
            }
        }
        self
    }
}

/// Adds `weight` times a smooth random field with a knot every `cell` pixels.
fn add_mottles(values: &mut [f32], width: usize, (cell, weight): (f32, f32), rng: &mut ChaCha8Rng) {
    let height = values.len() / width;
    let columns = (width as f32 / cell) as usize + 3;
    let rows = (height as f32 / cell) as usize + 3;
    let knots: Vec<f32> = (0..columns * rows).map(|_| rng.random()).collect();
    let (dx, dy): (f32, f32) = (rng.random(), rng.random());
    let across: Vec<(usize, f32)> = (0..width)
        .map(|x| {
            let at = x as f32 / cell + dx;
            (at as usize, at.fract())
        })
        .collect();
    for (y, row) in values.chunks_exact_mut(width).enumerate() {
        let at = y as f32 / cell + dy;
        let (j, v) = (at as usize * columns, at.fract());
        for (value, &(i, u)) in row.iter_mut().zip(&across) {
            let top = knots[j + i] * (1.0 - u) + knots[j + i + 1] * u;
            let low = knots[j + columns + i] * (1.0 - u) + knots[j + columns + i + 1] * u;
            *value += weight * (top * (1.0 - v) + low * v);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand::SeedableRng;

    #[test]
    fn mottles_stay_between_nothing_and_one() {
        let mut rng = ChaCha8Rng::seed_from_u64(4);
        for cell in [2.0, 9.0, 70.0] {
            let plane = Plane::mottled((50, 30), cell, &mut rng);
            assert!(plane.values.iter().all(|v| (0.0..=1.0).contains(v)));
        }
    }

    #[test]
    fn a_dot_grows_into_a_disc_and_keeps_its_place_when_blurred() {
        let mut dot = Plane {
            width: 9,
            height: 9,
            values: vec![0.0; 81],
        };
        dot.values[4 * 9 + 4] = 1.0;
        let disc = dot.grown(2.0);
        assert_eq!(disc.at(6, 4), 1.0);
        assert_eq!(disc.at(4, 2), 1.0);
        assert!(disc.at(6, 6) < 0.5);
        let blurred = dot.blurred(2);
        let most = blurred.values.iter().copied().fold(0.0, f32::max);
        assert_eq!(most, blurred.at(4, 4));
        assert!((blurred.values.iter().sum::<f32>() - 1.0).abs() < 1e-4);
    }
}
