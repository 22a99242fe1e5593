//! A line set for training: where each outline comes to lie on the picture, as a browser, an older
//! screen or a camera would have it.

use ab_glyph::Point;
use ab_glyph_rasterizer::{Point as Dot, Rasterizer};
use drawing::{Curve, Face};
use rand::Rng;
use rand_chacha::ChaCha8Rng;

use super::plane::Plane;

/// The largest and least size of letters, in pixels per em.
const SIZES: (f32, f32) = (9.0, 72.0);
/// Below this size a line is no longer set smaller, nor where its low letters, as `x`, have fewer
/// pixels than that.
const LEAST: f32 = 7.0;
const LEAST_LOW: f32 = 5.0;
/// Where a capital reaches up to, as a part of the size.
const CAPITAL: f32 = 0.72;

/// A line in place: its outlines in pixels of a picture of some size.
#[derive(Debug)]
pub(super) struct Setting {
    /// Pixels a row.
    pub width: usize,
    /// Rows.
    pub height: usize,
    /// Pixels per em.
    pub size: f32,
    curves: Vec<Curve>,
    /// A line under the letters: its four corners.
    rule: Option<[Point; 4]>,
    bold: f32,
}

/// How a line is set.
struct Manner {
    spacing: f32,
    /// Letters stand on whole pixels and their height is a whole number of them.
    snapped: bool,
    slant: f32,
    bold: f32,
    ruled: bool,
    margins: [f32; 4],
}

/// Turning, leaning away and waving, of points in pixels.
#[derive(Clone, Copy)]
struct Warp {
    angle: f32,
    /// How much smaller the far end is, as a part, over the length.
    away: (f32, f32),
    /// Height in pixels and length of a wave of the baseline.
    wave: (f32, f32),
}

impl Warp {
    fn new(size: f32, rng: &mut ChaCha8Rng) -> Self {
        let angle = match rng.random_range(0..20) {
            0..12 => 0.0,
            12..18 => rng.random_range(-2.5..2.5f32),
            _ => rng.random_range(-7.0..7.0f32),
        };
        let away = if rng.random_bool(0.1) {
            (rng.random_range(-0.25..0.25), rng.random_range(-0.1..0.1))
        } else {
            (0.0, 0.0)
        };
        let wave = if rng.random_bool(0.04) {
            (
                size * rng.random_range(0.03..0.15),
                size * rng.random_range(4.0..12.0),
            )
        } else {
            (0.0, 1.0)
        };
        Self {
            angle: angle.to_radians(),
            away,
            wave,
        }
    }

    fn is_plain(&self) -> bool {
        self.angle == 0.0 && self.away == (0.0, 0.0) && self.wave.0 == 0.0
    }

    /// Where a point of a line of this length and size goes.
    fn apply(&self, p: Point, (length, size): (f32, f32)) -> Point {
        let y = p.y + self.wave.0 * (p.x / self.wave.1).sin();
        let depth = 1.0 + self.away.0 * (p.x / length.max(1.0)) + self.away.1 * y / (3.0 * size);
        let (x, y) = (p.x / depth.max(0.4), y / depth.max(0.4));
        let (sin, cos) = self.angle.sin_cos();
        Point {
            x: x * cos - y * sin,
            y: x * sin + y * cos,
        }
    }
}

impl Manner {
    fn new(rng: &mut ChaCha8Rng) -> Self {
        let spacing = match rng.random_range(0..20) {
            0..15 => 0.0,
            15..17 => rng.random_range(-0.03..0.03),
            17..19 => rng.random_range(0.03..0.15),
            _ => rng.random_range(0.15..0.5),
        };
        let widest = match rng.random_range(0..10) {
            0 => 0.05,
            1..7 => 0.6,
            _ => 1.1,
        };
        Self {
            spacing,
            snapped: rng.random_bool(0.3),
            slant: if rng.random_bool(0.05) {
                rng.random_range(0.1..0.25)
            } else {
                0.0
            },
            bold: if rng.random_bool(0.04) {
                rng.random_range(0.02..0.06)
            } else {
                0.0
            },
            ruled: rng.random_bool(0.04),
            margins: std::array::from_fn(|_| widest * rng.random::<f32>().powf(1.3)),
        }
    }
}

impl Setting {
    /// Sets a line at random, in a picture of at most so many pixels, `enlargement` times as large
    /// as it will be seen.
    pub fn new(
        face: &Face,
        line: &str,
        (most, enlargement): (usize, f32),
        rng: &mut ChaCha8Rng,
    ) -> Self {
        let (smallest, largest) = SIZES;
        let drawn = if rng.random_bool(0.6) {
            smallest + (largest - smallest) * rng.random::<f32>().powf(1.8)
        } else {
            rng.random_range(16.0..60.0)
        };
        let least = LEAST.max(LEAST_LOW / face.low_letters().max(0.1)) * enlargement;
        let mut size = (drawn * enlargement).max(least);
        let manner = Manner::new(rng);
        let mut warp = Warp::new(size, rng);
        let shift = Point {
            x: rng.random_range(0.0..1.0),
            y: rng.random_range(0.0..1.0),
        };
        loop {
            let set = Self::at(face, line, size, (&manner, &warp, shift));
            if set.width.div_ceil(8) * set.height.div_ceil(8) * 64 <= most || size <= least {
                return set;
            }
            // A long line turned grows tall: first turn it less, then set it smaller.
            if warp.angle.abs() > 0.01 {
                warp.angle *= 0.5;
            } else {
                warp.angle = 0.0;
                size *= 0.93;
            }
        }
    }

