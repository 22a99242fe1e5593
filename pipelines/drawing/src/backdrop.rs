//! Backgrounds like photographs: a sky over ground, lights out of focus, a wall and a table, leaves,
//! cloth and wood; all of them made up.

use rand::Rng;
use rand_chacha::ChaCha8Rng;

use crate::canvas::Canvas;
use crate::colours::{Rgb, between};

/// Pictures are made this many times smaller and enlarged, which is fast, and as soft as what lies
/// behind the thing that somebody looks at.
const COARSE: usize = 4;

/// A background of so many pixels that might be a photograph.
pub fn photograph_like(width: usize, height: usize, rng: &mut ChaCha8Rng) -> Canvas {
    let small = (width.div_ceil(COARSE) + 1, height.div_ceil(COARSE) + 1);
    let coarse = match rng.random_range(0..6) {
        0 => sky(small, rng),
        1 => lights(small, rng),
        2 => room(small, rng),
        3 => patches(small, rng),
        4 => grain(small, rng),
        _ => blobs(small, rng),
    };
    let mut canvas = enlarged(&coarse, width, height);
    canvas.add_noise(rng.random_range(1..=14), rng);
    canvas
}

/// Bilinear, by [`COARSE`].
fn enlarged(small: &Canvas, width: usize, height: usize) -> Canvas {
    let mut pixels = Vec::with_capacity(width * height);
    for y in 0..height {
        let (j, v) = (y / COARSE, (y % COARSE) as f32 / COARSE as f32);
        let above = &small.pixels[j * small.width..];
        let below = &small.pixels[(j + 1).min(small.height - 1) * small.width..];
        for x in 0..width {
            let (i, u) = (x / COARSE, (x % COARSE) as f32 / COARSE as f32);
            let top = between(above[i], above[i + 1], u);
            pixels.push(between(top, between(below[i], below[i + 1], u), v));
        }
    }
    Canvas {
        width,
        height,
        pixels,
    }
}

fn colour(rng: &mut ChaCha8Rng) -> Rgb {
    // Grey with some of a colour in it, as most of what is photographed.
    let grey = rng.random_range(20..=235u8);
    let pure: Rgb = std::array::from_fn(|_| rng.random());
    between([grey; 3], pure, rng.random_range(0.0..0.7))
}

/// Smooth random values: a coarse grid of them, interpolated.
struct Field {
    cell: (f32, f32),
    columns: usize,
    grid: Vec<f32>,
}

impl Field {
    fn new((width, height): (usize, usize), cell: (f32, f32), rng: &mut ChaCha8Rng) -> Self {
        let columns = (width as f32 / cell.0) as usize + 3;
        let rows = (height as f32 / cell.1) as usize + 3;
        let grid = (0..columns * rows).map(|_| rng.random()).collect();
        Self {
            cell,
            columns,
            grid,
        }
    }

    fn at(&self, x: usize, y: usize) -> f32 {
        let (x, y) = (x as f32 / self.cell.0, y as f32 / self.cell.1);
        let (i, j) = (x as usize, y as usize);
        let ease = |t: f32| t * t * (3.0 - 2.0 * t);
        let (u, v) = (ease(x - i as f32), ease(y - j as f32));
        let at = |dx: usize, dy: usize| self.grid[(j + dy) * self.columns + i + dx];
        let top = at(0, 0) * (1.0 - u) + at(1, 0) * u;
        let bottom = at(0, 1) * (1.0 - u) + at(1, 1) * u;
        top * (1.0 - v) + bottom * v
    }
}

/// Three colours along 0 to 1.
fn ramp(colours: &[Rgb; 3], t: f32) -> Rgb {
    let t = t.clamp(0.0, 1.0) * 2.0;
    if t < 1.0 {
        between(colours[0], colours[1], t)
    } else {
        between(colours[1], colours[2], t - 1.0)
    }
}

/// Sky with clouds over ground.
fn sky((width, height): (usize, usize), rng: &mut ChaCha8Rng) -> Canvas {
    let blue = [
        rng.random_range(70..=190),
        rng.random_range(120..=215),
        rng.random_range(190..=255),
    ];
    let (cloud, ground, far) = ([rng.random_range(200..=255); 3], colour(rng), colour(rng));
    let horizon = height as f32 * rng.random_range(0.35..1.1f32);
    let clouds = Field::new((width, height), (9.0, 4.0), rng);
    let soil = Field::new((width, height), (3.0, 1.5), rng);
    let line = Field::new((width, height), (12.0, 1000.0), rng);
    Canvas::painted(width, height, |x, y| {
        let edge = horizon + (line.at(x, 0) - 0.5) * height as f32 * 0.2;
        if (y as f32) < edge {
            between(blue, cloud, (clouds.at(x, y) * 1.6 - 0.6).clamp(0.0, 1.0))
        } else {
            between(ground, far, soil.at(x, y) * 0.6)
        }
    })
}

/// Discs of light on a dark or light field.
fn lights((width, height): (usize, usize), rng: &mut ChaCha8Rng) -> Canvas {
    let (field, other) = (colour(rng), colour(rng));
    let shade = Field::new((width, height), (14.0, 14.0), rng);
    let mut canvas = Canvas::painted(width, height, |x, y| {
        between(field, other, shade.at(x, y) * 0.5)
    });
    for _ in 0..rng.random_range(5..30) {
        let ink = colour(rng);
        let strength = rng.random_range(0.2..0.7);
        disc(&mut canvas, 1.5..7.0, strength, ink, rng);
    }
    canvas
}

