//! Pictures with nothing on them: a model asked about one invents something.

use std::fmt;

use crate::Picture;
use crate::soft_noise::is_soft_noise;

/// Colours that differ by no more are one to the eye, and to the codecs of films.
const ALIKE: u8 = 6;
/// Noise is told from pictures by at least so many cells across and down.
const LEAST_SIDE: usize = 32;
/// Cells of noise are pixels, or squares of pixels where a file was made coarser or blurred by its codec.
const CELLS: [usize; 3] = [1, 2, 4];
/// A picture is first looked at through a window of so many cells: no picture is noise in part.
const WINDOW: usize = 128;
/// Sides of the squares whose mean, and whose spread, is held against the whole's: small enough for a
/// word to stand out from them.
const MEAN_SIDE: usize = 8;
const SPREAD_SIDE: usize = 16;

/// What cells say about a picture.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Grain {
    /// They are drawn by lot.
    Noise,
    /// They have to do with their neighbours: a picture, or noise of coarser grain.
    Related,
    /// They have nothing to do with their neighbours, but something stands out from them.
    StandsOut,
}

/// Why nothing is to be seen on a picture.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Blank {
    /// All of it has this colour.
    OneColour([u8; 3]),
    /// All of it is one colour that runs evenly into another.
    Slope,
    /// All of it is transparent.
    Transparent,
    /// What is drawn on it is white and its ground transparent, which is shown as white.
    WhiteOnTransparent,
    /// Every pixel is drawn by lot, sharp or soft.
    Noise,
}

impl fmt::Display for Blank {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::OneColour([red, green, blue]) => {
                match (red.min(green).min(blue), red.max(green).max(blue)) {
                    (250.., _) => f.write_str("all of it is white"),
                    (_, ..=5) => f.write_str("all of it is black"),
                    _ => write!(
                        f,
                        "all of it is one colour, #{red:02x}{green:02x}{blue:02x}"
                    ),
                }
            }
            Self::Slope => f.write_str("all of it is one colour that runs into another"),
            Self::Transparent => f.write_str("all of it is transparent"),
            Self::WhiteOnTransparent => {
                f.write_str("it is white on a transparent ground, which is shown as white")
            }
            Self::Noise => f.write_str("all of it is noise"),
        }
    }
}

impl Picture {
    /// Whether nothing is to be seen on it, and why: one colour, one that runs into another, or noise
    /// that no pixel of stands out from. A thin line, a small word or a pale one is something.
    pub fn blank(&self) -> Option<Blank> {
        if let Some(colour) = self.one_colour() {
            return Some(Blank::OneColour(colour));
        }
        if self.is_slope() {
            return Some(Blank::Slope);
        }
        for cell in CELLS {
            match self.grain(cell) {
                Grain::Noise => return Some(Blank::Noise),
                Grain::StandsOut => return None,
                Grain::Related => {}
            }
        }
        is_soft_noise(self).then_some(Blank::Noise)
    }

    /// Whether every pixel has the colour that lies between those of the corners.
    fn is_slope(&self) -> bool {
        let (across, down) = (self.width.max(2) - 1, self.height.max(2) - 1);
        let at = |x: usize, y: usize| -> [f32; 3] {
            let place = 3 * (y * self.width + x);
            std::array::from_fn(|channel| f32::from(self.rgb[place + channel]))
        };
        if self.width.min(self.height) < 2 {
            return false;
        }
        let (first, right, below) = (at(0, 0), at(across, 0), at(0, down));
        let mut rows = self.rgb.chunks_exact(3 * self.width).enumerate();
        rows.all(|(y, row)| {
            let y = y as f32 / down as f32;
            row.chunks_exact(3).enumerate().all(|(x, pixel)| {
                let x = x as f32 / across as f32;
                (0..3).all(|channel| {
                    let start = first[channel];
                    let even = start + x * (right[channel] - start) + y * (below[channel] - start);
                    (f32::from(pixel[channel]) - even).abs() <= f32::from(ALIKE)
                })
            })
        })
    }

    /// The middle of all its colours, if they are alike.
    fn one_colour(&self) -> Option<[u8; 3]> {
        let (mut least, mut most) = ([u8::MAX; 3], [0; 3]);
        for row in self.rgb.chunks(3 * self.width) {
            for pixel in row.chunks_exact(3) {
                for channel in 0..3 {
                    least[channel] = least[channel].min(pixel[channel]);
                    most[channel] = most[channel].max(pixel[channel]);
                }
            }
            if (0..3).any(|channel| most[channel] - least[channel] > ALIKE) {
                return None;
            }
        }
        Some([0, 1, 2].map(|channel| least[channel].midpoint(most[channel])))
    }