    fn at(
        face: &Face,
        line: &str,
        size: f32,
        (manner, warp, shift): (&Manner, &Warp, Point),
    ) -> Self {
        let snapped = manner.snapped && warp.is_plain();
        let tall = match face.glyph('x').map(|x| top(&x.curves) * size) {
            Some(height) if snapped && height > 2.0 => height.round() / height,
            _ => 1.0,
        };
        let mut pen = 0.0f32;
        let mut curves = Vec::new();
        for glyph in line.chars().filter_map(|c| face.glyph(c)) {
            let place = |p: Point| Point {
                x: (p.x - p.y * manner.slant) * size + pen,
                y: p.y * size * tall,
            };
            curves.extend(glyph.curves.iter().map(|curve| curve.map(place)));
            pen += (glyph.advance + manner.spacing) * size;
            if snapped {
                pen = pen.round();
            }
        }
        let shape = (pen, size);
        let rule = manner.ruled.then(|| {
            let (high, low) = (0.11 * size, 0.11 * size + (size * 0.06).max(1.0));
            [(0.0, high), (pen, high), (pen, low), (0.0, low)].map(|(x, y)| Point { x, y })
        });
        for curve in &mut curves {
            *curve = curve.map(|p| warp.apply(p, shape));
        }
        let rule = rule.map(|corners| corners.map(|p| warp.apply(p, shape)));
        let [left, top, right, bottom] = bounds(&curves, rule, |p| warp.apply(p, shape), size);
        let [m0, m1, m2, m3] = manner.margins.map(|margin| margin * size);
        let (mut dx, mut dy) = (m0 - left, m1 - top);
        if snapped {
            (dx, dy) = (dx.round(), dy.round());
        } else {
            (dx, dy) = (dx + shift.x, dy + shift.y);
        }
        let moved = |p: Point| Point {
            x: p.x + dx,
            y: p.y + dy,
        };
        for curve in &mut curves {
            *curve = curve.map(moved);
        }
        Self {
            width: ((right + dx + m2).ceil() as usize).max(8),
            height: ((bottom + dy + m3).ceil() as usize).max(8),
            size,
            curves,
            rule: rule.map(|corners| corners.map(moved)),
            bold: manner.bold * size,
        }
    }

    /// How far each pixel is covered, each cut into `columns` side by side.
    pub fn covered(&self, columns: usize) -> Plane {
        let width = self.width * columns;
        let mut raster = Rasterizer::new(width, self.height);
        let passes: &[f32] = if self.bold > 0.0 {
            &[0.0, self.bold]
        } else {
            &[0.0]
        };
        for shift in passes {
            let dot = |p: Point| Dot {
                x: (p.x + shift) * columns as f32,
                y: p.y,
            };
            for curve in &self.curves {
                match *curve {
                    Curve::Line([p, q]) => raster.draw_line(dot(p), dot(q)),
                    Curve::Quad([p, q, r]) => raster.draw_quad(dot(p), dot(q), dot(r)),
                    Curve::Cubic([p, q, r, s]) => {
                        raster.draw_cubic(dot(p), dot(q), dot(r), dot(s));
                    }
                }
            }
        }
        let mut plane = Plane::of(&raster, width, self.height);
        if let Some(corners) = self.rule {
            let dots = corners.map(|p| Dot {
                x: p.x * columns as f32,
                y: p.y,
            });
            let mut raster = Rasterizer::new(width, self.height);
            for side in 0..4 {
                raster.draw_line(dots[side], dots[(side + 1) % 4]);
            }
            plane.join(&Plane::of(&raster, width, self.height));
        }
        plane
    }
}

/// How far the outlines reach above the baseline.
fn top(curves: &[Curve]) -> f32 {
    let points = curves.iter().flat_map(Curve::points);
    points.map(|p| -p.y).fold(0.0, f32::max)
}

/// Left, top, right and bottom; never less than a capital's height, so that "o" and "O" alone
/// differ.
fn bounds(
    curves: &[Curve],
    rule: Option<[Point; 4]>,
    warp: impl Fn(Point) -> Point,
    size: f32,
) -> [f32; 4] {
    let ends = [-CAPITAL * size, 0.0].map(|y| warp(Point { x: 0.0, y }));
    let points = curves.iter().flat_map(Curve::points);
    let all = points.chain(ends).chain(rule.into_iter().flatten());
    all.fold(
        [f32::MAX, f32::MAX, f32::MIN, f32::MIN],
        |[l, t, r, b], p| [l.min(p.x), t.min(p.y), r.max(p.x), b.max(p.y)],
    )
}
