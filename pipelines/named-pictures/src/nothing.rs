//! Pictures on which there is nothing: noise, blanks, what is too blurred or too small, textures and
//! scribbles.

use drawing::{Canvas, Rgb, Sprite, between, photograph_like};
use rand::Rng;
use rand_chacha::ChaCha8Rng;

use crate::pens::{Point, blob, stroke};

/// Width and height in pixels.
type Size = (usize, usize);

fn colour(rng: &mut ChaCha8Rng) -> Rgb {
    match rng.random_range(0..5) {
        0 => [255; 3],
        1 => [rng.random(); 3],
        _ => std::array::from_fn(|_| rng.random()),
    }
}

/// Chance in every pixel, in blocks of them, in rows, or in few of them.
pub fn noise((width, height): Size, _: &[Sprite], rng: &mut ChaCha8Rng) -> Canvas {
    let (a, b) = (colour(rng), colour(rng));
    let mut canvas = match rng.random_range(0..7) {
        0 => Canvas::painted(width, height, |_, _| std::array::from_fn(|_| rng.random())),
        1 => Canvas::painted(width, height, |_, _| [rng.random(); 3]),
        2 => Canvas::painted(width, height, |_, _| between(a, b, rng.random())),
        3 => {
            let share = rng.random_range(0.01..0.5);
            Canvas::painted(
                width,
                height,
                |_, _| if rng.random_bool(share) { a } else { b },
            )
        }
        4 => {
            // Several draws added up lie near the middle.
            let amount = rng.random_range(20..200i32);
            Canvas::painted(width, height, |_, _| {
                let sum: i32 = (0..4).map(|_| rng.random_range(-amount..=amount)).sum();
                a.map(|channel| (i32::from(channel) + sum / 4).clamp(0, 255) as u8)
            })
        }
        5 => {
            let rows: Vec<f32> = (0..height).map(|_| rng.random()).collect();
            Canvas::painted(width, height, |_, y| {
                between(a, b, rows[y] * 0.7 + rng.random_range(0.0..0.3))
            })
        }
        _ => {
            let side = rng.random_range(2..=16usize);
            let columns = width / side + 1;
            let blocks: Vec<Rgb> = (0..columns * (height / side + 1))
                .map(|_| std::array::from_fn(|_| rng.random()))
                .collect();
            Canvas::painted(width, height, |x, y| {
                blocks[(y / side) * columns + x / side]
            })
        }
    };
    for _ in 0..rng.random_range(0..4) {
        canvas.soften(0.6);
    }
    canvas
}

/// One colour, or colours that run into each other.
pub fn blank((width, height): Size, _: &[Sprite], rng: &mut ChaCha8Rng) -> Canvas {
    let (a, b) = (colour(rng), colour(rng));
    let mut canvas = match rng.random_range(0..4) {
        0 | 1 => Canvas::filled(width, height, a),
        2 => {
            let angle = rng.random_range(0.0..std::f32::consts::TAU);
            let (dx, dy) = (angle.cos() / width as f32, angle.sin() / height as f32);
            Canvas::painted(width, height, |x, y| {
                let (x, y) = (
                    x as f32 - width as f32 / 2.0,
                    y as f32 - height as f32 / 2.0,
                );
                between(a, b, (x * dx + y * dy + 0.5).clamp(0.0, 1.0))
            })
        }
        _ => {
            let reach = (width.max(height) as f32) * rng.random_range(0.4..1.0);
            let centre: Point = (
                rng.random_range(0.0..width as f32),
                rng.random_range(0.0..height as f32),
            );
            Canvas::painted(width, height, |x, y| {
                let apart = (x as f32 - centre.0).hypot(y as f32 - centre.1);
                between(a, b, (apart / reach).min(1.0))
            })
        }
    };
    if rng.random_bool(0.3) {
        canvas.add_noise(rng.random_range(1..=8), rng);
    }
    canvas
}

/// What was something once, a few pixels wide and enlarged.
pub fn blurred((width, height): Size, texts: &[Sprite], rng: &mut ChaCha8Rng) -> Canvas {
    let few = rng.random_range(3..=7usize);
    let small = if rng.random_bool(0.5) {
        photograph_like(few, few, rng)
    } else {
        let whole = scribble((64, 64), texts, rng);
        let pixel = |x: usize, y: usize| whole.pixels[(y * 64 / few) * 64 + x * 64 / few];
        Canvas::painted(few, few, pixel)
    };
    let smooth = |t: f32| t * t * (3.0 - 2.0 * t);
    let mut canvas = Canvas::painted(width, height, |x, y| {
        let place = |at: usize, of: usize| {
            let at = at as f32 / of as f32 * (few - 1) as f32;
            let whole = (at as usize).min(few - 2);
            (whole, smooth((at - whole as f32).clamp(0.0, 1.0)))
        };
        let ((i, u), (j, v)) = (place(x, width), place(y, height));
        let at = |dx: usize, dy: usize| small.pixels[(j + dy) * few + i + dx];
        let top = between(at(0, 0), at(1, 0), u);
        between(top, between(at(0, 1), at(1, 1), u), v)
    });
    if rng.random_bool(0.3) {
        canvas.add_noise(rng.random_range(1..=12), rng);
    }
    canvas
}

/// A speck or a few of them on a wide field: what is left of something.
pub fn remains((width, height): Size, _: &[Sprite], rng: &mut ChaCha8Rng) -> Canvas {
    let mut canvas = Canvas::filled(width, height, colour(rng));
    for _ in 0..rng.random_range(1..6) {
        let centre = (
            rng.random_range(0.0..width as f32),
            rng.random_range(0.0..height as f32),
        );
        let size = (rng.random_range(0.6..3.0), rng.random_range(0.6..3.0));
        let ink = colour(rng);
        blob(&mut canvas, centre, size, ink);
    }
    canvas
}

/// Ground, cloth, sky, or lights out of focus.
pub fn texture((width, height): Size, _: &[Sprite], rng: &mut ChaCha8Rng) -> Canvas {
    photograph_like(width, height, rng)
}

/// Lines that wander about.
pub fn scribble((width, height): Size, _: &[Sprite], rng: &mut ChaCha8Rng) -> Canvas {
    let mut canvas = Canvas::filled(width, height, colour(rng));
    let (w, h) = (width as f32, height as f32);
    let ink = colour(rng);
    for _ in 0..rng.random_range(1..7) {
        let mut at: Point = (rng.random_range(0.0..w), rng.random_range(0.0..h));
        let mut angle = rng.random_range(0.0..std::f32::consts::TAU);
        let bent = rng.random_range(0.1..1.4f32);
        let step = w.max(h) * rng.random_range(0.02..0.08);
        let mut points = vec![at];
        for _ in 0..rng.random_range(6..40) {
            angle += rng.random_range(-bent..bent);
            at = (
                (at.0 + step * angle.cos()).clamp(0.0, w),
                (at.1 + step * angle.sin()).clamp(0.0, h),
            );
            points.push(at);
        }
        let thick = rng.random_range(1.0..6.0);
        let own = if rng.random_bool(0.3) {
            colour(rng)
        } else {
            ink
        };
        stroke(&mut canvas, &points, thick, own);
    }
    canvas
}
