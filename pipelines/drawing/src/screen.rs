//! Windows as they are on screens, with room for a drawing: bars, lists, cards, lines of text,
//! buttons and discs.

use rand::Rng;
use rand::seq::IndexedRandom;
use rand_chacha::ChaCha8Rng;

use crate::bend::Bend;
use crate::canvas::Canvas;
use crate::colours::{Rgb, between, luminance};
use crate::sprite::Sprite;

/// A rectangle: left, top, width, height, in pixels.
pub type Rect = (usize, usize, usize, usize);

/// Fills a rectangle; what lies beyond the canvas is left out.
pub fn fill(canvas: &mut Canvas, (left, top, width, height): Rect, colour: Rgb) {
    let right = (left + width).min(canvas.width);
    for y in top..(top + height).min(canvas.height) {
        if left < right {
            canvas.pixels[y * canvas.width + left..y * canvas.width + right].fill(colour);
        }
    }
}

/// A filled disc with soft edges.
fn disc(canvas: &mut Canvas, (cx, cy): (f32, f32), radius: f32, colour: Rgb) {
    let span = |c: f32, limit: usize| {
        let low = (c - radius - 1.0).max(0.0) as usize;
        low..((c + radius + 2.0).max(0.0) as usize).min(limit)
    };
    for y in span(cy, canvas.height) {
        for x in span(cx, canvas.width) {
            let apart = (x as f32 + 0.5 - cx).hypot(y as f32 + 0.5 - cy);
            let covered = (radius - apart + 0.5).clamp(0.0, 1.0);
            canvas.cover(x, y, colour, covered);
        }
    }
}

fn meets(a: Rect, b: Rect) -> bool {
    a.0 < b.0 + b.2 && b.0 < a.0 + a.2 && a.1 < b.1 + b.3 && b.1 < a.1 + a.3
}

/// The colours of a window.
struct Look {
    field: Rgb,
    raised: Rgb,
    line: Rgb,
    ink: Rgb,
    accent: Rgb,
}

impl Look {
    fn draw(rng: &mut ChaCha8Rng) -> Self {
        let tint: Rgb = std::array::from_fn(|_| rng.random());
        let accent: Rgb = std::array::from_fn(|_| rng.random_range(30..=225));
        let field = match rng.random_range(0..10) {
            0..4 => [255; 3],
            4..7 => between([240; 3], tint, rng.random_range(0.0..0.15)),
            7..9 => between([26; 3], tint, rng.random_range(0.0..0.15)),
            _ => between(tint, [255; 3], 0.3),
        };
        let dark = luminance(field) < 128.0;
        let far = if dark { [255; 3] } else { [0; 3] };
        Self {
            field,
            raised: between(field, far, rng.random_range(0.02..0.08)),
            line: between(field, far, rng.random_range(0.08..0.25)),
            ink: between(field, far, rng.random_range(0.55..1.0)),
            accent,
        }
    }
}

