//! LaTeX to outlines: RaTeX parses and lays out as KaTeX does, and what it places is
//! turned into filled shapes in units of the font's size.
//!
//! Any other outcome is a message: the parser's own, or what the layout cannot show.

use std::cell::Cell;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Once;

use ab_glyph::Point;
use drawing::{Curve, Rgb};
use ratex_font::FontId;
use ratex_layout::{LayoutOptions, layout, to_display_list, validate_layout};
use ratex_types::color::Color;
use ratex_types::display_item::{DisplayItem, DisplayList};
use ratex_types::math_style::MathStyle;
use ratex_types::path_command::PathCommand;

use crate::katex::KatexFaces;
use crate::lettering::Lettering;

/// Longer sources are refused unread.
pub const MOST_BYTES: usize = 4096;
/// Thickness of lines that the layout leaves to the renderer, in ems.
const STROKE: f32 = 0.045;
/// Pieces that a bent stroke is cut into.
const STROKE_PIECES: usize = 12;

/// Something to fill.
#[derive(Debug, Clone)]
pub struct Shape {
    /// Its outline, y downwards.
    pub curves: Vec<Curve>,
    /// Its own colour; none for that of the ink.
    pub colour: Option<Rgb>,
}

/// A formula as it is drawn, in units of the font's size.
#[derive(Debug, Clone)]
pub struct Typeset {
    /// What is filled, from the bottom to the top.
    pub shapes: Vec<Shape>,
    /// The advance width.
    pub width: f32,
    /// From the top to the baseline.
    pub height: f32,
    /// From the baseline to the bottom.
    pub depth: f32,
    /// The size of the smallest glyph.
    pub smallest: f32,
}

/// Why a formula cannot be drawn.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{reason}: {detail}")]
pub struct Unrenderable {
    /// In general, to be counted.
    pub reason: &'static str,
    /// The renderer's message.
    pub detail: String,
}

/// Lays `latex` out on a line of its own, or as part of a line of text.
///
/// Errors with the renderer's message if it cannot be drawn as it should look.
pub fn typeset(
    latex: &str,
    inline: bool,
    faces: &KatexFaces,
    lettering: &Lettering<'_>,
) -> Result<Typeset, Unrenderable> {
    let no = |reason, detail: String| Unrenderable { reason, detail };
    let list = laid_out(latex, inline)?;
    let (width, height, depth) = (list.width as f32, list.height as f32, list.depth as f32);
    let mut out = Typeset {
        shapes: Vec::with_capacity(list.items.len()),
        width,
        height,
        depth,
        smallest: 1.0,
    };
    for item in &list.items {
        place(item, faces, lettering, &mut out).map_err(|detail| no("does not render", detail))?;
    }
    let finite = |shape: &Shape| {
        let mut points = shape.curves.iter().flat_map(Curve::points);
        points.all(|p| p.x.abs() < 1e4 && p.y.abs() < 1e4)
    };
    if !(out.shapes.iter().all(finite) && width.is_finite() && height.is_finite()) {
        let detail = format!("{width} x {} em", height + depth);
        return Err(no("too large for the picture", detail));
    }
    Ok(out)
}

/// The letters and signs that a formula shows, in the order of their codes, whatever their
/// sizes and places; delimiters, of which large ones are made of pieces, are left out.
///
/// Errors as [`typeset`] does.
pub fn shown(latex: &str, inline: bool) -> Result<Vec<(String, u32)>, Unrenderable> {
    let sign = |item: &DisplayItem| match item {
        DisplayItem::GlyphPath {
            font, char_code, ..
        } => {
            let letter = char::from_u32(*char_code)?;
            let delimiter = "()[]{}/\\|∣∥⟨⟩⌈⌉⌊⌋".contains(letter)
                || ('\u{239b}'..='\u{23b3}').contains(&letter);
            let blank = letter.is_whitespace() || ('\u{200b}'..='\u{200d}').contains(&letter);
            let font = if font.starts_with("Size") {
                "Main-Regular"
            } else {
                font
            };
            (!delimiter && !blank).then(|| (font.to_owned(), *char_code))
        }
        _ => None,
    };
    let list = laid_out(latex, inline)?;
    let mut signs: Vec<_> = list.items.iter().filter_map(sign).collect();
    signs.sort();
    Ok(signs)
}

fn laid_out(latex: &str, inline: bool) -> Result<DisplayList, Unrenderable> {
    let no = |reason, detail: String| Unrenderable { reason, detail };
    if latex.len() > MOST_BYTES {
        let detail = format!("{} bytes, at most {MOST_BYTES}", latex.len());
        return Err(no("the source is too long", detail));
    }
    let style = if inline {
        MathStyle::Text
    } else {
        MathStyle::Display
    };
    let laid_out = quietly(|| {
        let nodes = ratex_parser::parse(latex).map_err(|e| e.to_string())?;
        let boxes = layout(&nodes, &LayoutOptions::default().with_style(style));
        validate_layout(&boxes)?;
        Ok(to_display_list(&boxes))
    });
    match laid_out {
        Ok(Ok(list)) => Ok(list),
        Ok(Err(message)) => Err(no("does not render", message)),
        Err(panic) => Err(no("the renderer failed", said(panic.as_ref()))),
    }
}

