//! A line of text set in a face: the outlines of its letters one after another.

use ab_glyph::Point;
use ab_glyph_rasterizer::{Point as Dot, Rasterizer};

use crate::fonts::{Curve, Face};

/// A line set in a face, in units of the size, the pen starting at (0, 0) on the baseline.
pub struct Layout {
    /// The outlines.
    pub curves: Vec<Curve>,
    /// Where the pen ends.
    pub advance: f32,
}

impl Layout {
    /// Sets `line`, with `spacing` between the letters; a character that the face lacks is
    /// left out.
    pub fn new(face: &Face, line: &str, spacing: f32) -> Self {
        let mut pen = 0.0;
        let mut curves = Vec::new();
        for glyph in line.chars().filter_map(|c| face.glyph(c)) {
            curves.extend(glyph.curves.iter().map(|curve| {
                curve.map(|p| Point {
                    x: p.x + pen,
                    y: p.y,
                })
            }));
            pen += glyph.advance + spacing;
        }
        Self {
            curves,
            advance: pen,
        }
    }

    /// Draws the outlines, `place` telling where a point of them comes to lie in pixels.
    pub fn trace(&self, raster: &mut Rasterizer, place: impl Fn(Point) -> Point) {
        let dot = |p: Point| {
            let Point { x, y } = place(p);
            Dot { x, y }
        };
        for curve in &self.curves {
            match *curve {
                Curve::Line([p, q]) => raster.draw_line(dot(p), dot(q)),
                Curve::Quad([p, q, r]) => raster.draw_quad(dot(p), dot(q), dot(r)),
                Curve::Cubic([p, q, r, s]) => raster.draw_cubic(dot(p), dot(q), dot(r), dot(s)),
            }
        }
    }
}