/// Paints a window of that size whose text keeps out of `free`.
///
/// `texts` are lines in black; without any, bars stand for them.
pub fn screen(
    (width, height): (usize, usize),
    free: Rect,
    texts: &[Sprite],
    rng: &mut ChaCha8Rng,
) -> Canvas {
    let look = Look::draw(rng);
    let mut canvas = Canvas::filled(width, height, look.field);
    let bar = rng.random_range(0..=height / 9);
    let mut left = 0;
    if rng.random_bool(0.35) {
        left = (rng.random_range(0.12..0.3) * width as f32) as usize;
        let side = if rng.random_bool(0.3) {
            look.accent
        } else {
            look.raised
        };
        fill(&mut canvas, (0, 0, left, height), side);
        let ink = if luminance(side) < 128.0 {
            [230; 3]
        } else {
            [50; 3]
        };
        let area = (6, bar + 8, left.saturating_sub(12), height);
        write(&mut canvas, area, free, texts, ink, rng);
    }
    if bar > 6 {
        let shade = if rng.random_bool(0.5) {
            look.accent
        } else {
            look.raised
        };
        fill(&mut canvas, (0, 0, width, bar), shade);
        let radius = bar as f32 * 0.22;
        for spot in 0..rng.random_range(0..4) {
            let x = bar as f32 * (0.6 + 0.7 * spot as f32);
            let colour = [[240, 90, 80], [245, 190, 60], [90, 200, 90]][spot % 3];
            disc(&mut canvas, (x, bar as f32 / 2.0), radius, colour);
        }
    }
    let area = (
        left + rng.random_range(4..20),
        bar + rng.random_range(4..16),
        (width - left).saturating_sub(rng.random_range(8..36)),
        height,
    );
    match rng.random_range(0..4) {
        0 => cards(&mut canvas, area, free, &look, rng),
        1 => rows(&mut canvas, area, free, &look, rng),
        2 => bubbles(&mut canvas, area, free, &look, rng),
        _ => {}
    }
    if rng.random_bool(0.4) {
        // A card of its own under the drawing.
        let pad = rng.random_range(2..16);
        let card = (
            free.0.saturating_sub(pad),
            free.1.saturating_sub(pad),
            free.2 + 2 * pad,
            free.3 + 2 * pad,
        );
        fill(&mut canvas, card, look.line);
        let inner = (card.0 + 1, card.1 + 1, card.2 - 2, card.3 - 2);
        let paper = *[look.field, look.raised, [255; 3]]
            .choose(rng)
            .expect("there are papers");
        fill(&mut canvas, inner, paper);
    }
    write(&mut canvas, area, free, texts, look.ink, rng);
    if rng.random_bool(0.3) {
        let wide = (width / 6).max(8);
        let button = (
            rng.random_range(0..width - wide),
            rng.random_range(height / 2..height),
            wide,
            (wide / 3).max(4),
        );
        if !meets(button, free) {
            fill(&mut canvas, button, look.accent);
        }
    }
    canvas
}

/// Lines of text one below another, none of them over `free`.
fn write(
    canvas: &mut Canvas,
    (left, top, width, bottom): Rect,
    free: Rect,
    texts: &[Sprite],
    ink: Rgb,
    rng: &mut ChaCha8Rng,
) {
    let tall = rng.random_range(9..=20usize);
    let gap = tall + rng.random_range(0..=tall);
    let much = rng.random_range(0.2..1.0);
    let as_bars = texts.is_empty() || rng.random_bool(0.2);
    let mut y = top;
    while y + tall < bottom.min(canvas.height) && width > 24 {
        let size = if rng.random_bool(0.1) {
            tall * 3 / 2
        } else {
            tall
        };
        if rng.random_bool(much) {
            let share = rng.random_range(0.2..1.0);
            if as_bars {
                let line = (left, y, (width as f32 * share) as usize, size * 2 / 3);
                let under = canvas.pixels[y * canvas.width + left.min(canvas.width - 1)];
                if !meets(line, free) {
                    fill(canvas, line, between(ink, under, 0.6));
                }
            } else if let Some(text) = texts.choose(rng) {
                let whole = size as f32 * text.aspect();
                let shown = whole.min(width as f32 * share);
                let bend = Bend {
                    part: [0.0, 0.0, shown / whole, 1.0],
                    ..Bend::to(shown.max(2.0), size as f32)
                };
                let line = (left, y, shown as usize, size);
                if !meets(line, free) {
                    let layer = text.bent(&bend);
                    layer.stain(canvas, (left as isize, y as isize), ink, 1.0);
                }
            }
        }
        y += gap.max(size);
    }
}

