//! Drawings that are scaled and turned onto canvases: flags, emoji, clip art.
//!
//! Each sprite is decoded once per process and kept with its halvings, so that
//! drawing it at any size is one bilinear lookup per pixel without aliasing.

use crate::canvas::Canvas;
use crate::layer::Layer;

/// An RGBA picture and its halvings.
#[derive(Debug, Clone)]
pub struct Sprite {
    pub(crate) levels: Vec<Layer>,
}

/// Where and how a sprite lies on a canvas.
#[derive(Debug, Clone, Copy)]
pub struct Placement {
    /// Its middle on the canvas, in pixels.
    pub centre: (f32, f32),
    /// Its width and height on the canvas before turning, in pixels.
    pub size: (f32, f32),
    /// Turned by this, clockwise, in radians.
    pub angle: f32,
}

impl Sprite {
    /// A sprite from `rgba`, `width * height` pixels, not premultiplied.
    pub fn new(width: usize, height: usize, rgba: &[u8]) -> Self {
        let mut levels = vec![Layer::of_rgba(width, height, rgba)];
        while let Some(half) = levels.last().and_then(Layer::halved) {
            levels.push(half);
        }
        Self { levels }
    }

    /// Width over height.
    pub fn aspect(&self) -> f32 {
        self.levels[0].width as f32 / self.levels[0].height as f32
    }

    /// The halving to draw from where so many pixels of the whole become one.
    pub(crate) fn level(&self, shrink: f32) -> &Layer {
        // Half a level of blur at most: the level is the largest not above 1.5 times the size.
        let index = (shrink / 1.5)
            .log2()
            .ceil()
            .clamp(0.0, (self.levels.len() - 1) as f32) as usize;
        &self.levels[index]
    }

    /// Draws the sprite.
    pub fn draw(&self, canvas: &mut Canvas, placement: Placement) {
        let Placement {
            centre: (cx, cy),
            size: (w, h),
            angle,
        } = placement;
        let level = self.level(self.levels[0].width as f32 / w);
        let (sin, cos) = angle.sin_cos();
        let reach_x = (w * cos.abs() + h * sin.abs()) / 2.0 + 1.0;
        let reach_y = (w * sin.abs() + h * cos.abs()) / 2.0 + 1.0;
        let clip = |low: f32, high: f32, limit: usize| {
            (
                low.floor().max(0.0) as usize,
                (high.ceil().max(0.0) as usize).min(limit),
            )
        };
        let (left, right) = clip(cx - reach_x, cx + reach_x, canvas.width);
        let (top, bottom) = clip(cy - reach_y, cy + reach_y, canvas.height);
        let (scale_x, scale_y) = (level.width as f32 / w, level.height as f32 / h);
        for y in top..bottom {
            for x in left..right {
                let (dx, dy) = (x as f32 + 0.5 - cx, y as f32 + 0.5 - cy);
                let (along, across) = (dx * cos + dy * sin, dy * cos - dx * sin);
                // The outermost pixel fades over one pixel of the canvas, so that edges are smooth.
                let edge = (w / 2.0 - along.abs() + 0.5).min(h / 2.0 - across.abs() + 0.5);
                if edge <= 0.0 {
                    continue;
                }
                let [r, g, b, a] = level.sample(
                    (along + w / 2.0) * scale_x - 0.5,
                    (across + h / 2.0) * scale_y - 0.5,
                );
                let edge = edge.min(1.0);
                let keep = 1.0 - a / 255.0 * edge;
                let pixel = &mut canvas.pixels[y * canvas.width + x];
                for (below, above) in pixel.iter_mut().zip([r, g, b]) {
                    *below =
                        (f32::from(*below) * keep + above * edge + 0.5).clamp(0.0, 255.0) as u8;
                }
            }
        }
    }

    /// The sprite drawn over grey, 32 x 32: enough to compare looks.
    pub fn small(&self) -> Self {
        let mut canvas = Canvas::filled(32, 32, [128; 3]);
        self.draw(
            &mut canvas,
            Placement {
                centre: (16.0, 16.0),
                size: (32.0, 32.0),
                angle: 0.0,
            },
        );
        let rgba: Vec<u8> = canvas
            .pixels
            .iter()
            .flat_map(|[r, g, b]| [*r, *g, *b, 255])
            .collect();
        Self::new(32, 32, &rgba)
    }

