//! Strokes by hand and by ruler, for plots, diagrams and scribbles.

use drawing::{Canvas, Rgb};

/// A point in pixels.
pub type Point = (f32, f32);

/// Draws a line from point to point, `width` pixels thick.
pub fn stroke(canvas: &mut Canvas, points: &[Point], width: f32, colour: Rgb) {
    for pair in points.windows(2) {
        segment(canvas, pair[0], pair[1], width / 2.0, colour);
    }
}

fn segment(canvas: &mut Canvas, a: Point, b: Point, reach: f32, colour: Rgb) {
    let span = |p: f32, q: f32, limit: usize| {
        let low = (p.min(q) - reach - 1.0).max(0.0) as usize;
        low..((p.max(q) + reach + 2.0).max(0.0) as usize).min(limit)
    };
    let (dx, dy) = (b.0 - a.0, b.1 - a.1);
    let length = (dx * dx + dy * dy).max(1e-6);
    for y in span(a.1, b.1, canvas.height) {
        for x in span(a.0, b.0, canvas.width) {
            let (px, py) = (x as f32 + 0.5 - a.0, y as f32 + 0.5 - a.1);
            let along = ((px * dx + py * dy) / length).clamp(0.0, 1.0);
            let apart = (px - along * dx).hypot(py - along * dy);
            let covered = (reach - apart + 0.5).clamp(0.0, 1.0);
            if covered > 0.0 {
                canvas.cover(x, y, colour, covered);
            }
        }
    }
}

/// Points on an ellipse, from `start` on and `turn` further, in turns.
pub fn arc(centre: Point, (rx, ry): (f32, f32), start: f32, turn: f32) -> Vec<Point> {
    let steps = 32;
    let point = |step: i32| {
        let angle = (start + turn * step as f32 / steps as f32) * std::f32::consts::TAU;
        (centre.0 + rx * angle.cos(), centre.1 + ry * angle.sin())
    };
    (0..=steps).map(point).collect()
}

/// Fills an ellipse.
pub fn blob(canvas: &mut Canvas, centre: Point, (rx, ry): (f32, f32), colour: Rgb) {
    let span = |c: f32, reach: f32, limit: usize| {
        let low = (c - reach - 1.0).max(0.0) as usize;
        low..((c + reach + 2.0).max(0.0) as usize).min(limit)
    };
    for y in span(centre.1, ry, canvas.height) {
        for x in span(centre.0, rx, canvas.width) {
            let (dx, dy) = (x as f32 + 0.5 - centre.0, y as f32 + 0.5 - centre.1);
            let inside = (1.0 - (dx / rx).hypot(dy / ry)) * rx.min(ry);
            canvas.cover(x, y, colour, (inside + 0.5).clamp(0.0, 1.0));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn inked(canvas: &Canvas) -> usize {
        canvas.pixels.iter().filter(|p| p[0] > 127).count()
    }

    #[test]
    fn a_stroke_is_as_long_and_thick_as_it_says_and_stays_on_the_canvas() {
        let mut canvas = Canvas::filled(40, 20, [0; 3]);
        stroke(&mut canvas, &[(10.0, 10.0), (30.0, 10.0)], 4.0, [255; 3]);
        assert!((80..100).contains(&inked(&canvas)), "{}", inked(&canvas));
        stroke(&mut canvas, &[(-9.0, -9.0), (99.0, 99.0)], 4.0, [255; 3]);
    }

    #[test]
    fn a_blob_covers_its_ellipse() {
        let mut canvas = Canvas::filled(60, 40, [0; 3]);
        blob(&mut canvas, (30.0, 20.0), (20.0, 10.0), [255; 3]);
        let area = std::f32::consts::PI * 200.0;
        assert!((inked(&canvas) as f32 - area).abs() < 20.0);
        assert_eq!(arc((5.0, 5.0), (3.0, 3.0), 0.0, 0.5).len(), 33);
    }
}