    /// What cells of so many pixels across say, in every channel: first those of the window.
    fn grain(&self, cell: usize) -> Grain {
        let (across, down) = (self.width / cell, self.height / cell);
        if across.min(down) < LEAST_SIDE {
            return Grain::Related;
        }
        let (wide, high) = (across.min(WINDOW), down.min(WINDOW));
        let window = [(across - wide) / 2, (down - high) / 2, wide, high];
        for area in [window, [0, 0, across, down]] {
            for channel in 0..3 {
                let grain = Cells::of(self, channel, cell, area).grain();
                if grain != Grain::Noise {
                    return grain;
                }
            }
        }
        Grain::Noise
    }
}

/// Means of one channel over squares of pixels.
struct Cells {
    across: usize,
    values: Vec<f32>,
}

/// How values are spread.
struct Spread {
    mean: f64,
    variance: f64,
    /// Fourth moment over the variance's square: 1.8 for even values, 3 for normal ones.
    kurtosis: f64,
}

impl Cells {
    /// Those of `[left, top, across, down]`, counted in cells.
    fn of(
        picture: &Picture,
        channel: usize,
        cell: usize,
        [left, top, across, down]: [usize; 4],
    ) -> Self {
        let mean = |x: usize, y: usize| {
            let row = |dy: usize| {
                3 * (((top + y) * cell + dy) * picture.width + (left + x) * cell) + channel
            };
            let sum: u32 = (0..cell)
                .flat_map(|dy| (0..cell).map(move |dx| (dy, dx)))
                .map(|(dy, dx)| u32::from(picture.rgb[row(dy) + 3 * dx]))
                .sum();
            sum as f32 / (cell * cell) as f32
        };
        let values = (0..down).flat_map(|y| (0..across).map(move |x| (x, y)));
        Self {
            across,
            values: values.map(|(x, y)| mean(x, y)).collect(),
        }
    }

    fn grain(&self) -> Grain {
        // Sparse dots have a kurtosis above: they may be stars.
        const MOST_KURTOSIS: f64 = 10.0;
        // So many standard deviations are chance.
        const CHANCE: f64 = 5.5;
        const NEIGHBOURS: [(usize, usize); 6] = [(1, 0), (0, 1), (1, 1), (2, 0), (0, 2), (2, 2)];
        let all = Spread::of(self.values.iter().copied());
        if all.variance < 0.25 || all.kurtosis > MOST_KURTOSIS {
            return Grain::Related;
        }
        let chance = CHANCE / (self.values.len() as f64).sqrt();
        let related = |(dx, dy)| self.correlation(dx, dy, &all).abs() > 0.02 + chance;
        if NEIGHBOURS.into_iter().any(related) {
            return Grain::Related;
        }
        let off = |tile: Spread| {
            let chance = (all.variance / (MEAN_SIDE * MEAN_SIDE) as f64).sqrt();
            (tile.mean - all.mean).abs() > CHANCE * chance
        };
        let uneven = |tile: Spread| {
            let count = (SPREAD_SIDE * SPREAD_SIDE) as f64;
            let chance = ((all.kurtosis - 1.0).max(0.1) / count).sqrt();
            (tile.variance / all.variance - 1.0).abs() > CHANCE * chance
        };
        if self.tiles(MEAN_SIDE).any(off) || self.tiles(SPREAD_SIDE).any(uneven) {
            Grain::StandsOut
        } else {
            Grain::Noise
        }
    }

    /// How values are spread in squares of so many cells across.
    fn tiles(&self, side: usize) -> impl Iterator<Item = Spread> {
        let (across, down) = (self.across, self.values.len() / self.across);
        let places = (0..down / side).flat_map(move |y| (0..across / side).map(move |x| (x, y)));
        places.map(move |(x, y)| {
            Spread::of((y * side..(y + 1) * side).flat_map(|row| {
                let start = row * across + x * side;
                self.values[start..start + side].iter().copied()
            }))
        })
    }

    /// How much cells have to do with those `dx` to the right and `dy` below.
    fn correlation(&self, dx: usize, dy: usize, all: &Spread) -> f64 {
        let (across, down) = (self.across, self.values.len() / self.across);
        let mut sum = 0.0;
        for y in 0..down - dy {
            for x in 0..across - dx {
                let here = f64::from(self.values[y * across + x]) - all.mean;
                sum += here * (f64::from(self.values[(y + dy) * across + x + dx]) - all.mean);
            }
        }
        sum / (((across - dx) * (down - dy)) as f64 * all.variance)
    }
}

