//! Pictures that say nothing: clouds of colour with soft shapes, as rich as photographs are.

use avocet_media::{ImageError, Picture};
use rand::Rng;
use rand_chacha::ChaCha8Rng;

/// Sides in pixels.
const SIDES: std::ops::RangeInclusive<usize> = 24..=120;

/// A picture as a PNG file.
pub(super) fn paint(rng: &mut ChaCha8Rng) -> Result<Vec<u8>, ImageError> {
    let (width, height) = (rng.random_range(SIDES), rng.random_range(SIDES));
    let colour = |rng: &mut ChaCha8Rng| [(); 3].map(|()| rng.random_range(0.0..255.0f32));
    let palette = [(); 4].map(|()| colour(rng));
    let roughness = rng.random_range(0.3..0.9f32);
    let octaves: Vec<Lattice> = (0..5).map(|_| Lattice::new(rng)).collect();
    let mut shapes = Vec::new();
    for _ in 0..rng.random_range(0..7) {
        shapes.push(Shape {
            x: rng.random_range(0.0..1.0),
            y: rng.random_range(0.0..1.0),
            wide: rng.random_range(0.04..0.4),
            high: rng.random_range(0.04..0.4),
            edge: rng.random_range(0.02..0.6),
            colour: colour(rng),
        });
    }
    let cells = rng.random_range(1.0..6.0f32);
    let mut rgb = Vec::with_capacity(width * height * 3);
    for row in 0..height {
        for column in 0..width {
            let (x, y) = (column as f32 / width as f32, row as f32 / height as f32);
            let (mut level, mut share, mut total) = (0.0, 1.0, 0.0);
            for (octave, lattice) in octaves.iter().enumerate() {
                let scale = cells * (1 << octave) as f32;
                level += share * lattice.at(x * scale, y * scale);
                total += share;
                share *= roughness;
            }
            let along = (level / total).clamp(0.0, 0.999) * (palette.len() - 1) as f32;
            let (first, rest) = (along as usize, along.fract());
            let mut pixel = mixed(palette[first], palette[first + 1], rest);
            for shape in &shapes {
                let away =
                    ((x - shape.x) / shape.wide).powi(2) + ((y - shape.y) / shape.high).powi(2);
                let inside = ((1.0 - away) / shape.edge).clamp(0.0, 1.0);
                pixel = mixed(pixel, shape.colour, inside * (0.6 + 0.4 * level / total));
            }
            rgb.extend(pixel.map(|value| value.clamp(0.0, 255.0) as u8));
        }
    }
    Picture::from_rgb(width, height, rgb)?.to_png()
}

struct Shape {
    x: f32,
    y: f32,
    wide: f32,
    high: f32,
    edge: f32,
    colour: [f32; 3],
}

/// Random levels at whole places, and smooth ones between.
struct Lattice([f32; Lattice::SIDE * Lattice::SIDE]);

impl Lattice {
    const SIDE: usize = 32;

    fn new(rng: &mut ChaCha8Rng) -> Self {
        Self(std::array::from_fn(|_| rng.random::<f32>()))
    }

    fn at(&self, x: f32, y: f32) -> f32 {
        let level = |x: usize, y: usize| self.0[(y % Self::SIDE) * Self::SIDE + x % Self::SIDE];
        let (left, top) = (x as usize, y as usize);
        let smooth = |t: f32| t * t * (3.0 - 2.0 * t);
        let (x, y) = (smooth(x.fract()), smooth(y.fract()));
        let between = |a: f32, b: f32, share: f32| a + (b - a) * share;
        let upper = between(level(left, top), level(left + 1, top), x);
        let lower = between(level(left, top + 1), level(left + 1, top + 1), x);
        between(upper, lower, y)
    }
}

fn mixed(a: [f32; 3], b: [f32; 3], share: f32) -> [f32; 3] {
    std::array::from_fn(|channel| a[channel] + (b[channel] - a[channel]) * share)
}

#[cfg(test)]
mod tests {
    use super::*;
    use avocet_media::{Limits, decode};
    use rand::SeedableRng;

    #[test]
    fn textures_differ_and_none_is_blank() {
        let mut rng = ChaCha8Rng::seed_from_u64(1);
        let mut seen = std::collections::BTreeSet::new();
        for _ in 0..20 {
            let file = paint(&mut rng).expect("drawn");
            let picture = decode(&file, &Limits::default()).expect("a PNG");
            assert_eq!(picture.blank(), None);
            seen.insert(picture.content_hash());
        }
        assert_eq!(seen.len(), 20);
    }
}
