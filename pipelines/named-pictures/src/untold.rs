//! Pictures of something that does not tell what is asked: plots and diagrams without words, lines
//! too small to read, a face, a clock without hands.

use drawing::{Bend, Canvas, Rgb, Sprite, between, fill, photograph_like};
use rand::Rng;
use rand::seq::IndexedRandom;
use rand_chacha::ChaCha8Rng;

use crate::pens::{Point, arc, blob, stroke};

/// Width and height in pixels.
type Size = (usize, usize);

const PAPERS: [Rgb; 5] = [
    [255; 3],
    [255; 3],
    [247, 247, 250],
    [252, 248, 236],
    [34, 36, 42],
];
const INKS: [Rgb; 8] = [
    [31, 119, 180],
    [255, 127, 14],
    [44, 160, 44],
    [214, 39, 40],
    [148, 103, 189],
    [90, 90, 90],
    [0, 0, 0],
    [23, 190, 207],
];

fn paper(rng: &mut ChaCha8Rng) -> Rgb {
    *PAPERS.choose(rng).expect("there are papers")
}

fn ink(rng: &mut ChaCha8Rng) -> Rgb {
    *INKS.choose(rng).expect("there are inks")
}

/// Curves, bars, dots or slices, with axes that have no words.
pub fn plot((width, height): Size, _: &[Sprite], rng: &mut ChaCha8Rng) -> Canvas {
    let field = paper(rng);
    let mut canvas = Canvas::filled(width, height, field);
    let (w, h) = (width as f32, height as f32);
    let dark = if field[0] < 128 { [220; 3] } else { [30; 3] };
    if rng.random_bool(0.15) {
        slices(&mut canvas, rng);
        return canvas;
    }
    let (left, top) = (
        w * rng.random_range(0.04..0.15),
        h * rng.random_range(0.03..0.12),
    );
    let (right, bottom) = (
        w * rng.random_range(0.88..0.98),
        h * rng.random_range(0.84..0.96),
    );
    if rng.random_bool(0.4) {
        let faint = between(field, dark, 0.2);
        for line in 1..rng.random_range(4..9) {
            let y = bottom - (bottom - top) * line as f32 / 8.0;
            stroke(&mut canvas, &[(left, y), (right, y)], 1.0, faint);
        }
    }
    let thick = rng.random_range(0.8..3.0);
    match rng.random_range(0..3) {
        0 => {
            let count = rng.random_range(3..14);
            let room = (right - left) / count as f32;
            let colour = ink(rng);
            let many = rng.random_bool(0.3);
            for bar in 0..count {
                let tall = (bottom - top) * rng.random_range(0.05..1.0);
                let colour = if many { ink(rng) } else { colour };
                let x = left + room * (bar as f32 + 0.15);
                let place = (x as usize, (bottom - tall) as usize);
                let size = ((room * 0.7).max(1.0) as usize, tall as usize);
                fill(&mut canvas, (place.0, place.1, size.0, size.1), colour);
            }
        }
        1 => {
            for _ in 0..rng.random_range(15..90) {
                let centre = (rng.random_range(left..right), rng.random_range(top..bottom));
                let radius = rng.random_range(1.0..(w * 0.015).max(1.5));
                let colour = ink(rng);
                blob(&mut canvas, centre, (radius, radius), colour);
            }
        }
        _ => {
            for _ in 0..rng.random_range(1..5) {
                let points = curve((left, right), (top, bottom), rng);
                stroke(&mut canvas, &points, thick, ink(rng));
            }
        }
    }
    stroke(
        &mut canvas,
        &[(left, top), (left, bottom), (right, bottom)],
        1.4,
        dark,
    );
    for tick in 0..8 {
        let x = left + (right - left) * tick as f32 / 8.0;
        stroke(
            &mut canvas,
            &[(x, bottom), (x, bottom + h * 0.015)],
            1.0,
            dark,
        );
    }
    canvas
}

/// A smooth or a jagged line from left to right.
fn curve((left, right): (f32, f32), (top, bottom): (f32, f32), rng: &mut ChaCha8Rng) -> Vec<Point> {
    let waves: [(f32, f32, f32); 3] = std::array::from_fn(|_| {
        (
            rng.random_range(0.5..7.0),
            rng.random_range(0.0..6.3),
            rng.random_range(0.1..0.5),
        )
    });
    let rise = rng.random_range(-0.5..0.5f32);
    let jagged = if rng.random_bool(0.4) { 0.12 } else { 0.0 };
    let steps = 60;
    (0..=steps)
        .map(|step| {
            let t = step as f32 / steps as f32;
            let mut y = 0.5 + rise * (t - 0.5);
            for (often, from, much) in waves {
                y += (t * often + from).sin() * much * 0.5;
            }
            y += rng.random_range(-1.0..1.0f32) * jagged;
            let y = top + (bottom - top) * y.clamp(0.0, 1.0);
            (left + (right - left) * t, y)
        })
        .collect()
}

