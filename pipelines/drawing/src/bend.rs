//! A drawing stretched, turned, waving, cut at its sides or cut round: what happens to it before it
//! is laid on anything.

use std::f32::consts::TAU;

use crate::layer::Layer;
use crate::sprite::Sprite;

/// What is left of a drawing's rectangle.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Outline {
    /// All of it.
    Whole,
    /// Its corners are rounded, with this share of the shorter side as their radius.
    Rounded(f32),
    /// An ellipse that touches all sides.
    Round,
}

/// How cloth hangs in the wind.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Wave {
    /// How far it is moved up and down, as a share of the height.
    pub amplitude: f32,
    /// Waves from the left side to the right.
    pub count: f32,
    /// Where the first begins, as a share of a wave.
    pub phase: f32,
    /// How much lighter and darker its slopes are, as a share.
    pub shade: f32,
}

/// What is done to a drawing.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Bend {
    /// Width and height before turning, in pixels.
    pub size: (f32, f32),
    /// The part that is shown: left, top, right and bottom as shares of the drawing.
    pub part: [f32; 4],
    /// What is left of that part.
    pub outline: Outline,
    /// Whether it waves, and how.
    pub wave: Option<Wave>,
    /// Turned by this, clockwise, in radians.
    pub angle: f32,
}

impl Bend {
    /// All of a drawing at one size, and nothing else.
    pub fn to(width: f32, height: f32) -> Self {
        Self {
            size: (width, height),
            part: [0.0, 0.0, 1.0, 1.0],
            outline: Outline::Whole,
            wave: None,
            angle: 0.0,
        }
    }

    /// How much of a pixel at `u`, `v` (shares of the part) the outline leaves, 0 to 1.
    fn coverage(&self, u: f32, v: f32) -> f32 {
        let (w, h) = self.size;
        let (x, y) = ((u - 0.5).abs() * w, (v - 0.5).abs() * h);
        let inside = match self.outline {
            Outline::Whole => (w / 2.0 - x).min(h / 2.0 - y),
            Outline::Rounded(share) => {
                let radius = share * w.min(h);
                let (dx, dy) = (x - (w / 2.0 - radius), y - (h / 2.0 - radius));
                if dx > 0.0 && dy > 0.0 {
                    radius - dx.hypot(dy)
                } else {
                    (w / 2.0 - x).min(h / 2.0 - y)
                }
            }
            Outline::Round => {
                let reach = (x / (w / 2.0)).hypot(y / (h / 2.0));
                (1.0 - reach) * w.min(h) / 2.0
            }
        };
        (inside + 0.5).clamp(0.0, 1.0)
    }
}

impl Sprite {
    /// The part of the drawing that is not transparent: left, top, right and bottom as shares.
    pub fn extent(&self) -> [f32; 4] {
        let whole = &self.levels[0];
        let (w, h) = (whole.width as f32, whole.height as f32);
        let mut extent = [w, h, 0.0, 0.0];
        for (index, pixel) in whole.pixels.iter().enumerate() {
            if pixel[3] > 8 {
                let (x, y) = ((index % whole.width) as f32, (index / whole.width) as f32);
                extent[0] = extent[0].min(x);
                extent[1] = extent[1].min(y);
                extent[2] = extent[2].max(x + 1.0);
                extent[3] = extent[3].max(y + 1.0);
            }
        }
        if extent[2] <= extent[0] {
            return [0.0, 0.0, 1.0, 1.0];
        }
        [extent[0] / w, extent[1] / h, extent[2] / w, extent[3] / h]
    }

    /// Whether nothing of it can be seen.
    pub fn is_empty(&self) -> bool {
        self.levels[0].pixels.iter().all(|pixel| pixel[3] <= 8)
    }

