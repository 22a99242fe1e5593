//! Lines as a scanner or a copier gives them back: grey paper, ink that bled or did not take,
//! grain, dirt, the other side showing through, light that falls off.

use drawing::{Canvas, Rgb, between};
use rand::Rng;
use rand_chacha::ChaCha8Rng;

use super::plane::Plane;
use super::setting::Setting;

/// A scanned line.
pub(super) fn scanned(set: &Setting, rng: &mut ChaCha8Rng) -> Canvas {
    let area = (set.width, set.height);
    let letters = printed(set.covered(1), set.size, rng);
    let mut paper = Plane::mottled(area, rng.random_range(10.0..60.0), rng);
    let (rough, level) = (
        rng.random_range(0.0..0.25f32),
        rng.random_range(0.72..1.0f32),
    );
    paper.map(|v| (level + (v - 0.5) * rough).clamp(0.0, 1.0));
    shade(&mut paper, rng);
    if rng.random_bool(0.2) {
        show_through(&mut paper, &letters, rng);
    }
    let ink = rng.random_range(0.02..0.35f32);
    let grain = rng.random_range(0.0..0.09f32);
    let copied = rng.random_bool(0.15);
    let mut grey: Vec<f32> = Vec::with_capacity(paper.values.len());
    for (field, covered) in paper.values.iter().zip(&letters.values) {
        let clean = field + (ink.min(field * 0.6) - field) * covered;
        grey.push(clean + grain * (rng.random::<f32>() + rng.random::<f32>() - 1.0));
    }
    dirt(&mut grey, set.width, rng);
    let mut plane = Plane {
        values: grey,
        ..paper
    };
    if copied && set.size >= 15.0 {
        let threshold = level * rng.random_range(0.55..0.7);
        plane.map(|v| if v < threshold { 0.03 } else { 0.98 });
    } else if rng.random_bool(0.5) {
        plane = plane.blurred(1);
    }
    let tint: Rgb = if rng.random_bool(0.5) || copied {
        [255; 3]
    } else {
        [
            255,
            rng.random_range(235..=252),
            rng.random_range(195..=240),
        ]
    };
    Canvas::painted(set.width, set.height, |x, y| {
        between(
            [0; 3],
            tint,
            plane.values[y * set.width + x].clamp(0.0, 1.0),
        )
    })
}

/// Letters as ink leaves them: fuller or thinner than they were drawn, with ragged edges and gaps.
fn printed(letters: Plane, size: f32, rng: &mut ChaCha8Rng) -> Plane {
    let passes = if size < 16.0 {
        rng.random_range(0..=1)
    } else {
        rng.random_range(0..=3)
    };
    let area = (letters.width, letters.height);
    let mut letters = letters.blurred(passes);
    // Thin letters cover few pixels wholly, and yet are printed.
    let (sum, squares) = letters
        .values
        .iter()
        .fold((0.0f32, 0.0f32), |(sum, squares), v| {
            (sum + v, squares + v * v)
        });
    let usual = squares / sum.max(1e-6);
    let fuller = (0.85 / usual.max(0.1)).clamp(1.0, 3.5);
    letters.map(|v| (v * fuller).min(1.0));
    let spread = if size < 16.0 { 0.06 } else { 0.16 };
    let threshold = 0.47 + rng.random_range(-spread..spread);
    let ragged = if size < 14.0 {
        0.0
    } else {
        rng.random_range(0.0..0.5f32)
    };
    let steep = rng.random_range(1.6..5.0f32);
    let edges = Plane::mottled(area, rng.random_range(2.0..5.0), rng);
    for (value, edge) in letters.values.iter_mut().zip(&edges.values) {
        let moved = *value - threshold + (edge - 0.5) * ragged;
        *value = (moved * steep + 0.5).clamp(0.0, 1.0) * (*value * 20.0).min(1.0);
    }
    if rng.random_bool(0.25) && size >= 16.0 {
        let wear = Plane::mottled(area, rng.random_range(3.0..20.0), rng);
        let gone = rng.random_range(0.0..0.5f32);
        for (value, wear) in letters.values.iter_mut().zip(&wear.values) {
            *value *= 1.0 - gone * ((wear - 0.55) * 6.0).clamp(0.0, 1.0);
        }
    }
    letters
}

/// Light that falls off to one side, as near a book's fold.
fn shade(paper: &mut Plane, rng: &mut ChaCha8Rng) {
    if rng.random_bool(0.6) {
        return;
    }
    let (sin, cos) = rng.random_range(0.0..6.3f32).sin_cos();
    let depth = rng.random_range(0.05..0.35f32);
    let (w, h) = (paper.width as f32, paper.height as f32);
    let width = paper.width;
    for (index, value) in paper.values.iter_mut().enumerate() {
        let (x, y) = (
            (index % width) as f32 / w - 0.5,
            (index / width) as f32 / h - 0.5,
        );
        let along = (x * cos + y * sin + 0.5).clamp(0.0, 1.0);
        *value *= 1.0 - depth * along * along;
    }
}

/// The print of the other side, mirrored and faint.
fn show_through(paper: &mut Plane, letters: &Plane, rng: &mut ChaCha8Rng) {
    let faint = rng.random_range(0.03..0.12f32);
    let reach = letters.height as i32 / 2;
    let dy = rng.random_range(-reach..=reach) as isize;
    let other = letters.clone().blurred(3);
    let width = paper.width as isize;
    for (index, value) in paper.values.iter_mut().enumerate() {
        let (x, y) = (index as isize % width, index as isize / width);
        *value -= faint * other.at(width - 1 - x, y + dy);
    }
}

/// Specks, and now and then a line.
fn dirt(grey: &mut [f32], width: usize, rng: &mut ChaCha8Rng) {
    let height = grey.len() / width;
    if rng.random_bool(0.4) {
        for _ in 0..rng.random_range(0..(grey.len() / 500).max(2)) {
            let (x, y) = (rng.random_range(0..width), rng.random_range(0..height));
            grey[y * width + x] = rng.random_range(0.0..0.7);
        }
    }
    if rng.random_bool(0.05) {
        let y = if rng.random_bool(0.5) { 0 } else { height - 1 };
        for value in &mut grey[y * width..(y + 1) * width] {
            *value = (*value - 0.4).max(0.0);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand::SeedableRng;

    #[test]
    fn ink_never_spreads_where_no_letter_is_near() {
        let mut rng = ChaCha8Rng::seed_from_u64(3);
        for _ in 0..50 {
            let mut letters = Plane {
                width: 60,
                height: 30,
                values: vec![0.0; 1800],
            };
            for y in 10..20 {
                for x in 10..16 {
                    letters.values[y * 60 + x] = 1.0;
                }
            }
            let printed = printed(letters, 30.0, &mut rng);
            assert!(printed.at(13, 15) > 0.2);
            assert_eq!(printed.at(40, 15), 0.0);
        }
    }
}