    /// What is left of it at a glance: 8 x 8 pixels over grey, as red, green and blue.
    pub fn look(&self) -> Vec<u8> {
        let small = self.small();
        let level = small.level(4.0);
        level
            .pixels
            .iter()
            .flat_map(|[r, g, b, _]| [*r, *g, *b])
            .collect()
    }

    /// The same without halvings that are wider or higher than `longest`, but for the last one.
    pub fn no_larger_than(mut self, longest: usize) -> Self {
        let large = |level: &Layer| level.width.max(level.height) > longest;
        let drop = self.levels.iter().take_while(|level| large(level)).count();
        self.levels.drain(..drop.min(self.levels.len() - 1));
        self
    }

    /// Whether the mean difference of two sprites of one size is below `limit` (0 to 255).
    pub fn is_like(&self, other: &Self, limit: f32) -> bool {
        let (a, b) = (&self.levels[0], &other.levels[0]);
        let most = limit * (a.pixels.len() * 3) as f32;
        let apart = |p: &[u8; 4], q: &[u8; 4]| -> u32 {
            (0..3).map(|i| u32::from(p[i].abs_diff(q[i]))).sum()
        };
        let mut sum = 0;
        // Most pairs are far apart after a few rows: then the rest need not be looked at.
        for (p, q) in a.pixels.chunks(a.width).zip(b.pixels.chunks(b.width)) {
            sum += p.iter().zip(q).map(|(p, q)| apart(p, q)).sum::<u32>();
            if sum as f32 >= most {
                return false;
            }
        }
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn red(width: usize, height: usize) -> Sprite {
        Sprite::new(width, height, &[255, 0, 0, 255].repeat(width * height))
    }

    #[test]
    fn a_sprite_covers_its_rectangle_and_nothing_else() {
        let mut canvas = Canvas::filled(40, 30, [0, 0, 255]);
        red(64, 48).draw(
            &mut canvas,
            Placement {
                centre: (20.0, 15.0),
                size: (20.0, 10.0),
                angle: 0.0,
            },
        );
        for y in 0..30 {
            for x in 0..40 {
                let inside = (10..30).contains(&x) && (10..20).contains(&y);
                let colour = if inside { [255, 0, 0] } else { [0, 0, 255] };
                assert_eq!(canvas.pixels[y * 40 + x], colour, "column {x}, row {y}");
            }
        }
    }

    #[test]
    fn a_transparent_sprite_changes_nothing() {
        let mut canvas = Canvas::filled(20, 20, [9, 8, 7]);
        Sprite::new(8, 8, &[255, 255, 255, 0].repeat(64)).draw(
            &mut canvas,
            Placement {
                centre: (10.0, 10.0),
                size: (18.0, 18.0),
                angle: 0.3,
            },
        );
        assert_eq!(canvas, Canvas::filled(20, 20, [9, 8, 7]));
    }

    #[test]
    fn sprites_off_the_canvas_are_clipped() {
        let mut canvas = Canvas::filled(10, 10, [1; 3]);
        for centre in [(-50.0, 5.0), (5.0, 90.0), (0.0, 0.0), (10.0, 10.0)] {
            red(16, 16).draw(
                &mut canvas,
                Placement {
                    centre,
                    size: (8.0, 8.0),
                    angle: 1.0,
                },
            );
        }
        assert_eq!(canvas.pixels.len(), 100);
    }

    #[test]
    fn a_look_is_small_and_large_halvings_can_be_left_out() {
        assert_eq!(red(64, 48).look().len(), 8 * 8 * 3);
        let sides =
            |sprite: Sprite| -> Vec<usize> { sprite.levels.iter().map(|l| l.width).collect() };
        assert_eq!(sides(red(64, 48).no_larger_than(32)), [32, 16, 8]);
        assert_eq!(sides(red(64, 48).no_larger_than(1)), [8]);
    }

    #[test]
    fn likeness_is_a_mean_difference_below_the_limit() {
        let dark = Sprite::new(16, 16, &[245, 0, 0, 255].repeat(256)).small();
        let red = red(64, 48).small();
        assert!(red.is_like(&red, 0.1));
        assert!(red.is_like(&dark, 3.4) && !red.is_like(&dark, 3.3));
    }
}
