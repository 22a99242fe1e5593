//! Circles, rectangles and triangles in eight colours, with the questions of
//! easy-VQA and its answers, but other sizes, places, fields and numbers of shapes.

use avocet_data::Truth;
use drawing::{Canvas, Rgb, between};
use pipeline::Split;
use rand::Rng;
use rand::seq::{IndexedRandom, SliceRandom};
use rand_chacha::ChaCha8Rng;

use crate::drawn::{Drawn, background, size, weather};
use crate::error::NamedPicturesError;
use crate::shape_questions::{COLOURS, Figure, SHAPES, ask};

/// The share of pictures with two or three shapes.
const SHARE_OF_SEVERAL: f64 = 0.15;

/// Draws one picture and a question about it.
///
/// Errors if the picture cannot be written as PNG.
pub fn draw(split: Split, rng: &mut ChaCha8Rng) -> Result<Drawn, NamedPicturesError> {
    let width = size(36, 128, 2.4, split, rng);
    let height = if rng.random_bool(0.6) {
        width
    } else {
        size(36, 128, 2.4, split, rng)
    };
    let num_shapes = if !rng.random_bool(SHARE_OF_SEVERAL) {
        1
    } else {
        rng.random_range(2..=3)
    };
    let figures: Vec<(Figure, Rgb)> = (0..num_shapes).map(|_| figure(rng)).collect();
    let (a, b) = field(&figures, rng);
    let mut canvas = background(split, rng).paint(width as usize, height as usize, a, b, rng);
    place(&mut canvas, &figures, rng);
    weather(&mut canvas, rng);
    let scene: Vec<Figure> = figures.iter().map(|(figure, _)| *figure).collect();
    let (question, answer) = ask(&scene, rng);
    let truth = match scene.as_slice() {
        [one] => Some(Truth::Name(format!("{} {}", one.colour, one.shape))),
        _ => None,
    };
    Ok(Drawn {
        image: canvas.to_png()?,
        question,
        answer,
        also_right: Vec::new(),
        more: Vec::new(),
        truth,
        source: "drawn by named-pictures".to_owned(),
        licence: "MIT OR Apache-2.0".to_owned(),
    })
}

/// A shape and the very colour it is drawn in, a little off the named one.
fn figure(rng: &mut ChaCha8Rng) -> (Figure, Rgb) {
    let shape = *SHAPES.choose(rng).expect("there are three");
    let (colour, exact) = *COLOURS.choose(rng).expect("there are eight");
    let off = exact.map(|c| (i16::from(c) + rng.random_range(-18..=18)).clamp(0, 255) as u8);
    (
        Figure { shape, colour },
        if rng.random_bool(0.5) { exact } else { off },
    )
}

/// Field colours that every shape stands out from; light ones as in easy-VQA at half.
fn field(figures: &[(Figure, Rgb)], rng: &mut ChaCha8Rng) -> (Rgb, Rgb) {
    let apart = |a: Rgb, b: Rgb| -> u32 { (0..3).map(|i| u32::from(a[i].abs_diff(b[i]))).sum() };
    let stands_out = |field: Rgb| {
        figures
            .iter()
            .all(|(_, colour)| apart(field, *colour) >= 150)
    };
    let low = if rng.random_bool(0.6) { 228 } else { 0 };
    let mut draw = || -> Rgb {
        // Of three figures at most three of these eight corners can be near.
        for _ in 0..64 {
            let colour: Rgb = std::array::from_fn(|_| rng.random_range(low..=255));
            if stands_out(colour) {
                return colour;
            }
        }
        let corners =
            (0..8u8).map(|bits| [0, 1, 2].map(|i| if bits >> i & 1 == 1 { 235 } else { 20 }));
        corners
            .into_iter()
            .rev()
            .find(|corner| stands_out(*corner))
            .unwrap_or([255; 3])
    };
    let (a, b) = (draw(), draw());
    let blend = between(a, b, 0.5);
    if stands_out(blend) { (a, b) } else { (a, a) }
}