/// A disc in slices.
fn slices(canvas: &mut Canvas, rng: &mut ChaCha8Rng) {
    let (w, h) = (canvas.width as f32, canvas.height as f32);
    let radius = w.min(h) * rng.random_range(0.25..0.45);
    let mut ends = vec![0.0f32];
    for _ in 0..rng.random_range(2..6) {
        ends.push(rng.random_range(0.0..1.0));
    }
    ends.sort_by(f32::total_cmp);
    let colours: Vec<Rgb> = ends.iter().map(|_| ink(rng)).collect();
    for y in 0..canvas.height {
        for x in 0..canvas.width {
            let (dx, dy) = (x as f32 - w / 2.0, y as f32 - h / 2.0);
            let turn = (dy.atan2(dx) / std::f32::consts::TAU).rem_euclid(1.0);
            let slice = ends.iter().rposition(|end| *end <= turn).unwrap_or(0);
            let covered = (radius - dx.hypot(dy) + 0.5).clamp(0.0, 1.0);
            canvas.cover(x, y, colours[slice], covered);
        }
    }
}

/// Boxes and discs with arrows between them.
pub fn diagram((width, height): Size, _: &[Sprite], rng: &mut ChaCha8Rng) -> Canvas {
    let field = paper(rng);
    let mut canvas = Canvas::filled(width, height, field);
    let dark = if field[0] < 128 { [220; 3] } else { [40; 3] };
    let (w, h) = (width as f32, height as f32);
    let places: Vec<Point> = (0..rng.random_range(3..8))
        .map(|_| {
            (
                rng.random_range(0.12..0.88) * w,
                rng.random_range(0.12..0.88) * h,
            )
        })
        .collect();
    let thick = rng.random_range(1.0..3.0);
    for pair in places.windows(2) {
        stroke(&mut canvas, pair, thick, dark);
        let (from, to) = (pair[0], pair[1]);
        let middle = ((from.0 + to.0) / 2.0, (from.1 + to.1) / 2.0);
        let angle = (to.1 - from.1).atan2(to.0 - from.0);
        let head = w.min(h) * 0.05;
        for side in [2.6, -2.6f32] {
            let tip = (
                middle.0 + head * (angle + side).cos(),
                middle.1 + head * (angle + side).sin(),
            );
            stroke(&mut canvas, &[middle, tip], thick, dark);
        }
    }
    let colour = ink(rng);
    for (x, y) in places {
        let (rx, ry) = (
            w * rng.random_range(0.05..0.11),
            h * rng.random_range(0.05..0.1),
        );
        let inside = between(colour, [255; 3], rng.random_range(0.2..0.9));
        if rng.random_bool(0.4) {
            blob(&mut canvas, (x, y), (rx, ry), inside);
            stroke(&mut canvas, &arc((x, y), (rx, ry), 0.0, 1.0), thick, dark);
        } else {
            let corners = [
                (x - rx, y - ry),
                (x + rx, y - ry),
                (x + rx, y + ry),
                (x - rx, y + ry),
                (x - rx, y - ry),
            ];
            let start = ((x - rx).max(0.0) as usize, (y - ry).max(0.0) as usize);
            fill(
                &mut canvas,
                (start.0, start.1, (2.0 * rx) as usize, (2.0 * ry) as usize),
                inside,
            );
            stroke(&mut canvas, &corners, thick, dark);
        }
    }
    canvas
}

/// Lines of words that are too small or too blurred to be read.
pub fn unreadable((width, height): Size, texts: &[Sprite], rng: &mut ChaCha8Rng) -> Canvas {
    let field = paper(rng);
    let mut canvas = if rng.random_bool(0.2) {
        photograph_like(width, height, rng)
    } else {
        Canvas::filled(width, height, field)
    };
    let dark = if field[0] < 128 { [225; 3] } else { [25; 3] };
    let blurred = rng.random_bool(0.5);
    let tall = if blurred {
        rng.random_range(8..14)
    } else {
        rng.random_range(2..5usize)
    };
    let mut y = rng.random_range(1..=height / 3 + 1);
    for _ in 0..rng.random_range(1..30) {
        if y + tall >= height {
            break;
        }
        let left = rng.random_range(0..=width / 4);
        let room = (width - left) as f32 * rng.random_range(0.3..1.0);
        match texts.choose(rng) {
            Some(text) => {
                let whole = tall as f32 * text.aspect();
                let shown = whole.min(room).max(2.0);
                let bend = Bend {
                    part: [0.0, 0.0, (shown / whole).min(1.0), 1.0],
                    ..Bend::to(shown, tall as f32)
                };
                let place = (left as isize, y as isize);
                text.bent(&bend).stain(&mut canvas, place, dark, 0.9);
            }
            None => fill(
                &mut canvas,
                (left, y, room as usize, tall.div_ceil(2)),
                dark,
            ),
        }
        y += tall + rng.random_range(1..=tall);
    }
    if blurred {
        for _ in 0..rng.random_range(14..30) {
            canvas.soften(0.66);
        }
    }
    canvas
}

