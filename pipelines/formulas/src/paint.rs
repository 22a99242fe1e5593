//! Shapes to a picture: turned a little, on a field of colour or paper, with noise, blur
//! and the marks of JPEG, and never so that it cannot be read.

use ab_glyph::Point;
use ab_glyph_rasterizer::{Point as Dot, Rasterizer};
use drawing::{Background, Canvas, Curve, Rgb, ink_and_field, luminance};
use image::ExtendedColorType;
use image::codecs::jpeg::JpegEncoder;
use rand::Rng;
use rand_chacha::ChaCha8Rng;

use crate::error::FormulasError;
use crate::typeset::{Shape, Typeset, Unrenderable};

/// The least difference in brightness of ink and field, for large letters and for small.
const CONTRAST: (f32, f32) = (115.0, 145.0);
/// The least difference of a colour that the source itself asks for.
const OWN_CONTRAST: f32 = 50.0;
/// Letters smaller than this, in pixels per em, cannot be read.
pub(crate) const LEAST_SCRIPT: f32 = 7.0;
/// Nor is anything set smaller than this.
pub(crate) const LEAST_EM: f32 = 11.0;
/// The sizes that formulas are drawn in, in pixels per em.
const SIZES: (f32, f32) = (15.0, 34.0);
/// A picture with less ink than this many black pixels shows nothing.
const LEAST_INK: f32 = 4.0;

/// Shapes at their places in pixels, and how large their letters are.
#[derive(Debug)]
pub struct Scene {
    /// What is filled.
    pub shapes: Vec<Shape>,
    /// Pixels per em of the main letters.
    pub em: f32,
    /// The largest angle to turn it by, in degrees.
    pub most_turn: f32,
}

/// The largest picture.
#[derive(Debug, Clone, Copy)]
pub struct Room {
    /// In pixels.
    pub width: usize,
    /// In pixels.
    pub height: usize,
}

/// A picture file, or why there is none.
pub type Painted = Result<Vec<u8>, Unrenderable>;

/// Draws a formula as large as it is drawn at random, or as large as there is room for.
///
/// Errors if the picture cannot be encoded.
pub fn formula(set: &Typeset, room: Room, rng: &mut ChaCha8Rng) -> Result<Painted, FormulasError> {
    let least = LEAST_EM.max(LEAST_SCRIPT / set.smallest);
    let mut em = SIZES.0 + (SIZES.1 - SIZES.0) * rng.random::<f32>().powf(1.6);
    em = em.max(least);
    let mut placing = Placing::draw(3.0, rng);
    loop {
        let shapes = scaled(&set.shapes, em, 0.0, 0.0);
        match placing.fit(&shapes, room) {
            Some(fitted) => return finish(&shapes, em, &fitted, rng),
            None if placing.angle != 0.0 => placing.straighten(),
            None if placing.margins.iter().any(|m| *m > 3.0) => {
                placing.margins = placing.margins.map(|m| m.min(3.0));
            }
            None if em * 0.94 >= least => em *= 0.94,
            None => {
                let (width, height) = (set.width * em, (set.height + set.depth) * em);
                return Ok(Err(Unrenderable {
                    reason: "too large for the picture at a size that can be read",
                    detail: format!(
                        "{width:.0} x {height:.0} pixels with {em:.0} pixels an em; there is room for {} x {}",
                        room.width, room.height
                    ),
                }));
            }
        }
    }
}

/// Draws a scene whose size is settled.
///
/// Errors if the picture cannot be encoded.
pub fn scene(scene: &Scene, room: Room, rng: &mut ChaCha8Rng) -> Result<Painted, FormulasError> {
    let mut placing = Placing::draw(scene.most_turn, rng);
    placing.margins = placing.margins.map(|m| m + 3.0);
    let fitted = placing.fit(&scene.shapes, room).or_else(|| {
        placing.straighten();
        placing.fit(&scene.shapes, room)
    });
    match fitted {
        Some(fitted) => finish(&scene.shapes, scene.em, &fitted, rng),
        None => Ok(Err(Unrenderable {
            reason: "too large for the picture at a size that can be read",
            detail: format!("there is room for {} x {}", room.width, room.height),
        })),
    }
}