thread_local! {
    /// Whether a panic of this thread is about to be caught and told in the ledger.
    static CAUGHT: Cell<bool> = const { Cell::new(false) };
}

/// Runs `work` and catches its panic without a word on stderr.
fn quietly<T>(work: impl FnOnce() -> T) -> std::thread::Result<T> {
    static HOOK: Once = Once::new();
    HOOK.call_once(|| {
        let before = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |info| {
            if !CAUGHT.get() {
                before(info);
            }
        }));
    });
    CAUGHT.set(true);
    let done = catch_unwind(AssertUnwindSafe(work));
    CAUGHT.set(false);
    done
}

/// What a panic says.
fn said(panic: &(dyn std::any::Any + Send)) -> String {
    let text = panic
        .downcast_ref::<String>()
        .cloned()
        .or_else(|| panic.downcast_ref::<&str>().map(|text| (*text).to_owned()));
    text.unwrap_or_else(|| "it panicked".into())
}

fn place(
    item: &DisplayItem,
    faces: &KatexFaces,
    lettering: &Lettering<'_>,
    out: &mut Typeset,
) -> Result<(), String> {
    match item {
        DisplayItem::GlyphPath {
            x,
            y,
            scale,
            font,
            char_code,
            color,
        } => {
            let character = char::from_u32(*char_code).unwrap_or('\u{fffd}');
            if character.is_whitespace() || matches!(character, '\u{200b}'..='\u{200d}') {
                return Ok(());
            }
            let id = FontId::parse(font).ok_or_else(|| format!("no typeface {font:?}"))?;
            let glyph = faces
                .glyph(id, *char_code)
                .ok_or_else(|| format!("no glyph for {character:?} in KaTeX's typefaces"))?;
            let size = *scale as f32;
            out.smallest = out.smallest.min(size);
            let curves = lettering.replace(id, character, glyph);
            let curves = curves.as_deref().unwrap_or(&glyph.curves);
            let to = |p: Point| Point {
                x: p.x * size + *x as f32,
                y: p.y * size + *y as f32,
            };
            out.shapes.push(Shape {
                curves: curves.iter().map(|curve| curve.map(to)).collect(),
                colour: own(color),
            });
        }
        DisplayItem::Line {
            x,
            y,
            width,
            thickness,
            color,
            dashed,
        } => {
            let (x, y, width) = (*x as f32, *y as f32, *width as f32);
            let half = *thickness as f32 / 2.0;
            let dash = if *dashed { 8.0 * half } else { width };
            let mut at = 0.0;
            while at < width && dash > 0.0 {
                let end = (at + dash).min(width);
                let colour = own(color);
                let curves = rectangle(x + at, y - half, x + end, y + half);
                out.shapes.push(Shape { curves, colour });
                at += 2.0 * dash;
            }
        }
        DisplayItem::Rect {
            x,
            y,
            width,
            height,
            color,
        } => {
            let (x, y) = (*x as f32, *y as f32);
            out.shapes.push(Shape {
                curves: rectangle(x, y, x + *width as f32, y + *height as f32),
                colour: own(color),
            });
        }
        DisplayItem::Path {
            x,
            y,
            commands,
            fill,
            color,
        } => {
            let origin = Point {
                x: *x as f32,
                y: *y as f32,
            };
            for contour in contours(commands, origin) {
                let colour = own(color);
                if *fill {
                    let curves = closed(contour);
                    out.shapes.push(Shape { curves, colour });
                } else {
                    out.shapes.extend(contour.iter().flat_map(|curve| {
                        stroke(curve)
                            .into_iter()
                            .map(move |curves| Shape { curves, colour })
                    }));
                }
            }
        }
    }
    Ok(())
}

/// A colour that the source asks for; black is the ink's.
fn own(color: &Color) -> Option<Rgb> {
    let byte = |v: f32| (v.clamp(0.0, 1.0) * 255.0 + 0.5) as u8;
    let rgb = [byte(color.r), byte(color.g), byte(color.b)];
    (rgb != [0; 3]).then_some(rgb)
}

fn rectangle(left: f32, top: f32, right: f32, bottom: f32) -> Vec<Curve> {
    let corners = [(left, top), (right, top), (right, bottom), (left, bottom)];
    let at = |i: usize| Point {
        x: corners[i % 4].0,
        y: corners[i % 4].1,
    };
    (0..4).map(|i| Curve::Line([at(i), at(i + 1)])).collect()
}