fn disc(
    canvas: &mut Canvas,
    radii: std::ops::Range<f32>,
    strength: f32,
    ink: Rgb,
    rng: &mut ChaCha8Rng,
) {
    let radius = rng.random_range(radii);
    let cx = rng.random_range(0.0..canvas.width as f32);
    let cy = rng.random_range(0.0..canvas.height as f32);
    let span = |c: f32, limit: usize| {
        let low = (c - radius - 1.0).max(0.0) as usize;
        low..((c + radius + 2.0) as usize).min(limit)
    };
    for y in span(cy, canvas.height) {
        for x in span(cx, canvas.width) {
            let apart = (x as f32 - cx).hypot(y as f32 - cy);
            let covered = (radius - apart + 0.5).clamp(0.0, 1.0);
            canvas.cover(x, y, ink, covered * strength);
        }
    }
}

/// A wall, lit from one side, and a table or floor before it.
fn room((width, height): (usize, usize), rng: &mut ChaCha8Rng) -> Canvas {
    let (wall, table) = (colour(rng), colour(rng));
    let edge = height as f32 * rng.random_range(0.3..0.9f32);
    let slope = rng.random_range(-0.3..0.3f32);
    let light = rng.random_range(-0.5..0.5f32);
    let boards = Field::new((width, height), (14.0, 0.8), rng);
    Canvas::painted(width, height, |x, y| {
        let along = x as f32 / width as f32 - 0.5;
        let lit = (light * along * 2.0 + 0.5).clamp(0.0, 1.0);
        if (y as f32) < edge + slope * along * height as f32 {
            between(between(wall, [0; 3], 0.35), wall, lit)
        } else {
            let dark = between(table, [20, 12, 6], 0.4);
            between(dark, table, boards.at(x, y) * 0.6 + lit * 0.4)
        }
    })
}

/// Leaves, gravel, water: values of several sizes added up.
fn patches((width, height): (usize, usize), rng: &mut ChaCha8Rng) -> Canvas {
    let colours = [colour(rng), colour(rng), colour(rng)];
    let scale = rng.random_range(1.2..5.0f32);
    let flat = rng.random_range(0.5..2.0f32);
    let mut layer = |size: f32| Field::new((width, height), (size * flat, size), rng);
    let (coarse, middle, fine) = (layer(scale * 4.0), layer(scale * 2.0), layer(scale));
    Canvas::painted(width, height, |x, y| {
        let sum = coarse.at(x, y) * 0.5 + middle.at(x, y) * 0.3 + fine.at(x, y) * 0.2;
        ramp(&colours, sum * 1.6 - 0.3)
    })
}

/// Wood or cloth: threads along one side.
fn grain((width, height): (usize, usize), rng: &mut ChaCha8Rng) -> Canvas {
    let (one, other) = (colour(rng), colour(rng));
    let much = rng.random_range(0.2..0.6);
    let long = rng.random_range(8.0..40.0);
    let upright = rng.random_bool(0.5);
    let cell = if upright { (0.9, long) } else { (long, 0.9) };
    let threads = Field::new((width, height), cell, rng);
    let shade = Field::new((width, height), (20.0, 20.0), rng);
    Canvas::painted(width, height, |x, y| {
        let thread = between(one, other, threads.at(x, y) * much);
        between(thread, [0; 3], shade.at(x, y) * 0.3)
    })
}

/// What is far out of focus.
fn blobs((width, height): (usize, usize), rng: &mut ChaCha8Rng) -> Canvas {
    let count = rng.random_range(3..8);
    let spots: Vec<(f32, f32, f32, Rgb)> = (0..count)
        .map(|_| {
            (
                rng.random_range(-0.2..1.2) * width as f32,
                rng.random_range(-0.2..1.2) * height as f32,
                rng.random_range(0.1..0.5) * width.max(height) as f32,
                colour(rng),
            )
        })
        .collect();
    let field = colour(rng);
    Canvas::painted(width, height, |x, y| {
        let mut seen = field;
        for (cx, cy, reach, ink) in &spots {
            let apart = ((x as f32 - cx).powi(2) + (y as f32 - cy).powi(2)) / (reach * reach);
            seen = between(seen, *ink, 1.0 / (1.0 + apart * apart * 4.0));
        }
        seen
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand::SeedableRng;

    #[test]
    fn every_size_is_filled_and_no_background_is_flat() {
        for seed in 0..60 {
            let mut rng = ChaCha8Rng::seed_from_u64(seed);
            let (width, height) = (17 + seed as usize * 5, 9 + seed as usize * 3);
            let canvas = photograph_like(width, height, &mut rng);
            assert_eq!((canvas.width, canvas.height), (width, height));
            assert_eq!(canvas.pixels.len(), width * height);
            let first = canvas.pixels[0];
            assert!(canvas.pixels.iter().any(|p| *p != first), "seed {seed}");
        }
    }

    #[test]
    fn a_seed_gives_the_same_background() {
        let draw = |seed| photograph_like(80, 50, &mut ChaCha8Rng::seed_from_u64(seed));
        assert_eq!(draw(3), draw(3));
        assert_ne!(draw(3), draw(4));
    }
}