impl Spread {
    fn of(values: impl Iterator<Item = f32> + Clone) -> Self {
        let (sum, count) = (values.clone()).fold((0.0, 0.0), |(sum, count), value| {
            (sum + f64::from(value), count + 1.0)
        });
        let mean = sum / f64::max(count, 1.0);
        let (mut second, mut fourth) = (0.0, 0.0);
        for value in values {
            let square = (f64::from(value) - mean).powi(2);
            second += square;
            fourth += square * square;
        }
        let variance = second / f64::max(count, 1.0);
        let kurtosis = fourth / f64::max(count, 1.0) / (variance * variance).max(f64::MIN_POSITIVE);
        Self {
            mean,
            variance,
            kurtosis,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn picture(
        width: usize,
        height: usize,
        mut pixel: impl FnMut(usize, usize) -> [u8; 3],
    ) -> Picture {
        let places = (0..height).flat_map(|y| (0..width).map(move |x| (x, y)));
        let rgb = places.flat_map(|(x, y)| pixel(x, y)).collect();
        Picture::from_rgb(width, height, rgb).expect("sizes agree")
    }

    /// Numbers by lot, 0 to 1.
    fn lot() -> impl FnMut() -> f64 {
        let mut state = 7u64;
        move || {
            state = state
                .wrapping_mul(6364136223846793005)
                .wrapping_add(1442695040888963407);
            (state >> 33) as f64 / (1u64 << 31) as f64
        }
    }

    #[test]
    fn one_colour_is_nothing_and_the_least_thing_on_it_is_something() {
        for colour in [[255; 3], [0; 3], [200, 30, 40]] {
            let even = picture(300, 200, |_, _| colour);
            assert_eq!(even.blank(), Some(Blank::OneColour(colour)));
            let line = picture(300, 200, |x, y| {
                if y == 90 && x < 40 {
                    colour.map(|c| c ^ 32)
                } else {
                    colour
                }
            });
            assert_eq!(line.blank(), None);
        }
        let pixel = picture(1, 1, |_, _| [9, 9, 9]);
        assert_eq!(
            pixel.blank().map(|blank| blank.to_string()).as_deref(),
            Some("all of it is one colour, #090909")
        );
        // As a codec leaves black.
        let mut draw = lot();
        let film = picture(160, 90, |_, _| [(draw() * 4.0) as u8; 3]);
        assert_eq!(
            film.blank().map(|blank| blank.to_string()).as_deref(),
            Some("all of it is black")
        );
    }

    #[test]
    fn an_even_slope_is_nothing_and_the_least_thing_on_it_is_something() {
        let slope = |x: usize, y: usize| [((x + y) / 2) as u8, 90, 255 - (x / 2) as u8];
        let even = picture(256, 200, slope);
        assert_eq!(even.blank(), Some(Blank::Slope));
        let dot = picture(256, 200, |x, y| {
            if (x / 2, y / 2) == (50, 50) {
                [200; 3]
            } else {
                slope(x, y)
            }
        });
        assert_eq!(dot.blank(), None);
        // A sky is no even slope, as it grows pale towards the ground.
        let sky = picture(256, 200, |_, y| [(y * y / 200) as u8, 120, 220]);
        assert_eq!(sky.blank(), None);
        // Two halves are two things.
        let halves = picture(4, 4, |x, _| [if x < 2 { 0 } else { 255 }; 3]);
        assert_eq!(halves.blank(), None);
    }

    #[test]
    fn noise_is_nothing_and_a_thing_in_it_is_something() {
        let mut draw = lot();
        let grain = picture(256, 192, |_, _| {
            [draw(), draw(), draw()].map(|v| (v * 255.0) as u8)
        });
        assert_eq!(grain.blank(), Some(Blank::Noise));
        let grey = picture(256, 192, |_, _| [if draw() < 0.5 { 0 } else { 255 }; 3]);
        assert_eq!(grey.blank(), Some(Blank::Noise));
        let coarse = {
            let cells: Vec<u8> = (0..64 * 48).map(|_| (draw() * 255.0) as u8).collect();
            picture(256, 192, |x, y| [cells[y / 4 * 64 + x / 4]; 3])
        };
        assert_eq!(coarse.blank(), Some(Blank::Noise));
        // A word of 24 pixels, whose strokes are a thousandth of the picture.
        let small = picture(320, 240, |x, y| {
            let inside = (40..64).contains(&x) && (40..58).contains(&y) && (x % 12 < 3 || y == 48);
            [if inside { 255 } else { (draw() * 255.0) as u8 }; 3]
        });
        assert_eq!(small.blank(), None);
        let word = picture(256, 192, |x, y| {
            let inside = (40..72).contains(&x) && (60..72).contains(&y);
            [if inside && x % 8 < 5 {
                0
            } else {
                (draw() * 255.0) as u8
            }; 3]
        });
        assert_eq!(word.blank(), None);
        // A disc of one colour, a sky with stars, a chessboard.
        let disc = picture(224, 224, |x, y| {
            let far = (x as f64 - 112.0).hypot(y as f64 - 112.0);
            if far < 60.0 { [220, 20, 20] } else { [255; 3] }
        });
        let stars = picture(256, 256, |_, _| [if draw() < 0.004 { 255 } else { 8 }; 3]);
        let board = picture(256, 256, |x, y| {
            [if (x / 32 + y / 32) % 2 == 0 { 0 } else { 255 }; 3]
        });
        for (name, something) in [("disc", disc), ("stars", stars), ("board", board)] {
            assert_eq!(something.blank(), None, "{name}");
        }
    }
}