/// The closed outlines of a path, one by one: parts of stretched arrows wind either way.
fn contours(commands: &[PathCommand], origin: Point) -> Vec<Vec<Curve>> {
    let at = |x: f64, y: f64| Point {
        x: x as f32 + origin.x,
        y: y as f32 + origin.y,
    };
    let (mut all, mut contour) = (Vec::new(), Vec::new());
    let (mut pen, mut start) = (origin, origin);
    for command in commands {
        match *command {
            PathCommand::MoveTo { x, y } => {
                if !contour.is_empty() {
                    all.push(std::mem::take(&mut contour));
                }
                pen = at(x, y);
                start = pen;
            }
            PathCommand::LineTo { x, y } => {
                contour.push(Curve::Line([pen, at(x, y)]));
                pen = at(x, y);
            }
            PathCommand::QuadTo { x1, y1, x, y } => {
                contour.push(Curve::Quad([pen, at(x1, y1), at(x, y)]));
                pen = at(x, y);
            }
            PathCommand::CubicTo {
                x1,
                y1,
                x2,
                y2,
                x,
                y,
            } => {
                contour.push(Curve::Cubic([pen, at(x1, y1), at(x2, y2), at(x, y)]));
                pen = at(x, y);
            }
            PathCommand::Close => {
                if pen != start {
                    contour.push(Curve::Line([pen, start]));
                }
                pen = start;
            }
        }
    }
    all.push(contour);
    all.retain(|contour| !contour.is_empty());
    all
}

/// A contour that ends where it began: only then has it an inside.
fn closed(mut contour: Vec<Curve>) -> Vec<Curve> {
    let first = contour.first().and_then(|curve| curve.points().next());
    let last = contour.last().and_then(|curve| curve.points().last());
    if let (Some(first), Some(last)) = (first, last)
        && first != last
    {
        contour.push(Curve::Line([last, first]));
    }
    contour
}

/// Rectangles along a curve.
fn stroke(curve: &Curve) -> Vec<Vec<Curve>> {
    let pieces = match curve {
        Curve::Line(_) => 1,
        _ => STROKE_PIECES,
    };
    let along = |i: usize| point_on(curve, i as f32 / pieces as f32);
    let piece = |i: usize| {
        let (a, b) = (along(i), along(i + 1));
        let (dx, dy) = (b.x - a.x, b.y - a.y);
        let length = dx.hypot(dy);
        if length == 0.0 {
            return Vec::new();
        }
        let (nx, ny) = (-dy / length * STROKE / 2.0, dx / length * STROKE / 2.0);
        let corner = |p: Point, side: f32| Point {
            x: p.x + nx * side,
            y: p.y + ny * side,
        };
        let corners = [
            corner(a, 1.0),
            corner(b, 1.0),
            corner(b, -1.0),
            corner(a, -1.0),
        ];
        (0..4)
            .map(|i| Curve::Line([corners[i], corners[(i + 1) % 4]]))
            .collect()
    };
    (0..pieces).map(piece).collect()
}

fn point_on(curve: &Curve, t: f32) -> Point {
    let mix = |a: Point, b: Point| Point {
        x: a.x + (b.x - a.x) * t,
        y: a.y + (b.y - a.y) * t,
    };
    match *curve {
        Curve::Line([a, b]) => mix(a, b),
        Curve::Quad([a, b, c]) => mix(mix(a, b), mix(b, c)),
        Curve::Cubic([a, b, c, d]) => {
            let (p, q, r) = (mix(a, b), mix(b, c), mix(c, d));
            mix(mix(p, q), mix(q, r))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    fn set(latex: &str) -> Result<Typeset, Unrenderable> {
        let faces = KatexFaces::load().unwrap();
        typeset(latex, false, &faces, &Lettering::Katex)
    }

    #[test]
    fn every_one_of_the_300_formulas_renders_as_written_and_in_its_normal_form() {
        let faces = KatexFaces::load().unwrap();
        let list = include_str!("../formulas-300.txt");
        let all: BTreeSet<&str> = list.lines().collect();
        assert_eq!(all.len(), 300);
        for latex in all {
            for source in [latex.to_owned(), crate::normal::normalise(latex)] {
                let set = typeset(&source, false, &faces, &Lettering::Katex);
                assert!(set.is_ok_and(|set| !set.shapes.is_empty()), "{source}");
            }
        }
    }

    #[test]
    fn what_cannot_be_drawn_says_so_in_the_renderers_words() {
        for (latex, word) in [
            (r"\frac{1}{2", "end of input"),
            (r"\undefinedthing", "undefinedthing"),
            (r"x^2^3", "superscript"),
            (r"\text{日本}", "日"),
            (r"\begin{nope}x\end{nope}", "nope"),
        ] {
            let error = set(latex).unwrap_err();
            assert!(error.detail.contains(word), "{latex}: {error}");
        }
        assert_eq!(
            set(&"x".repeat(5000)).unwrap_err().reason,
            "the source is too long"
        );
    }

    #[test]
    fn hostile_formulas_are_drawn_or_refused() {
        for part in [
            "{",
            r"\sqrt{",
            r"\frac{",
            r"\left(",
            "^{",
            r"\begin{pmatrix}",
            r"\hat ",
            r"\text{",
        ] {
            let open = part.repeat(4000 / part.len());
            drop(set(&open));
            let closed = part.repeat(200) + "x" + &"}".repeat(200);
            drop(set(&closed));
        }
        for latex in [
            r"\rule{1000000em}{1em}",
            r"\kern{1e30em}x",
            r"\def\a{\a\a}\a",
            "\u{0}",
        ] {
            drop(set(latex));
        }
    }
}
