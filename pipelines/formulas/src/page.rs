//! Running text as shapes: lines broken at a width, headings, lists, tables, formulas of
//! their own, one column or two.

use ab_glyph::Point;
use drawing::Face;

use crate::paint::scaled;
use crate::typeset::{Shape, Typeset};

/// Space between blocks, in lines.
const BLOCK_GAP: f32 = 0.55;
/// Space between columns, in ems.
const GUTTER: f32 = 2.0;
/// Letters above the baseline and below it, in ems.
const ASCENT: f32 = 0.8;

/// A part of a page.
#[derive(Debug, Clone)]
pub enum Block {
    /// A line or two in larger, bolder letters.
    Heading(String),
    /// Sentences.
    Paragraph(String),
    /// Lines with a mark or a number before each.
    List(Vec<String>, bool),
    /// Rows of cells; the first names the columns.
    Table(Vec<Vec<String>>),
    /// A formula on a line of its own, and its source in the normal form.
    Formula(Box<Typeset>, String),
}

impl Block {
    /// What a reader would write down.
    pub fn transcription(&self) -> String {
        match self {
            Self::Heading(text) | Self::Paragraph(text) => text.clone(),
            Self::List(items, numbered) => {
                let line = |(i, item): (usize, &String)| {
                    if *numbered {
                        format!("{}. {item}", i + 1)
                    } else {
                        format!("- {item}")
                    }
                };
                let lines: Vec<String> = items.iter().enumerate().map(line).collect();
                lines.join("\n")
            }
            Self::Table(rows) => {
                let lines: Vec<String> = rows.iter().map(|row| row.join(" | ")).collect();
                lines.join("\n")
            }
            Self::Formula(_, source) => format!("$${source}$$"),
        }
    }

    /// The text that the faces must have letters for.
    pub fn text(&self) -> String {
        match self {
            Self::Formula(..) => String::new(),
            other => other.transcription(),
        }
    }
}

/// How lines end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Alignment {
    /// Ragged on the right.
    Left,
    /// Even on both sides.
    Justified,
    /// Each line in the middle.
    Centred,
}

/// How a page is set.
#[derive(Debug, Clone, Copy)]
pub struct Style<'a> {
    /// For running text.
    pub body: &'a Face,
    /// For headings and the first row of a table.
    pub bold: &'a Face,
    /// Pixels per em of running text.
    pub size: f32,
    /// The size of headings, in that of running text.
    pub heading: f32,
    /// From baseline to baseline, in ems.
    pub leading: f32,
    /// How lines end.
    pub alignment: Alignment,
    /// The width of the text in pixels.
    pub width: f32,
    /// One or two.
    pub columns: usize,
}

/// The blocks laid out as shapes in pixels.
pub fn lay_out(blocks: &[Block], style: &Style<'_>) -> Vec<Shape> {
    let gutter = GUTTER * style.size;
    let columns = style.columns.max(1);
    let width = (style.width - gutter * (columns - 1) as f32) / columns as f32;
    let mut galleys: Vec<Galley> = blocks
        .iter()
        .map(|block| galley(block, style, width))
        .collect();
    let gap = BLOCK_GAP * style.size * style.leading;
    let total: f32 = galleys.iter().map(|galley| galley.height + gap).sum();
    let mut shapes = Vec::new();
    let (mut column, mut y) = (0, 0.0);
    for galley in &mut galleys {
        // A column is closed once the block that would follow passes its half of the page.
        if column + 1 < columns && y > 0.0 && y + galley.height / 2.0 > total / columns as f32 {
            column += 1;
            y = 0.0;
        }
        let dx = column as f32 * (width + gutter);
        shapes.extend(scaled(&galley.shapes, 1.0, dx, y));
        y += galley.height + gap;
    }
    shapes
}

/// One block, set from its own top left corner.
struct Galley {
    shapes: Vec<Shape>,
    height: f32,
}

fn galley(block: &Block, style: &Style<'_>, width: f32) -> Galley {
    let size = style.size;
    let line = size * style.leading;
    match block {
        Block::Heading(text) => {
            let size = size * style.heading;
            let aligned = match style.alignment {
                Alignment::Centred => Alignment::Centred,
                _ => Alignment::Left,
            };
            text_galley(text, style.bold, size, size * 1.15, width, aligned)
        }
        Block::Paragraph(text) => text_galley(text, style.body, size, line, width, style.alignment),
        Block::List(items, numbered) => {
            let indent = size * 1.7;
            let mut out = Galley {
                shapes: Vec::new(),
                height: 0.0,
            };
            for (i, item) in items.iter().enumerate() {
                let mark = if *numbered {
                    format!("{}.", i + 1)
                } else {
                    "-".to_owned()
                };
                let set = text_galley(
                    item,
                    style.body,
                    size,
                    line,
                    width - indent,
                    Alignment::Left,
                );
                let baseline = out.height + ASCENT * size;
                set_line(
                    &mark,
                    style.body,
                    size,
                    size * 0.4,
                    baseline,
                    0.0,
                    &mut out.shapes,
                );
                out.shapes
                    .extend(scaled(&set.shapes, 1.0, indent, out.height));
                out.height += set.height + size * 0.2;
            }
            out
        }
        Block::Table(rows) => table(rows, style, width),
        Block::Formula(set, _) => {
            // A formula wider than its column is made as small as it must be.
            let em = size.min(width / set.width.max(1.0)) * 1.05;
            let em = if set.width * em > width {
                width / set.width
            } else {
                em
            };
            let dx = (width - set.width * em) / 2.0;
            Galley {
                shapes: scaled(&set.shapes, em, dx, 0.0),
                height: (set.height + set.depth) * em,
            }
        }
    }
}

