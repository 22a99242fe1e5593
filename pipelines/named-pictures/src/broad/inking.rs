//! How letters get onto their ground: smooth or in whole pixels, heavier or lighter, with coloured
//! fringes as on flat screens, with shadows, edges and hollow.

use drawing::{Canvas, Rgb, luminance};
use rand::Rng;
use rand_chacha::ChaCha8Rng;

use super::grounds::Ground;
use super::plane::Plane;
use super::setting::Setting;

/// How much a column takes of its neighbours, of 256, where each pixel is of three columns:
/// `FreeType`'s filter.
const FRINGES: [f32; 5] = [8.0, 77.0, 86.0, 77.0, 8.0];

/// The letters of `set` on the ground.
pub(super) fn inked(set: &Setting, ground: Ground, rng: &mut ChaCha8Rng) -> Canvas {
    let Ground {
        mut canvas,
        ink,
        uneven,
    } = ground;
    let choice = rng.random_range(0..100);
    if choice < 12 && !uneven {
        fringed(&mut canvas, &set.covered(3), ink);
        return canvas;
    }
    let mut letters = set.covered(1);
    match choice {
        12..18 if set.size >= 13.0 => letters.map(|v| if v >= 0.5 { 1.0 } else { 0.0 }),
        18..45 => {
            let power = rng.random_range(0.6..1.4f32);
            letters.map(|v| v.powf(power));
        }
        _ => {}
    }
    let other: Rgb = if luminance(ink) > 127.0 {
        [rng.random_range(0..60); 3]
    } else {
        [rng.random_range(195..=255); 3]
    };
    let effect = rng.random_range(0..100);
    if effect < if uneven { 35 } else { 6 } {
        let (dx, dy) = (rng.random_range(-2..=3i32), rng.random_range(-1..=3i32));
        let blur = rng.random_range(0..6);
        let mut shadow = letters.moved(dx as isize, dy as isize).blurred(blur);
        let strength = rng.random_range(0.4..1.0);
        shadow.map(|v| (v * 1.5).min(1.0) * strength);
        lay(&mut canvas, &shadow, other);
        lay(&mut canvas, &letters, ink);
    } else if set.size >= 18.0 && effect >= if uneven { 65 } else { 92 } {
        let width = rng.random_range(0.5..(set.size / 14.0).min(3.0));
        let edge = letters.grown(width);
        if set.size >= 28.0 && !uneven && rng.random_bool(0.4) {
            // Hollow: the edge alone.
            let mut hollow = edge;
            for (value, inside) in hollow.values.iter_mut().zip(&letters.values) {
                *value = (*value - inside).max(0.0);
            }
            lay(&mut canvas, &hollow, ink);
        } else {
            lay(&mut canvas, &edge, other);
            lay(&mut canvas, &letters, ink);
        }
    } else {
        let faint = if rng.random_bool(0.1) { 0.8 } else { 1.0 };
        letters.map(|v| v * faint);
        lay(&mut canvas, &letters, ink);
    }
    canvas
}

fn lay(canvas: &mut Canvas, plane: &Plane, colour: Rgb) {
    for y in 0..plane.height {
        for x in 0..plane.width {
            let covered = plane.values[y * plane.width + x];
            if covered > 0.0 {
                canvas.cover(x, y, colour, covered);
            }
        }
    }
}

/// Each of red, green and blue by its own column.
fn fringed(canvas: &mut Canvas, columns: &Plane, ink: Rgb) {
    let width = canvas.width;
    for (index, pixel) in canvas.pixels.iter_mut().enumerate() {
        let (x, y) = ((index % width * 3) as isize, (index / width) as isize);
        for (channel, value) in pixel.iter_mut().enumerate() {
            let at = |tap: usize| columns.at(x + channel as isize + tap as isize - 2, y);
            let sum: f32 = (0..5).map(|tap| FRINGES[tap] * at(tap)).sum();
            let covered = (sum / 256.0).min(1.0);
            let below = f32::from(*value);
            *value = (below + (f32::from(ink[channel]) - below) * covered + 0.5) as u8;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fringes_are_at_the_sides_and_none_inside() {
        let (width, height) = (12, 2);
        let columns = Plane {
            width: width * 3,
            height,
            values: (0..width * 3 * height)
                .map(|i| f32::from(u8::from((10..26).contains(&(i % (width * 3))))))
                .collect(),
        };
        let mut canvas = Canvas::filled(width, height, [255; 3]);
        fringed(&mut canvas, &columns, [0; 3]);
        let grey = |x: usize| canvas.pixels[x][0] == canvas.pixels[x][2];
        assert_eq!(canvas.pixels[0], [255; 3]);
        assert_eq!(canvas.pixels[5], [0; 3]);
        assert!(!grey(3) && grey(11));
    }
}
