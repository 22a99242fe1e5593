//! The same thing photographed again: a picture a little turned, nearer, brighter. Whoever learns from
//! few pictures learns what they show, and not their pixels.

use crate::Picture;

/// How a picture is changed.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Variation {
    /// Left and right change places.
    pub mirrored: bool,
    /// Turned so far, clockwise.
    pub degrees: f32,
    /// Shown so many times as large: above 1 its edges are cut off, below 1 they are drawn out.
    pub scale: f32,
    /// Where its middle goes, as shares of its sides.
    pub shift: [f32; 2],
    /// What red, green and blue are multiplied by.
    pub light: [f32; 3],
    /// How far colours are from grey: 1 is as far as they are.
    pub contrast: f32,
}

impl Variation {
    /// Nothing changes.
    pub const NONE: Self = Self {
        mirrored: false,
        degrees: 0.0,
        scale: 1.0,
        shift: [0.0; 2],
        light: [1.0; 3],
        contrast: 1.0,
    };
}

impl Picture {
    /// The picture with a change, as large as it is: what comes from beyond an edge has the edge's
    /// colour.
    pub fn varied(&self, change: &Variation) -> Self {
        let (width, height) = (self.width as f32, self.height as f32);
        let (sin, cos) = change.degrees.to_radians().sin_cos();
        let across = if change.mirrored { -1.0 } else { 1.0 };
        let [right, down] = [change.shift[0] * width, change.shift[1] * height];
        let mut rgb = Vec::with_capacity(self.rgb.len());
        for y in 0..self.height {
            let dy = (y as f32 + 0.5 - height / 2.0 - down) / change.scale;
            for x in 0..self.width {
                let dx = (x as f32 + 0.5 - width / 2.0 - right) / change.scale;
                // Where the pixel comes from: the turn taken back.
                let from = [
                    width / 2.0 + across * (cos * dx + sin * dy),
                    height / 2.0 + cos * dy - sin * dx,
                ];
                let seen = self.between(from);
                for (seen, light) in seen.into_iter().zip(change.light) {
                    let value = (seen * light - 127.5) * change.contrast + 127.5;
                    rgb.push(value.round().clamp(0.0, 255.0) as u8);
                }
            }
        }
        Self { rgb, ..*self }
    }

    /// The colour at a place between the middles of pixels.
    fn between(&self, [x, y]: [f32; 2]) -> [f32; 3] {
        let split = |place: f32, side: usize| {
            let place = (place - 0.5).clamp(0.0, (side - 1) as f32);
            let first = place as usize;
            (first, (first + 1).min(side - 1), place - first as f32)
        };
        let (left, right, far_right) = split(x, self.width);
        let (top, bottom, far_down) = split(y, self.height);
        let row = |y: usize, channel: usize| {
            let at = |x: usize| f32::from(self.rgb[3 * (y * self.width + x) + channel]);
            at(left) + far_right * (at(right) - at(left))
        };
        std::array::from_fn(|channel| {
            let (above, below) = (row(top, channel), row(bottom, channel));
            above + far_down * (below - above)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A white square left of the middle, on black.
    fn square() -> Picture {
        let inside = |x: usize, y: usize| (8..16).contains(&x) && (16..24).contains(&y);
        let places = (0..40).flat_map(|y| (0..40).map(move |x| (x, y)));
        let rgb = places.flat_map(|(x, y)| [if inside(x, y) { 255 } else { 0 }; 3]);
        Picture::from_rgb(40, 40, rgb.collect()).expect("sizes agree")
    }

    /// The middle of what is white, and how much is.
    fn white(picture: &Picture) -> ([f32; 2], f32) {
        let (mut sum, mut middle) = (0.0, [0.0; 2]);
        for (place, pixel) in picture.rgb.chunks_exact(3).enumerate() {
            let (x, y) = (place % picture.width, place / picture.width);
            let weight = f32::from(pixel[0]) / 255.0;
            sum += weight;
            middle[0] += weight * (x as f32 + 0.5);
            middle[1] += weight * (y as f32 + 0.5);
        }
        (middle.map(|place| place / sum), sum)
    }

    fn near(one: [f32; 2], other: [f32; 2]) -> bool {
        one.iter().zip(other).all(|(a, b)| (a - b).abs() < 0.2)
    }

    #[test]
    fn nothing_changes_where_nothing_is_to_change() {
        assert_eq!(square().varied(&Variation::NONE), square());
    }

    #[test]
    fn a_thing_is_mirrored_moved_turned_and_made_larger() {
        let none = Variation::NONE;
        let at = |change: Variation| white(&square().varied(&change));
        let mirrored = at(Variation {
            mirrored: true,
            ..none
        });
        assert!(near(mirrored.0, [28.0, 20.0]), "{mirrored:?}");
        let moved = at(Variation {
            shift: [0.1, -0.05],
            ..none
        });
        assert!(near(moved.0, [16.0, 18.0]), "{moved:?}");
        // From the left a quarter clockwise is up.
        let turned = at(Variation {
            degrees: 90.0,
            ..none
        });
        assert!(near(turned.0, [20.0, 12.0]), "{turned:?}");
        let larger = at(Variation { scale: 1.5, ..none });
        assert!(near(larger.0, [8.0, 20.0]), "{larger:?}");
        assert!((larger.1 / 64.0 - 2.25).abs() < 0.1, "{larger:?}");
    }

    #[test]
    fn light_and_contrast_change_every_colour() {
        let even = Picture::from_rgb(2, 2, [100, 100, 200].repeat(4)).expect("a picture");
        let change = Variation {
            light: [1.2, 1.0, 2.0],
            contrast: 0.5,
            ..Variation::NONE
        };
        // (120 - 127.5) / 2, (100 - 127.5) / 2 and (400 - 127.5) / 2 from the middle.
        assert_eq!(even.varied(&change).rgb[..3], [124, 114, 255]);
    }
}