fn table(rows: &[Vec<String>], style: &Style<'_>, width: f32) -> Galley {
    let size = style.size;
    let columns = rows.iter().map(Vec::len).max().unwrap_or(0);
    let pad = size * 0.5;
    let widest = |column: usize| {
        let cells = rows.iter().enumerate();
        let cell = |(i, row): (usize, &Vec<String>)| {
            let face = if i == 0 { style.bold } else { style.body };
            row.get(column)
                .map_or(0.0, |text| measure(text, face) * size)
        };
        cells.map(cell).fold(0.0, f32::max) + 2.0 * pad
    };
    let widths: Vec<f32> = (0..columns).map(widest).collect();
    let full: f32 = widths.iter().sum();
    // Narrow tables are stretched a little, never beyond the column.
    let stretch = if full < width {
        (width / full).min(1.25)
    } else {
        1.0
    };
    let row_height = size * 1.6;
    let mut shapes = Vec::new();
    for (i, row) in rows.iter().enumerate() {
        let face = if i == 0 { style.bold } else { style.body };
        let baseline = row_height * i as f32 + size * 1.1;
        let mut x = 0.0;
        for (text, width) in row.iter().zip(&widths) {
            set_line(text, face, size, x + pad, baseline, 0.0, &mut shapes);
            x += width * stretch;
        }
    }
    let (right, height) = (full * stretch, row_height * rows.len() as f32);
    let rule = (size * 0.06).max(1.0);
    for y in [0.0, row_height, height] {
        shapes.push(bar(0.0, y - rule / 2.0, right, y + rule / 2.0));
    }
    Galley { shapes, height }
}

fn bar(left: f32, top: f32, right: f32, bottom: f32) -> Shape {
    let corners = [(left, top), (right, top), (right, bottom), (left, bottom)];
    let at = |i: usize| Point {
        x: corners[i % 4].0,
        y: corners[i % 4].1,
    };
    Shape {
        curves: (0..4)
            .map(|i| drawing::Curve::Line([at(i), at(i + 1)]))
            .collect(),
        colour: None,
    }
}

fn text_galley(
    text: &str,
    face: &Face,
    size: f32,
    line: f32,
    width: f32,
    alignment: Alignment,
) -> Galley {
    let lines = broken(text, face, width / size);
    let mut shapes = Vec::new();
    for (i, words) in lines.iter().enumerate() {
        let free = width - measure(words, face) * size;
        let spaces = words.matches(' ').count();
        let baseline = line * i as f32 + ASCENT * size;
        let last = i + 1 == lines.len();
        let (x, stretch) = match alignment {
            Alignment::Left => (0.0, 0.0),
            Alignment::Centred => (free.max(0.0) / 2.0, 0.0),
            Alignment::Justified if last || spaces == 0 || free < 0.0 => (0.0, 0.0),
            // A line with few words is not torn apart.
            Alignment::Justified => (0.0, (free / spaces as f32).min(size * 0.7)),
        };
        set_line(words, face, size, x, baseline, stretch, &mut shapes);
    }
    Galley {
        shapes,
        height: line * lines.len() as f32,
    }
}

/// A text in lines of at most `width` ems; a word wider than that stands alone.
fn broken(text: &str, face: &Face, width: f32) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for word in text.split(' ').filter(|word| !word.is_empty()) {
        match lines.last_mut() {
            Some(line)
                if measure(line, face) + measure(" ", face) + measure(word, face) <= width =>
            {
                line.push(' ');
                line.push_str(word);
            }
            _ => lines.push(word.to_owned()),
        }
    }
    lines
}

/// The width of a text in ems.
pub fn measure(text: &str, face: &Face) -> f32 {
    let advance = |c: char| face.glyph(c).map_or(0.0, |glyph| glyph.advance);
    text.chars().map(advance).sum()
}

fn set_line(
    text: &str,
    face: &Face,
    size: f32,
    x: f32,
    baseline: f32,
    stretch: f32,
    shapes: &mut Vec<Shape>,
) {
    let mut pen = x;
    for letter in text.chars() {
        let Some(glyph) = face.glyph(letter) else {
            continue;
        };
        if !glyph.curves.is_empty() {
            let to = |p: Point| Point {
                x: p.x * size + pen,
                y: p.y * size + baseline,
            };
            shapes.push(Shape {
                curves: glyph.curves.iter().map(|curve| curve.map(to)).collect(),
                colour: None,
            });
        }
        pen += glyph.advance * size;
        if letter == ' ' {
            pen += stretch;
        }
    }
}
