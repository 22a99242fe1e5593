//! Pictures of one line of text: a face, a size, colours with enough contrast,
//! a field, and a slight turn and blur.

use ab_glyph::Point;
use ab_glyph_rasterizer::Rasterizer;
use avocet_data::Truth;
use drawing::wording::ask;
use drawing::{Background, Canvas, Curve, Face, Layout, ink_and_field};
use pipeline::Split;
use rand::Rng;
use rand::seq::IndexedRandom;
use rand_chacha::ChaCha8Rng;

use crate::drawn::{Drawing, Drawn};
use crate::error::NamedPicturesError;
use crate::lines::Lines;
use crate::wording;

/// Pictures of more patches than this would be shrunk before the model sees them.
const MOST_PATCHES: usize = 144;
/// The side of a patch in pixels.
const PATCH: usize = 8;
/// The sizes of letters, in pixels per em.
const SIZES: (f32, f32) = (12.0, 40.0);
/// The least difference in brightness of letters and field: for large letters and small.
const CONTRAST: (f32, f32) = (85.0, 125.0);

/// Families of faces, the strings they show and how long those may be.
#[derive(Debug)]
pub struct Texts {
    /// The faces of each family.
    pub families: Vec<Vec<Face>>,
    /// The strings.
    pub lines: Lines,
    /// The most characters in a line.
    pub max_chars: usize,
}

impl Texts {
    /// Draws one line in one face and asks for it; or says why the face cannot show it.
    ///
    /// Errors if the picture cannot be written as PNG.
    pub fn draw(&self, split: Split, rng: &mut ChaCha8Rng) -> Result<Drawing, NamedPicturesError> {
        let line = self.lines.draw(split, self.max_chars, rng);
        let face = self.face(rng);
        if let Some(missing) = face.missing(&line) {
            let reason = format!("{line:?}: {} has no {missing:?}", face.name);
            return Ok(Drawing::Unfit(reason));
        }
        let spacing = if rng.random_bool(0.15) {
            rng.random_range(0.02..0.15)
        } else {
            0.0
        };
        let layout = Layout::new(face, &line, spacing);
        let image = picture(&layout, rng).to_png()?;
        Ok(Drawing::Done(Drawn {
            image,
            question: ask(&wording::TEXT, rng),
            answer: line.clone(),
            also_right: Vec::new(),
            more: Vec::new(),
            truth: Some(Truth::Text(line)),
            source: format!("{}/{}", face.family, face.name),
            licence: face.licence.clone(),
        }))
    }

    /// A family, then its plain weight or any of its weights.
    pub(crate) fn face(&self, rng: &mut ChaCha8Rng) -> &Face {
        let family = self.families.choose(rng).expect("there are families");
        let plain = rng.random_bool(0.4);
        let regular: Vec<&Face> = family
            .iter()
            .filter(|face| !plain || face.is_regular())
            .collect();
        regular
            .choose(rng)
            .copied()
            .unwrap_or_else(|| family.first().expect("no family is empty"))
    }
}

/// Left, top, right and bottom of a line after `turn`, which keeps room for a capital and,
/// so that "o" and "O" alone differ, never less.
fn bounds(layout: &Layout, turn: &Turn) -> [f32; 4] {
    let points = layout.curves.iter().flat_map(Curve::points);
    let (mut left, mut right) = (f32::MAX, f32::MIN);
    for point in points {
        left = left.min(point.x);
        right = right.max(point.x);
    }
    let corners = [left, right]
        .into_iter()
        .flat_map(|x| [-0.72, 0.0].map(|y| Point { x, y }));
    let all = layout
        .curves
        .iter()
        .flat_map(Curve::points)
        .chain(corners)
        .map(|p| turn.apply(p));
    all.fold(
        [f32::MAX, f32::MAX, f32::MIN, f32::MIN],
        |[l, t, r, b], p| [l.min(p.x), t.min(p.y), r.max(p.x), b.max(p.y)],
    )
}

/// Scaling by the size and turning by an angle.
struct Turn {
    sin: f32,
    cos: f32,
    dx: f32,
    dy: f32,
}

impl Turn {
    fn new(size: f32, angle: f32) -> Self {
        Self {
            sin: angle.sin() * size,
            cos: angle.cos() * size,
            dx: 0.0,
            dy: 0.0,
        }
    }

    fn apply(&self, p: Point) -> Point {
        Point {
            x: p.x * self.cos - p.y * self.sin + self.dx,
            y: p.x * self.sin + p.y * self.cos + self.dy,
        }
    }
}

fn picture(layout: &Layout, rng: &mut ChaCha8Rng) -> Canvas {
    let (smallest, largest) = SIZES;
    let mut size = smallest + (largest - smallest) * rng.random::<f32>().powf(1.6);
    let mut angle = if rng.random_bool(0.5) {
        0.0
    } else {
        rng.random_range(-3.0..3.0f32)
    };
    let margins: [f32; 4] = std::array::from_fn(|_| 1.0 + 7.0 * rng.random::<f32>().powf(2.5));
    let (width, height, turn) = loop {
        let mut turn = Turn::new(size, angle.to_radians());
        let [left, top, right, bottom] = bounds(layout, &turn);
        turn.dx = margins[0] - left;
        turn.dy = margins[1] - top;
        let width = (right - left + margins[0] + margins[2]).ceil() as usize;
        let height = (bottom - top + margins[1] + margins[3]).ceil() as usize;
        if width.div_ceil(PATCH) * height.div_ceil(PATCH) <= MOST_PATCHES || size <= 6.0 {
            break (width, height, turn);
        }
        // A long line turned grows tall: first turn it less, then set it smaller.
        if angle.abs() > 0.3 {
            angle *= 0.6;
        } else {
            angle = 0.0;
            size *= 0.93;
        }
    };
    let contrast = if size < 20.0 { CONTRAST.1 } else { CONTRAST.0 };
    let (ink, a, b) = ink_and_field(contrast, rng);
    let field = match rng.random_range(0..10) {
        0..5 => Background::Solid,
        5..8 => Background::Gradient,
        8 if size >= 20.0 => Background::Noise,
        _ => Background::Clouds,
    };
    let mut canvas = field.paint(width, height, a, b, rng);
    let mut raster = Rasterizer::new(width, height);
    layout.trace(&mut raster, |p| turn.apply(p));
    canvas.fill(&raster, ink);
    blemish(&mut canvas, size, rng);
    canvas
}

/// Blurs and roughens as far as letters of this size bear it.
fn blemish(canvas: &mut Canvas, size: f32, rng: &mut ChaCha8Rng) {
    if rng.random_bool(0.35) {
        let most = if size < 16.0 { 0.3 } else { 0.6 };
        canvas.soften(rng.random_range(0.1..most));
        if size > 26.0 && rng.random_bool(0.4) {
            canvas.soften(0.6);
        }
    }
    if rng.random_bool(0.2) {
        canvas.add_noise(rng.random_range(2..=if size < 20.0 { 8 } else { 14 }), rng);
    }
}