    /// The drawing as `bend` says, just large enough for what is left of it.
    pub fn bent(&self, bend: &Bend) -> Layer {
        let (w, h) = (bend.size.0.max(1.0), bend.size.1.max(1.0));
        let [left, top, right, bottom] = bend.part;
        let (part_w, part_h) = (right - left, bottom - top);
        let level = self.level(self.levels[0].width as f32 * part_w / w);
        let (level_w, level_h) = (level.width as f32, level.height as f32);
        let (sin, cos) = bend.angle.sin_cos();
        let swing = bend.wave.map_or(0.0, |wave| wave.amplitude);
        let tall = h * (1.0 + 2.0 * swing);
        let width = (w * cos.abs() + tall * sin.abs()).round().max(1.0) as usize;
        let height = (w * sin.abs() + tall * cos.abs()).round().max(1.0) as usize;
        let (cx, cy) = (width as f32 / 2.0, height as f32 / 2.0);
        let mut pixels = Vec::with_capacity(width * height);
        for y in 0..height {
            for x in 0..width {
                let (dx, dy) = (x as f32 + 0.5 - cx, y as f32 + 0.5 - cy);
                let (along, across) = (dx * cos + dy * sin, dy * cos - dx * sin);
                let (u, mut v) = (along / w + 0.5, across / h + 0.5);
                let mut light = 1.0;
                if let Some(wave) = bend.wave {
                    let turn = TAU * (u * wave.count + wave.phase);
                    v -= wave.amplitude * turn.sin();
                    light += wave.shade * turn.cos();
                }
                let covered = bend.coverage(u, v);
                if covered <= 0.0 {
                    pixels.push([0; 4]);
                    continue;
                }
                let [r, g, b, a] = level.sample(
                    (left + u * part_w) * level_w - 0.5,
                    (top + v * part_h) * level_h - 0.5,
                );
                let alpha = a * covered;
                let shown = |c: f32| (c * covered * light + 0.5).min(alpha + 0.5) as u8;
                pixels.push([shown(r), shown(g), shown(b), (alpha + 0.5) as u8]);
            }
        }
        Layer {
            width,
            height,
            pixels,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Red on the left, green on the right.
    fn halves() -> Sprite {
        let pixel = |i: usize| {
            if i % 32 < 16 {
                [255, 0, 0, 255]
            } else {
                [0, 255, 0, 255]
            }
        };
        Sprite::new(32, 32, &(0..32 * 32).flat_map(pixel).collect::<Vec<u8>>())
    }

    fn opaque(layer: &Layer) -> f32 {
        let covered: f32 = layer.pixels.iter().map(|p| f32::from(p[3]) / 255.0).sum();
        covered / layer.pixels.len() as f32
    }

    #[test]
    fn a_stretched_drawing_fills_its_new_size() {
        let layer = halves().bent(&Bend::to(50.0, 20.0));
        assert_eq!((layer.width, layer.height), (50, 20));
        assert!(layer.pixels.iter().all(|p| p[3] == 255));
        assert_eq!(layer.pixels[10 * 50 + 5], [255, 0, 0, 255]);
        assert_eq!(layer.pixels[10 * 50 + 45], [0, 255, 0, 255]);
    }

    #[test]
    fn what_is_cut_round_covers_pi_quarters() {
        let round = Bend {
            outline: Outline::Round,
            ..Bend::to(60.0, 60.0)
        };
        let covered = opaque(&halves().bent(&round));
        assert!((covered - 0.785).abs() < 0.01, "{covered}");
        let corners = Bend {
            outline: Outline::Rounded(0.2),
            ..Bend::to(60.0, 60.0)
        };
        let layer = halves().bent(&corners);
        assert!(layer.pixels[0][3] == 0 && layer.pixels[30][3] == 255);
    }

    #[test]
    fn a_part_shows_nothing_of_the_rest() {
        let part = Bend {
            part: [0.6, 0.0, 1.0, 1.0],
            ..Bend::to(30.0, 30.0)
        };
        let layer = halves().bent(&part);
        assert!(layer.pixels.iter().all(|p| p[0] == 0 && p[1] == 255));
    }

    #[test]
    fn a_wave_moves_and_shades_and_a_turn_needs_room() {
        let wave = Wave {
            amplitude: 0.1,
            count: 1.0,
            phase: 0.0,
            shade: 0.3,
        };
        let waving = Bend {
            wave: Some(wave),
            ..Bend::to(40.0, 40.0)
        };
        let layer = halves().bent(&waving);
        assert_eq!((layer.width, layer.height), (40, 48));
        assert!(opaque(&layer) < 0.9);
        let reds: Vec<u8> = layer
            .pixels
            .iter()
            .filter(|p| p[3] == 255 && p[1] == 0)
            .map(|p| p[0])
            .collect();
        assert!(reds.iter().any(|red| *red < 230) && reds.contains(&255));
        let turned = Bend {
            angle: 0.5,
            ..Bend::to(40.0, 40.0)
        };
        assert!(halves().bent(&turned).width > 50);
    }

    #[test]
    fn the_extent_is_what_can_be_seen() {
        let mut rgba = vec![0; 20 * 10 * 4];
        for x in 5..15 {
            rgba[(4 * 20 + x) * 4 + 3] = 255;
        }
        assert_eq!(Sprite::new(20, 10, &rgba).extent(), [0.25, 0.4, 0.75, 0.5]);
        assert!(!Sprite::new(20, 10, &rgba).is_empty());
        assert_eq!(Sprite::new(4, 4, &[0; 64]).extent(), [0.0, 0.0, 1.0, 1.0]);
        assert!(Sprite::new(4, 4, &[0; 64]).is_empty());
    }
}