/// Shapes in ems as shapes in pixels, moved.
pub fn scaled(shapes: &[Shape], em: f32, dx: f32, dy: f32) -> Vec<Shape> {
    let to = |p: Point| Point {
        x: p.x * em + dx,
        y: p.y * em + dy,
    };
    shapes
        .iter()
        .map(|shape| Shape {
            curves: shape.curves.iter().map(|curve| curve.map(to)).collect(),
            colour: shape.colour,
        })
        .collect()
}

/// How a scene is turned and what is left free around it.
pub(crate) struct Placing {
    /// In degrees.
    pub angle: f32,
    shear: f32,
    /// Pixels left free at the left, above, at the right and below.
    pub margins: [f32; 4],
}

/// A placing and the picture that it needs.
pub(crate) struct Fitted {
    sin: f32,
    cos: f32,
    shear: f32,
    dx: f32,
    dy: f32,
    /// Pixels across.
    pub width: usize,
    /// Pixels down.
    pub height: usize,
}

impl Fitted {
    fn apply(&self, p: Point) -> Point {
        let x = p.x + p.y * self.shear;
        Point {
            x: x * self.cos - p.y * self.sin + self.dx,
            y: x * self.sin + p.y * self.cos + self.dy,
        }
    }
}

impl Placing {
    pub fn draw(most_turn: f32, rng: &mut ChaCha8Rng) -> Self {
        let turned = rng.random_bool(0.4);
        let angle = rng.random_range(-most_turn..most_turn);
        let sheared = rng.random_bool(0.15);
        let shear = rng.random_range(-0.06..0.06f32);
        Self {
            angle: if turned { angle } else { 0.0 },
            shear: if turned && sheared { shear } else { 0.0 },
            margins: std::array::from_fn(|_| 2.0 + 14.0 * rng.random::<f32>().powf(2.0)),
        }
    }

    fn straighten(&mut self) {
        (self.angle, self.shear) = (0.0, 0.0);
    }

    /// The picture around the shapes, if there is room for it.
    pub fn fit(&self, shapes: &[Shape], room: Room) -> Option<Fitted> {
        let (sin, cos) = self.angle.to_radians().sin_cos();
        let mut fitted = Fitted {
            sin,
            cos,
            shear: self.shear,
            dx: 0.0,
            dy: 0.0,
            width: 0,
            height: 0,
        };
        let points = shapes.iter().flat_map(|shape| &shape.curves);
        let points = points.flat_map(Curve::points).map(|p| fitted.apply(p));
        let none = [f32::MAX, f32::MAX, f32::MIN, f32::MIN];
        let [left, top, right, bottom] = points.fold(none, |[l, t, r, b], p| {
            [l.min(p.x), t.min(p.y), r.max(p.x), b.max(p.y)]
        });
        if left > right {
            // Nothing is drawn: any small picture shows it.
            (fitted.width, fitted.height) = (16, 16);
            return Some(fitted);
        }
        fitted.dx = self.margins[0] - left;
        fitted.dy = self.margins[1] - top;
        fitted.width = (right - left + self.margins[0] + self.margins[2]).ceil() as usize;
        fitted.height = (bottom - top + self.margins[1] + self.margins[3]).ceil() as usize;
        (fitted.width <= room.width && fitted.height <= room.height).then_some(fitted)
    }
}

fn finish(
    shapes: &[Shape],
    em: f32,
    fitted: &Fitted,
    rng: &mut ChaCha8Rng,
) -> Result<Painted, FormulasError> {
    let contrast = if em < 20.0 { CONTRAST.1 } else { CONTRAST.0 };
    let (mut ink, mut a, mut b) = ink_and_field(contrast, rng);
    let coloured = shapes.iter().any(|shape| shape.colour.is_some());
    let field = match rng.random_range(0..20) {
        _ if coloured => Background::Solid,
        0..10 => Background::Solid,
        10..14 => Background::Gradient,
        14..16 if em >= 18.0 => Background::Noise,
        _ => Background::Clouds,
    };
    if coloured {
        // What the source colours must look as on paper.
        (ink, a, b) = ([0; 3], [255; 3], [255; 3]);
    }
    let mut canvas = field.paint(fitted.width, fitted.height, a, b, rng);
    let mut inked = 0.0;
    for shape in shapes {
        let colour = shape.colour.unwrap_or(ink);
        let on_paper = (luminance(colour) - 255.0).abs();
        if shape.colour.is_some() && on_paper < OWN_CONTRAST && colour != [255; 3] {
            return Ok(Err(Unrenderable {
                reason: "a colour of the source cannot be told from the paper",
                detail: format!("{colour:?}"),
            }));
        }
        inked += fill(&mut canvas, shape, fitted, colour);
    }
    if inked < LEAST_INK {
        return Ok(Err(Unrenderable {
            reason: "an empty picture",
            detail: format!("{inked:.1} pixels of ink"),
        }));
    }
    blemish(&mut canvas, em, rng);
    Ok(Ok(encode(&canvas, em, rng)?))
}