/// Boxes beside each other.
fn cards(canvas: &mut Canvas, area: Rect, free: Rect, look: &Look, rng: &mut ChaCha8Rng) {
    let side = rng.random_range(40..140usize);
    let gap = rng.random_range(4..16usize);
    let filled = rng.random_bool(0.4);
    let mut y = area.1;
    while y < canvas.height {
        let mut x = area.0;
        while x < area.0 + area.2 {
            let card = (x, y, side, side * 3 / 4);
            if !meets(card, free) {
                fill(canvas, card, look.line);
                let within = if filled && rng.random_bool(0.5) {
                    between(look.accent, std::array::from_fn(|_| rng.random()), 0.5)
                } else {
                    look.raised
                };
                fill(
                    canvas,
                    (x + 1, y + 1, side - 2, (side * 3 / 4).saturating_sub(2)),
                    within,
                );
            }
            x += side + gap;
        }
        y += side + gap;
    }
}

/// Lines across, as of a list or a table.
fn rows(canvas: &mut Canvas, area: Rect, free: Rect, look: &Look, rng: &mut ChaCha8Rng) {
    let gap = rng.random_range(18..60);
    let discs = rng.random_bool(0.4);
    for (row, y) in (area.1..canvas.height).step_by(gap).enumerate() {
        if row % 2 == 1 && gap > 24 {
            fill(canvas, (area.0, y, area.2, gap), look.raised);
        }
        fill(canvas, (area.0, y, area.2, 1), look.line);
        if discs {
            let colour = std::array::from_fn(|_| rng.random());
            let radius = gap as f32 * 0.3;
            let centre = (
                (area.0 + area.2) as f32 - radius,
                y as f32 + gap as f32 / 2.0,
            );
            let around = ((area.0 + area.2).saturating_sub(gap), y, gap, gap);
            if !meets(around, free) {
                disc(canvas, centre, radius, colour);
            }
        }
    }
}

/// What people say to each other, left and right.
fn bubbles(canvas: &mut Canvas, area: Rect, free: Rect, look: &Look, rng: &mut ChaCha8Rng) {
    let mut y = area.1;
    while y < canvas.height && area.2 > 40 {
        let tall = rng.random_range(16..60);
        let wide = rng.random_range(area.2 / 4..area.2 * 3 / 4);
        let mine = rng.random_bool(0.5);
        let x = if mine { area.0 + area.2 - wide } else { area.0 };
        let colour = if mine { look.accent } else { look.line };
        if !meets((x, y, wide, tall), free) {
            fill(canvas, (x, y, wide, tall), colour);
        }
        y += tall + rng.random_range(4..16);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand::SeedableRng;

    #[test]
    fn windows_of_any_size_are_painted_and_nothing_is_written_over_the_free_place() {
        let line = Sprite::new(64, 16, &[0, 0, 0, 255].repeat(64 * 16));
        for seed in 0..80 {
            let mut rng = ChaCha8Rng::seed_from_u64(seed);
            let size = (64 + seed as usize * 7, 48 + seed as usize * 5);
            let free = (size.0 / 4, size.1 / 4, size.0 / 3, size.1 / 3);
            let canvas = screen(size, free, std::slice::from_ref(&line), &mut rng);
            assert_eq!(canvas.pixels.len(), size.0 * size.1);
            // What is under the place may be rows of a list; it is never more than a few colours.
            let mut colours = std::collections::BTreeSet::new();
            for y in free.1..free.1 + free.3 {
                for x in free.0..free.0 + free.2 {
                    colours.insert(canvas.pixels[y * size.0 + x]);
                }
            }
            assert!(colours.len() < 40, "seed {seed}: {}", colours.len());
        }
    }

    #[test]
    fn what_lies_beyond_the_canvas_is_not_filled() {
        let mut canvas = Canvas::filled(8, 8, [0; 3]);
        fill(&mut canvas, (6, 6, 10, 10), [9; 3]);
        fill(&mut canvas, (20, 2, 4, 4), [9; 3]);
        assert_eq!(canvas.pixels.iter().filter(|p| p[0] == 9).count(), 4);
    }
}
