//! What scanners, copiers and hands do to paper beside what `paper` has: streaks of the glass,
//! creases, ruled and tinted paper, stains, a marker's stroke, the edge of the sheet, the lines
//! above and below cut off, and few dots to the inch.

use drawing::{Canvas, Rgb, between, luminance};
use image::RgbImage;
use image::imageops::{FilterType, resize};
use rand::Rng;
use rand_chacha::ChaCha8Rng;

use super::plane::Plane;

/// Markers' colours, through which letters are still seen.
const MARKERS: [Rgb; 4] = [
    [255, 250, 90],
    [160, 255, 140],
    [255, 170, 200],
    [150, 225, 255],
];

/// Marks a scanned line, whose letters have this size in pixels, as sheets are marked.
pub(super) fn handled(canvas: &mut Canvas, size: f32, rng: &mut ChaCha8Rng) {
    if rng.random_bool(0.2) {
        neighbours(canvas, rng);
    }
    if rng.random_bool(0.12) {
        ruled(canvas, rng);
    }
    if rng.random_bool(0.12) {
        screened(canvas, rng);
    }
    if rng.random_bool(0.12) {
        stained(canvas, rng);
    }
    if rng.random_bool(0.1) {
        marked(canvas, rng);
    }
    if rng.random_bool(0.15) {
        creased(canvas, rng);
    }
    if rng.random_bool(0.2) {
        streaked(canvas, rng);
    }
    if rng.random_bool(0.1) {
        edged(canvas, rng);
    }
    if size >= 22.0 && rng.random_bool(0.25) {
        coarsened(canvas, rng.random_range(1.2..(size / 14.0).min(2.2)));
    }
}

/// Every pixel times a factor, of 1 for what stays as it is.
fn shade(pixel: &mut Rgb, factor: f32) {
    for channel in pixel {
        *channel = (f32::from(*channel) * factor).clamp(0.0, 255.0) as u8;
    }
}

/// The darkest pixel of a row as a part of the brightest of the picture.
fn darkness(canvas: &Canvas, y: usize) -> f32 {
    let bright = |pixels: &[Rgb]| pixels.iter().copied().map(luminance).fold(0.0, f32::max);
    let row = &canvas.pixels[y * canvas.width..(y + 1) * canvas.width];
    let dark = row.iter().copied().map(luminance).fold(255.0, f32::min);
    dark / bright(&canvas.pixels).max(1.0)
}

/// Parts of the lines above and below, where the margin is free: what the middle of this line has,
/// moved along.
fn neighbours(canvas: &mut Canvas, rng: &mut ChaCha8Rng) {
    let (width, height) = (canvas.width, canvas.height);
    let rows = (height / 6).min(7);
    let original = canvas.clone();
    let aside = rng.random_range(width / 5..=width / 2 + 1);
    let middle = height / 2;
    for below in [false, true] {
        if rng.random_bool(0.3) {
            continue;
        }
        // One row more stays free, so that the parts touch no letter of the line.
        let place = |row: usize| if below { height - 1 - row } else { row };
        if (0..=rows).any(|row| darkness(&original, place(row)) < 0.6) {
            continue;
        }
        for row in 0..rows {
            for x in 0..width {
                let from =
                    original.pixels[(middle + row).min(height - 1) * width + (x + aside) % width];
                let pixel = &mut canvas.pixels[place(rows - 1 - row) * width + x];
                if luminance(from) < luminance(*pixel) {
                    *pixel = from;
                }
            }
        }
    }
}

/// Paper with lines or squares printed on it.
fn ruled(canvas: &mut Canvas, rng: &mut ChaCha8Rng) {
    let ink: Rgb = if rng.random_bool(0.6) {
        [120, 150, rng.random_range(190..=230)]
    } else {
        [rng.random_range(150..190); 3]
    };
    let period = rng.random_range(14..40usize);
    let (start, squares) = (rng.random_range(0..period), rng.random_bool(0.3));
    let strength = rng.random_range(0.3..0.7);
    let width = canvas.width;
    for (index, pixel) in canvas.pixels.iter_mut().enumerate() {
        let (x, y) = (index % width, index / width);
        let on = y % period == start || (squares && x % period == start);
        if on && luminance(*pixel) > luminance(ink) {
            *pixel = between(*pixel, ink, strength);
        }
    }
}

/// Dots of a printed tint.
fn screened(canvas: &mut Canvas, rng: &mut ChaCha8Rng) {
    let period = rng.random_range(2.5..5.5f32);
    let (sin, cos) = rng.random_range(0.2..1.3f32).sin_cos();
    let depth = rng.random_range(0.06..0.2f32);
    let turn = std::f32::consts::TAU / period;
    let width = canvas.width;
    for (index, pixel) in canvas.pixels.iter_mut().enumerate() {
        let (x, y) = ((index % width) as f32, (index / width) as f32);
        let (u, v) = (x * cos - y * sin, x * sin + y * cos);
        let dot = (u * turn).cos() * (v * turn).cos();
        shade(pixel, 1.0 - depth * (0.5 + 0.5 * dot));
    }
}

/// Brown or grey spots.
fn stained(canvas: &mut Canvas, rng: &mut ChaCha8Rng) {
    let stain: Rgb = if rng.random_bool(0.7) {
        [190, 150, 95]
    } else {
        [150; 3]
    };
    let cell = rng.random_range(12.0..60.0);
    let field = Plane::mottled((canvas.width, canvas.height), cell, rng);
    let strength = rng.random_range(0.2..0.5f32);
    for (pixel, value) in canvas.pixels.iter_mut().zip(&field.values) {
        let part = ((value - 0.52) * 8.0).clamp(0.0, 1.0) * strength;
        if luminance(*pixel) > luminance(stain) {
            *pixel = between(*pixel, stain, part);
        }
    }
}