/// Paints the figures, each in a cell of its own.
fn place(canvas: &mut Canvas, figures: &[(Figure, Rgb)], rng: &mut ChaCha8Rng) {
    let (w, h) = (canvas.width as f32, canvas.height as f32);
    let mut cells: Vec<(f32, f32, f32, f32)> = if figures.len() == 1 {
        vec![(0.0, 0.0, w, h)]
    } else {
        let quarter =
            |i: usize, j: usize| (i as f32 * w / 2.0, j as f32 * h / 2.0, w / 2.0, h / 2.0);
        vec![quarter(0, 0), quarter(1, 0), quarter(0, 1), quarter(1, 1)]
    };
    cells.shuffle(rng);
    for ((figure, colour), (left, top, cell_w, cell_h)) in figures.iter().zip(cells) {
        let side = cell_w.min(cell_h);
        let smallest = if figures.len() == 1 { 0.16 } else { 0.4 };
        let half_w = side * rng.random_range(smallest..0.7f32).max(9.0 / side).min(0.95) / 2.0;
        let half_h = match figure.shape {
            "rectangle" if rng.random_bool(0.7) => {
                (half_w * rng.random_range(0.5..1.8f32)).clamp(side * 0.08, side * 0.45)
            }
            "triangle" => half_w * rng.random_range(0.8..1.1f32),
            _ => half_w,
        };
        let angle = match figure.shape {
            "circle" => 0.0,
            _ if rng.random_bool(0.7) => 0.0,
            _ => rng.random_range(-0.4..0.4f32),
        };
        let reach_x = half_w * f32::cos(angle) + half_h * f32::sin(angle).abs();
        let reach_y = half_h * f32::cos(angle) + half_w * f32::sin(angle).abs();
        let mut along = |start: f32, length: f32, reach: f32| {
            let slack = (length / 2.0 - reach).max(0.0);
            start + length / 2.0 + rng.random_range(-1.0..=1.0f32) * slack
        };
        let centre = (along(left, cell_w, reach_x), along(top, cell_h, reach_y));
        fill(
            canvas,
            figure.shape,
            *colour,
            centre,
            (half_w, half_h),
            angle,
        );
    }
}

/// Fills one shape, its edges smooth over a pixel.
fn fill(
    canvas: &mut Canvas,
    shape: &str,
    colour: Rgb,
    (cx, cy): (f32, f32),
    (half_w, half_h): (f32, f32),
    angle: f32,
) {
    let (sin, cos) = angle.sin_cos();
    // The slanted sides of a triangle: from the top's middle to the lower corners.
    let slant = (4.0 * half_h * half_h + half_w * half_w).sqrt();
    for y in 0..canvas.height {
        for x in 0..canvas.width {
            let (dx, dy) = (x as f32 + 0.5 - cx, y as f32 + 0.5 - cy);
            let (u, v) = (dx * cos + dy * sin, dy * cos - dx * sin);
            let inside = match shape {
                "circle" => half_w - (u * u + v * v).sqrt(),
                "rectangle" => (half_w - u.abs()).min(half_h - v.abs()),
                _ => {
                    let side = (half_w * (v + half_h) - 2.0 * half_h * u.abs()) / slant;
                    side.min(half_h - v)
                }
            };
            if inside > -0.5 {
                canvas.cover(x, y, colour, (inside + 0.5).min(1.0));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand::SeedableRng;

    #[test]
    fn a_shape_stands_out_from_its_field() {
        let mut rng = ChaCha8Rng::seed_from_u64(6);
        for _ in 0..500 {
            let figures: Vec<_> = (0..3).map(|_| figure(&mut rng)).collect();
            let (a, b) = field(&figures, &mut rng);
            for field in [a, b] {
                for (_, colour) in &figures {
                    let apart: u32 = (0..3)
                        .map(|i| u32::from(field[i].abs_diff(colour[i])))
                        .sum();
                    assert!(apart >= 150, "{field:?} behind {colour:?}");
                }
            }
        }
    }

    #[test]
    fn each_shape_covers_its_own_area() {
        for (shape, area) in [("circle", 314.0), ("rectangle", 400.0), ("triangle", 200.0)] {
            let mut canvas = Canvas::filled(40, 40, [0; 3]);
            fill(
                &mut canvas,
                shape,
                [255; 3],
                (20.0, 20.0),
                (10.0, 10.0),
                0.0,
            );
            let covered: f32 = canvas.pixels.iter().map(|p| f32::from(p[0]) / 255.0).sum();
            assert!((covered - area).abs() < 8.0, "{shape}: {covered} of {area}");
        }
    }
}
