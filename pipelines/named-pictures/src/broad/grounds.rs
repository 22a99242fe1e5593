//! What lies behind lines for training, and the colour of the letters on it: plain colours mostly,
//! two that run into each other, patterns, and fields of mottles and shapes as photographs have
//! them, made dark or light enough.

use drawing::{Background, Canvas, Rgb, between, ink_and_field, luminance};
use rand::Rng;
use rand_chacha::ChaCha8Rng;

use super::plane::Plane;

/// A ground, and the letters' colour.
pub(super) struct Ground {
    pub canvas: Canvas,
    pub ink: Rgb,
    /// Whether the ground is so uneven that letters may need an edge of their own.
    pub uneven: bool,
}

/// A ground for letters of this size.
pub(super) fn ground(area: (usize, usize), size: f32, rng: &mut ChaCha8Rng) -> Ground {
    match rng.random_range(0..20) {
        0..5 => page(area, rng),
        5..14 => field(area, size, rng),
        _ => picture(area, rng),
    }
}

/// Dark on light, or light on dark, as pages and screens are.
fn page((width, height): (usize, usize), rng: &mut ChaCha8Rng) -> Ground {
    let near = |rng: &mut ChaCha8Rng, level: u8, spread: u8| -> Rgb {
        let level = level.saturating_add(rng.random_range(0..=spread));
        if rng.random_bool(0.7) {
            [level; 3]
        } else {
            std::array::from_fn(|_| level.saturating_add(rng.random_range(0..=spread)))
        }
    };
    let (light, dark) = match rng.random_range(0..4) {
        0 | 1 => ([255; 3], [0; 3]),
        _ => (near(rng, 225, 15), near(rng, 0, 40)),
    };
    let (field, ink) = if rng.random_bool(0.75) {
        (light, dark)
    } else {
        (dark, light)
    };
    Ground {
        canvas: Canvas::filled(width, height, field),
        ink,
        uneven: false,
    }
}

/// One colour, or two in a simple pattern.
fn field((width, height): (usize, usize), size: f32, rng: &mut ChaCha8Rng) -> Ground {
    let least = if size < 14.0 {
        95.0
    } else if size < 24.0 {
        70.0
    } else {
        48.0
    };
    let contrast = least + (150.0 - least) * rng.random::<f32>();
    let (ink, a, b) = ink_and_field(contrast, rng);
    let kind = match rng.random_range(0..20) {
        0..8 => Background::Solid,
        8..13 => Background::Gradient,
        13 => Background::Radial,
        14 | 15 => Background::Noise,
        16 => Background::Stripes,
        17 => Background::Checkered,
        _ => Background::Clouds,
    };
    let (a, b) = if luminance(a).max(luminance(b)) > 250.0 && kind == Background::Noise {
        (between(a, ink, 0.1), b)
    } else {
        (a, b)
    };
    Ground {
        canvas: kind.paint(width, height, a, b, rng),
        ink,
        uneven: false,
    }
}

/// Mottles, edges and shapes in a few colours under a veil, as photographs look behind letters.
fn picture((width, height): (usize, usize), rng: &mut ChaCha8Rng) -> Ground {
    let colour = |rng: &mut ChaCha8Rng| -> Rgb { std::array::from_fn(|_| rng.random()) };
    let (a, b, c) = (colour(rng), colour(rng), colour(rng));
    let cell = rng.random_range(8.0..(2.0 * height as f32).max(9.0));
    let first = Plane::mottled((width, height), cell, rng);
    let second = Plane::mottled((width, height), cell * rng.random_range(0.3..1.5), rng);
    // A steep step from colour to colour is an edge, a shallow one a shade.
    let steep = rng.random_range(1.5..14.0f32);
    let step = |v: f32| ((v - 0.5) * steep + 0.5).clamp(0.0, 1.0);
    let mut canvas = Canvas::painted(width, height, |x, y| {
        let index = y * width + x;
        let under = between(a, b, step(first.values[index]));
        between(under, c, step(second.values[index] - 0.1))
    });
    for _ in 0..rng.random_range(0..6) {
        let paint = colour(rng);
        blot(&mut canvas, paint, rng);
    }
    if rng.random_bool(0.5) {
        canvas.soften(0.5);
    }
    if rng.random_bool(0.5) {
        canvas.add_noise(rng.random_range(2..=20), rng);
    }
    let dark = rng.random_bool(0.5);
    let end: u8 = if dark { 0 } else { 255 };
    let veil = if rng.random_bool(0.8) {
        [end; 3]
    } else {
        between([end; 3], colour(rng), 0.25)
    };
    let amount = rng.random_range(0.4..0.75);
    for pixel in &mut canvas.pixels {
        *pixel = between(*pixel, veil, amount);
    }
    let plain = [255 - end; 3];
    let ink = if rng.random_bool(0.7) {
        plain
    } else {
        between(plain, colour(rng), rng.random_range(0.05..0.3))
    };
    Ground {
        canvas,
        ink,
        uneven: amount < 0.55,
    }
}

/// A straight-edged or round patch of one colour.
fn blot(canvas: &mut Canvas, paint: Rgb, rng: &mut ChaCha8Rng) {
    let (w, h) = (canvas.width as f32, canvas.height as f32);
    let (cx, cy) = (rng.random_range(0.0..w), rng.random_range(0.0..h));
    let (rx, ry) = (
        rng.random_range(0.05..0.5) * w,
        rng.random_range(0.1..0.8) * h,
    );
    let (sin, cos) = rng.random_range(0.0..3.1f32).sin_cos();
    let round = rng.random_bool(0.5);
    let soft = rng.random_range(1.0..6.0f32);
    for y in 0..canvas.height {
        for x in 0..canvas.width {
            let (dx, dy) = (x as f32 - cx, y as f32 - cy);
            let (u, v) = ((dx * cos - dy * sin) / rx, (dx * sin + dy * cos) / ry);
            let far = if round {
                (u * u + v * v).sqrt()
            } else {
                u.abs().max(v.abs())
            };
            let covered = ((1.0 - far) * rx.min(ry) / soft).clamp(0.0, 1.0);
            if covered > 0.0 {
                canvas.cover(x, y, paint, covered);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand::SeedableRng;

    #[test]
    fn letters_stand_out_from_most_of_every_ground() {
        let mut rng = ChaCha8Rng::seed_from_u64(6);
        for _ in 0..400 {
            let Ground { canvas, ink, .. } = ground((120, 40), 30.0, &mut rng);
            assert_eq!(canvas.pixels.len(), 120 * 40);
            let apart = |field: &Rgb| (luminance(*field) - luminance(ink)).abs();
            let near = canvas.pixels.iter().filter(|p| apart(p) < 30.0).count();
            assert!(
                near < canvas.pixels.len() / 10,
                "{near} pixels like {ink:?}"
            );
        }
    }
}