/// A stroke of a marker across.
fn marked(canvas: &mut Canvas, rng: &mut ChaCha8Rng) {
    let marker = MARKERS[rng.random_range(0..MARKERS.len())];
    let (w, h) = (canvas.width as f32, canvas.height as f32);
    let (left, right) = (
        rng.random_range(-0.2..0.5) * w,
        rng.random_range(0.5..1.2) * w,
    );
    let (top, bottom) = (
        rng.random_range(0.0..0.3) * h,
        rng.random_range(0.7..1.0) * h,
    );
    let lean = rng.random_range(-0.03..0.03f32);
    let width = canvas.width;
    for (index, pixel) in canvas.pixels.iter_mut().enumerate() {
        let (x, y) = ((index % width) as f32, (index / width) as f32);
        let y = y + lean * x;
        if (left..right).contains(&x) && (top..bottom).contains(&y) {
            for (channel, through) in pixel.iter_mut().zip(marker) {
                *channel = (u16::from(*channel) * u16::from(through) / 255) as u8;
            }
        }
    }
}

/// A fold, light on one side and dark on the other.
fn creased(canvas: &mut Canvas, rng: &mut ChaCha8Rng) {
    let (w, h) = (canvas.width as f32, canvas.height as f32);
    let (sin, cos) = rng.random_range(0.0..3.1f32).sin_cos();
    let (cx, cy) = (
        rng.random_range(0.1..0.9) * w,
        rng.random_range(0.1..0.9) * h,
    );
    let (depth, reach) = (rng.random_range(0.1..0.3f32), rng.random_range(1.0..3.0f32));
    let width = canvas.width;
    for (index, pixel) in canvas.pixels.iter_mut().enumerate() {
        let (x, y) = ((index % width) as f32 - cx, (index / width) as f32 - cy);
        let far = (x * cos + y * sin) / reach;
        if far.abs() < 2.0 {
            shade(pixel, 1.0 - depth * far.signum() * (1.0 - far.abs() / 2.0));
        }
    }
}

/// Dirt on the glass: lines along the scanner's way.
fn streaked(canvas: &mut Canvas, rng: &mut ChaCha8Rng) {
    let (width, height) = (canvas.width, canvas.height);
    let down = rng.random_bool(0.7);
    for _ in 0..rng.random_range(1..=3) {
        let factor = if rng.random_bool(0.5) {
            rng.random_range(0.55..0.9)
        } else {
            rng.random_range(1.05..1.3)
        };
        let place = rng.random_range(0..if down { width } else { height });
        for (index, pixel) in canvas.pixels.iter_mut().enumerate() {
            let at = if down { index % width } else { index / width };
            if at == place {
                shade(pixel, factor);
            }
        }
    }
}

/// The dark beyond the sheet along one side, where no letter stands.
fn edged(canvas: &mut Canvas, rng: &mut ChaCha8Rng) {
    let (width, height) = (canvas.width, canvas.height);
    let rows = rng.random_range(1..=(height / 10).max(1));
    let below = rng.random_bool(0.5);
    let level = rng.random_range(10..90u8);
    for row in 0..rows {
        let y = if below { height - 1 - row } else { row };
        if darkness(canvas, y) < 0.6 {
            break;
        }
        canvas.pixels[y * width..(y + 1) * width].fill([level; 3]);
    }
}

/// Scanned with fewer dots: shrunk by so much and enlarged again.
fn coarsened(canvas: &mut Canvas, factor: f32) {
    let (width, height) = (canvas.width as u32, canvas.height as u32);
    let pixels = canvas.pixels.as_flattened().to_vec();
    let Some(picture) = RgbImage::from_raw(width, height, pixels) else {
        return;
    };
    let side = |length: u32| ((length as f32 / factor) as u32).max(8);
    let small = resize(&picture, side(width), side(height), FilterType::Triangle);
    let again = resize(&small, width, height, FilterType::Triangle);
    canvas.pixels = again.pixels().map(|pixel| pixel.0).collect();
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand::SeedableRng;

    /// A sheet with a dark bar for a line, and free margins.
    fn sheet() -> Canvas {
        Canvas::painted(200, 48, |x, y| {
            if (14..34).contains(&y) && (10..190).contains(&x) && x % 12 < 6 {
                [30; 3]
            } else {
                [225; 3]
            }
        })
    }

    #[test]
    fn letters_stay_darker_than_the_paper_beside_them() {
        for seed in 0..200 {
            let mut rng = ChaCha8Rng::seed_from_u64(seed);
            let mut canvas = sheet();
            handled(&mut canvas, 20.0, &mut rng);
            let mean = |dark: bool| {
                let chosen = (15 * 200..33 * 200).filter(|index| {
                    let x = index % 200;
                    (12..186).contains(&x) && (x % 12 < 6) == dark
                });
                let values: Vec<f32> = chosen.map(|i| luminance(canvas.pixels[i])).collect();
                values.iter().sum::<f32>() / values.len() as f32
            };
            assert!(mean(false) - mean(true) > 60.0, "seed {seed}");
        }
    }

    #[test]
    fn parts_of_other_lines_keep_to_the_margins() {
        let mut rng = ChaCha8Rng::seed_from_u64(5);
        let mut seen = 0;
        for _ in 0..20 {
            let mut canvas = sheet();
            neighbours(&mut canvas, &mut rng);
            let same = |rows: std::ops::Range<usize>| {
                let part = rows.start * 200..rows.end * 200;
                canvas.pixels[part.clone()] == sheet().pixels[part]
            };
            assert!(same(8..40));
            seen += usize::from(!same(0..8) || !same(40..48));
        }
        assert!(seen > 10, "{seen}");
    }
}