/// Somebody, drawn with few strokes or as a shadow.
pub fn face((width, height): Size, _: &[Sprite], rng: &mut ChaCha8Rng) -> Canvas {
    let (w, h) = (width as f32, height as f32);
    let mut canvas = if rng.random_bool(0.3) {
        photograph_like(width, height, rng)
    } else {
        let colour = between(ink(rng), [255; 3], rng.random_range(0.4..1.0));
        Canvas::filled(width, height, colour)
    };
    let size = h.min(w) * rng.random_range(0.18..0.36);
    let centre = (
        w * rng.random_range(0.3..0.7),
        h * rng.random_range(0.35..0.5),
    );
    let shadow = rng.random_bool(0.3);
    let dark: Rgb = [rng.random_range(20..70); 3];
    let skin = between([92, 58, 38], [250, 220, 196], rng.random());
    let cloth = if shadow { dark } else { ink(rng) };
    let skin = if shadow { dark } else { skin };
    let body = (centre.0, centre.1 + size * 2.2);
    blob(
        &mut canvas,
        body,
        (size * rng.random_range(1.1..1.7), size * 1.3),
        cloth,
    );
    let hair = between([20, 14, 10], [220, 190, 120], rng.random());
    if !shadow && rng.random_bool(0.8) {
        let long = rng.random_range(0.9..1.5);
        let around = (centre.0, centre.1 - size * 0.12);
        blob(&mut canvas, around, (size * 0.95, size * long), hair);
    }
    let (rx, ry) = (size * rng.random_range(0.7..0.9), size);
    blob(
        &mut canvas,
        (centre.0, centre.1 + size * 0.1),
        (rx, ry),
        skin,
    );
    if shadow {
        return canvas;
    }
    for side in [-1.0, 1.0f32] {
        let eye = (centre.0 + side * rx * 0.42, centre.1 - size * 0.05);
        blob(&mut canvas, eye, (size * 0.13, size * 0.09), [250; 3]);
        blob(&mut canvas, eye, (size * 0.06, size * 0.06), dark);
        let brow = [
            (eye.0 - size * 0.16, eye.1 - size * 0.18),
            (eye.0 + size * 0.16, eye.1 - size * 0.2),
        ];
        stroke(&mut canvas, &brow, size * 0.05 + 0.6, hair);
    }
    let nose = [
        (centre.0, centre.1 + size * 0.05),
        (centre.0 + size * 0.08, centre.1 + size * 0.35),
        (centre.0 - size * 0.02, centre.1 + size * 0.38),
    ];
    stroke(
        &mut canvas,
        &nose,
        size * 0.03 + 0.6,
        between(skin, dark, 0.4),
    );
    let (start, turn) = if rng.random_bool(0.7) {
        (0.08, 0.34)
    } else {
        (0.55, 0.4)
    };
    let mouth = (centre.0, centre.1 + size * 0.5);
    let lips = arc(mouth, (size * 0.34, size * 0.2), start, turn);
    stroke(&mut canvas, &lips, size * 0.06 + 0.6, [170, 60, 60]);
    canvas
}

/// A clock's face that has lost its hands.
pub fn clock((width, height): Size, _: &[Sprite], rng: &mut ChaCha8Rng) -> Canvas {
    let mut canvas = if rng.random_bool(0.3) {
        photograph_like(width, height, rng)
    } else {
        Canvas::filled(width, height, between(ink(rng), [255; 3], rng.random()))
    };
    let (w, h) = (width as f32, height as f32);
    let radius = w.min(h) * rng.random_range(0.3..0.48);
    let centre = (w / 2.0, h / 2.0);
    let dark = *[[20; 3], [90, 60, 30], [30, 40, 90]]
        .choose(rng)
        .expect("there are colours");
    blob(&mut canvas, centre, (radius, radius), [250, 249, 244]);
    stroke(
        &mut canvas,
        &arc(centre, (radius, radius), 0.0, 1.0),
        radius * 0.06 + 1.0,
        dark,
    );
    for mark in 0..12 {
        let angle = std::f32::consts::TAU * mark as f32 / 12.0;
        let at = |share: f32| {
            (
                centre.0 + radius * share * angle.cos(),
                centre.1 + radius * share * angle.sin(),
            )
        };
        let inner = if mark % 3 == 0 { 0.76 } else { 0.84 };
        stroke(
            &mut canvas,
            &[at(inner), at(0.92)],
            radius * 0.03 + 0.8,
            dark,
        );
    }
    if rng.random_bool(0.5) {
        blob(
            &mut canvas,
            centre,
            (radius * 0.05 + 1.0, radius * 0.05 + 1.0),
            dark,
        );
    }
    canvas
}