/// Fills a shape and returns how many pixels that took.
fn fill(canvas: &mut Canvas, shape: &Shape, fitted: &Fitted, colour: Rgb) -> f32 {
    let mut inked = 0.0;
    raster(shape, fitted, |x, y, coverage| {
        if x < canvas.width && y < canvas.height {
            inked += coverage;
            canvas.cover(x, y, colour, coverage);
        }
    });
    inked
}

/// Tells which pixels a shape covers and how much of them.
pub(crate) fn raster(shape: &Shape, fitted: &Fitted, mut cover: impl FnMut(usize, usize, f32)) {
    let curves: Vec<Curve> = shape
        .curves
        .iter()
        .map(|curve| curve.map(|p| fitted.apply(p)))
        .collect();
    let mut bounds = [f32::MAX, f32::MAX, f32::MIN, f32::MIN];
    for p in curves.iter().flat_map(Curve::points) {
        let [l, t, r, b] = bounds;
        bounds = [l.min(p.x), t.min(p.y), r.max(p.x), b.max(p.y)];
    }
    let [left, top, right, bottom] = bounds;
    if left > right {
        return;
    }
    let (x0, y0) = (left.floor() - 1.0, top.floor() - 1.0);
    let width = (right.ceil() - x0) as usize + 2;
    let height = (bottom.ceil() - y0) as usize + 2;
    let mut raster = Rasterizer::new(width, height);
    let dot = |p: Point| Dot {
        x: p.x - x0,
        y: p.y - y0,
    };
    for curve in &curves {
        match *curve {
            Curve::Line([p, q]) => raster.draw_line(dot(p), dot(q)),
            Curve::Quad([p, q, r]) => raster.draw_quad(dot(p), dot(q), dot(r)),
            Curve::Cubic([p, q, r, s]) => raster.draw_cubic(dot(p), dot(q), dot(r), dot(s)),
        }
    }
    raster.for_each_pixel(|index, coverage| {
        let x = (index % width) as i64 + x0 as i64;
        let y = (index / width) as i64 + y0 as i64;
        if coverage > 0.004 && x >= 0 && y >= 0 {
            cover(x as usize, y as usize, coverage.min(1.0));
        }
    });
}

/// Blurs and roughens as far as letters of this size bear it.
fn blemish(canvas: &mut Canvas, em: f32, rng: &mut ChaCha8Rng) {
    if rng.random_bool(0.3) {
        let most = if em < 18.0 { 0.25 } else { 0.6 };
        canvas.soften(rng.random_range(0.1..most));
        if em > 26.0 && rng.random_bool(0.4) {
            canvas.soften(0.6);
        }
    }
    if rng.random_bool(0.25) {
        // Three even draws add up to nearly a bell curve.
        let amplitude = rng.random_range(2..=if em < 20.0 { 5 } else { 10 });
        (0..3).for_each(|_| canvas.add_noise(amplitude, rng));
    }
}

/// The picture as a PNG, or as a JPEG of some quality.
pub(crate) fn encode(
    canvas: &Canvas,
    em: f32,
    rng: &mut ChaCha8Rng,
) -> Result<Vec<u8>, FormulasError> {
    if rng.random_bool(0.75) {
        return Ok(canvas.to_png()?);
    }
    let worst = if em < 18.0 { 60 } else { 40 };
    let quality = rng.random_range(worst..=95);
    let mut file = Vec::new();
    JpegEncoder::new_with_quality(&mut file, quality).encode(
        canvas.pixels.as_flattened(),
        canvas.width as u32,
        canvas.height as u32,
        ExtendedColorType::Rgb8,
    )?;
    Ok(file)
}
