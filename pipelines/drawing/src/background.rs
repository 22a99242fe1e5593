//! What lies behind the thing named: plain, graded, noisy or patterned fields.

use rand::Rng;
use rand_chacha::ChaCha8Rng;

use crate::canvas::Canvas;
use crate::colours::{Rgb, between};

/// A kind of background.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Background {
    /// One colour.
    Solid,
    /// From one colour to another along a direction.
    Gradient,
    /// One colour with noise on every pixel.
    Noise,
    /// Two colours in stripes.
    Stripes,
    /// From one colour in the middle to another outside.
    Radial,
    /// Two colours in squares.
    Checkered,
    /// Two colours in soft clouds.
    Clouds,
}

impl Background {
    /// Paints a field of this kind between the colours `a` and `b`.
    pub fn paint(
        self,
        width: usize,
        height: usize,
        a: Rgb,
        b: Rgb,
        rng: &mut ChaCha8Rng,
    ) -> Canvas {
        let (w, h) = (width as f32, height as f32);
        match self {
            Self::Solid => Canvas::filled(width, height, a),
            Self::Gradient => {
                let (dx, dy) = direction(rng);
                let reach = (dx.abs() * w + dy.abs() * h) / 2.0;
                Canvas::painted(width, height, |x, y| {
                    let along = (x as f32 + 0.5 - w / 2.0) * dx + (y as f32 + 0.5 - h / 2.0) * dy;
                    between(a, b, (along / reach * 0.5 + 0.5).clamp(0.0, 1.0))
                })
            }
            Self::Noise => {
                let mut canvas = Canvas::filled(width, height, a);
                canvas.add_noise(rng.random_range(6..=24), rng);
                canvas
            }
            Self::Stripes => {
                let (dx, dy) = direction(rng);
                let period = rng.random_range(6.0..24.0f32);
                Canvas::painted(width, height, |x, y| {
                    let along = (x as f32 * dx + y as f32 * dy) / period;
                    // A ramp one pixel wide keeps the edges of the stripes smooth.
                    let wave = ((along.rem_euclid(1.0) - 0.5).abs() - 0.25) * period;
                    between(a, b, (wave + 0.5).clamp(0.0, 1.0))
                })
            }
            Self::Radial => {
                let (cx, cy) = (
                    rng.random_range(0.2..0.8) * w,
                    rng.random_range(0.2..0.8) * h,
                );
                let reach = w.max(h) * rng.random_range(0.5..0.9f32);
                Canvas::painted(width, height, |x, y| {
                    let (dx, dy) = (x as f32 - cx, y as f32 - cy);
                    between(a, b, ((dx * dx + dy * dy).sqrt() / reach).min(1.0))
                })
            }
            Self::Checkered => {
                let side = rng.random_range(5..=16usize);
                Canvas::painted(width, height, |x, y| {
                    if (x / side + y / side) % 2 == 0 { a } else { b }
                })
            }
            Self::Clouds => clouds(width, height, a, b, rng),
        }
    }
}

/// A unit vector.
fn direction(rng: &mut ChaCha8Rng) -> (f32, f32) {
    let angle = rng.random_range(0.0..std::f32::consts::TAU);
    (angle.cos(), angle.sin())
}

/// Bilinear interpolation of random mixtures on a coarse grid.
fn clouds(width: usize, height: usize, a: Rgb, b: Rgb, rng: &mut ChaCha8Rng) -> Canvas {
    let cell = rng.random_range(8..=24usize);
    let (columns, rows) = (width / cell + 2, height / cell + 2);
    let grid: Vec<f32> = (0..columns * rows)
        .map(|_| rng.random_range(0.0..1.0))
        .collect();
    Canvas::painted(width, height, |x, y| {
        let (i, j) = (x / cell, y / cell);
        let (u, v) = (
            (x % cell) as f32 / cell as f32,
            (y % cell) as f32 / cell as f32,
        );
        let at = |dx: usize, dy: usize| grid[(j + dy) * columns + i + dx];
        let top = at(0, 0) * (1.0 - u) + at(1, 0) * u;
        let bottom = at(0, 1) * (1.0 - u) + at(1, 1) * u;
        between(a, b, top * (1.0 - v) + bottom * v)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand::SeedableRng;

    #[test]
    fn colours_stay_between_the_two_given() {
        let mut rng = ChaCha8Rng::seed_from_u64(3);
        for kind in [
            Background::Solid,
            Background::Gradient,
            Background::Stripes,
            Background::Radial,
            Background::Checkered,
            Background::Clouds,
        ] {
            for _ in 0..5 {
                let canvas = kind.paint(41, 23, [40, 200, 90], [80, 120, 90], &mut rng);
                assert_eq!((canvas.width, canvas.height), (41, 23));
                for [r, g, b] in canvas.pixels {
                    assert!(
                        (40..=80).contains(&r) && (120..=200).contains(&g) && b == 90,
                        "{kind:?}"
                    );
                }
            }
        }
    }
}
