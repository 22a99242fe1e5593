//! What a picture looks like from afar, so that copies are found whatever their size,
//! compression or brightness.
//!
//! A picture is averaged over about 256 cells of its own aspect. Two pictures are as similar as
//! the correlation of their cells' lightness, which neither brightness nor contrast changes,
//! provided that shape, colours and the order of contrast agree. Signs of projections on fixed
//! pseudo-random directions (arXiv:1509.02897 and earlier) find candidates without comparing all.

use std::sync::OnceLock;

use avocet_media::Picture;

/// Cells of a square picture, along a side.
const SIDE: f64 = 16.0;
/// Most cells, whatever the aspect.
const MOST_CELLS: usize = 256;
/// Side of the grid on which colours are compared.
const COLOUR_SIDE: usize = 4;
const COLOURS: usize = COLOUR_SIDE * COLOUR_SIDE * 2;
/// Aspects from 1 : 2^4 to 2^4 : 1 are told apart, in steps of 2.
const WIDEST: f64 = 4.0;
/// How near to the next step of aspect a copy may be cut to the other one, in powers of two.
const ON_THE_EDGE: f64 = 0.1;
/// Most that the aspects of copies differ, in powers of two; rounding sides down does that.
const SAME_ASPECT: f64 = 0.12;
/// Below this deviation of lightness, of 255, a picture has no drawing that could be compared.
const FLAT: f32 = 1.5;
/// Most that copies differ in mean lightness, of 255.
const SAME_MEAN: f32 = 64.0;
/// Most that flat copies differ in any mean colour, of 255.
const SAME_COLOUR: i32 = 4;
/// Largest ratio of the contrasts of copies.
const SAME_CONTRAST: f32 = 2.0;
/// Colours of copies differ by at most this part of their strength, squared...
const SAME_HUE: f32 = 0.15;
/// ...plus this, for what compression does to pale ones: 3 of 255 a cell.
const PALE: f32 = COLOURS as f32 * 9.0;

/// Tables of candidates, and bits by which each sorts: of copies with a similarity of 0.98, 994
/// of 1000 meet in at least one; at 0.97, 978.
pub(crate) const BANDS: usize = 12;
const BAND_BITS: usize = 16;

/// One picture from afar, in about 350 bytes.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Thumbnail {
    aspect: f32,
    class: i8,
    mean: [u8; 3],
    lightness: f32,
    contrast: f32,
    cells: Box<[i8]>,
    colours: [i8; COLOURS],
    /// Signs of projections, a word for each band.
    bands: [u32; BANDS],
}

impl Thumbnail {
    /// The picture from afar; if its aspect is near the edge between two grids, on both.
    pub(crate) fn of(picture: &Picture) -> Vec<Self> {
        let aspect = (picture.width as f64 / picture.height as f64).log2();
        let class = aspect.round().clamp(-WIDEST, WIDEST);
        let mut thumbnails = vec![Self::on_grid(picture, aspect, class)];
        let beyond = aspect - class;
        if beyond.abs() > 0.5 - ON_THE_EDGE && beyond.abs() < 0.5 + ON_THE_EDGE {
            let other = class + beyond.signum();
            if other.abs() <= WIDEST {
                thumbnails.push(Self::on_grid(picture, aspect, other));
            }
        }
        thumbnails
    }

    fn on_grid(picture: &Picture, aspect: f64, class: f64) -> Self {
        let columns = (SIDE * (class / 2.0).exp2()).round() as usize;
        let rows = MOST_CELLS / columns;
        let averages = averages(picture, columns, rows);
        let light: Vec<f32> = averages.iter().map(|&rgb| lightness(rgb)).collect();
        let count = light.len() as f32;
        let mean = light.iter().sum::<f32>() / count;
        let away: Vec<f32> = light.iter().map(|light| light - mean).collect();
        let contrast = (away.iter().map(|away| away * away).sum::<f32>() / count).sqrt();
        let furthest = away.iter().fold(0f32, |most, away| most.max(away.abs()));
        let scale = 127.0 / furthest.max(f32::MIN_POSITIVE);
        let cells = away.iter().map(|away| (away * scale).round() as i8);
        let mut bands = [0; BANDS];
        if contrast >= FLAT {
            for (bit, signs) in directions().iter().enumerate() {
                let along: f32 = away.iter().zip(signs).map(|(away, sign)| away * sign).sum();
                bands[bit / BAND_BITS] |= u32::from(along > 0.0) << (bit % BAND_BITS);
            }
        }
        let mut colours = [0; COLOURS];
        let coarse = self::averages(picture, COLOUR_SIDE, COLOUR_SIDE);
        for (pair, &[r, g, b]) in colours.chunks_exact_mut(2).zip(&coarse) {
            let light = lightness([r, g, b]);
            pair[0] = (0.564 * (b - light)).clamp(-127.0, 127.0) as i8;
            pair[1] = (0.713 * (r - light)).clamp(-127.0, 127.0) as i8;
        }
        let channel = |c: usize| averages.iter().map(|rgb| rgb[c]).sum::<f32>() / count;
        Self {
            aspect: aspect as f32,
            class: class as i8,
            mean: [0, 1, 2].map(|c| channel(c).round() as u8),
            lightness: mean,
            contrast,
            cells: cells.collect(),
            colours,
            bands,
        }
    }

    /// For each band what copies are likely to have in common.
    pub(crate) fn keys(&self) -> [u64; BANDS] {
        let class = (self.class + 8) as u64;
        let mean = match self.is_flat() {
            true => 1 << 40,
            false => 0,
        };
        std::array::from_fn(|band| {
            u64::from(self.bands[band]) | class << 24 | (band as u64) << 32 | mean
        })
    }

    fn is_flat(&self) -> bool {
        self.contrast < FLAT
    }

    /// Correlation of two pictures' cells, in -1..=1; 0 if anything else tells them apart.
    pub(crate) fn similarity(&self, other: &Self) -> f64 {
        let apart = self.class != other.class
            || f64::from((self.aspect - other.aspect).abs()) > SAME_ASPECT
            || self.is_flat() != other.is_flat()
            || (self.lightness - other.lightness).abs() > SAME_MEAN;
        if apart {
            return 0.0;
        }
        if self.is_flat() {
            let mut means = self.mean.iter().zip(&other.mean);
            let near = means.all(|(a, b)| (i32::from(*a) - i32::from(*b)).abs() <= SAME_COLOUR);
            return f64::from(near);
        }
        let ratio = self.contrast / other.contrast;
        if !(1.0 / SAME_CONTRAST..=SAME_CONTRAST).contains(&ratio) || !self.same_colours(other) {
            return 0.0;
        }
        let dot = |a: &[i8], b: &[i8]| -> i64 {
            let products = a.iter().zip(b).map(|(a, b)| i32::from(*a) * i32::from(*b));
            products.map(i64::from).sum()
        };
        let norms = dot(&self.cells, &self.cells) as f64 * dot(&other.cells, &other.cells) as f64;
        dot(&self.cells, &other.cells) as f64 / norms.sqrt()
    }

    fn same_colours(&self, other: &Self) -> bool {
        let square = |v: f32| v * v;
        let (mut apart, mut one, mut two) = (0.0, 0.0, 0.0);
        for (&a, &b) in self.colours.iter().zip(&other.colours) {
            let (a, b) = (f32::from(a), f32::from(b));
            apart += square(a - b);
            one += square(a);
            two += square(b);
        }
        apart <= SAME_HUE * f32::max(one, two) + PALE
    }
}

fn lightness([r, g, b]: [f32; 3]) -> f32 {
    0.299 * r + 0.587 * g + 0.114 * b
}

/// Mean colour of each cell of a grid laid over the picture, row by row.
fn averages(picture: &Picture, columns: usize, rows: usize) -> Vec<[f32; 3]> {
    let across = shares(picture.width, columns);
    let down = shares(picture.height, rows);
    let mut averages = vec![[0f32; 3]; columns * rows];
    let mut line = vec![[0f32; 3]; columns];
    for (y, cells_down) in down.iter().enumerate() {
        line.fill([0.0; 3]);
        let pixels = &picture.rgb[y * picture.width * 3..][..picture.width * 3];
        for (pixel, cells) in pixels.chunks_exact(3).zip(&across) {
            for &(cell, share) in cells {
                for c in 0..3 {
                    line[cell][c] += share * f32::from(pixel[c]);
                }
            }
        }
        for &(row, share) in cells_down {
            for (average, line) in averages[row * columns..].iter_mut().zip(&line) {
                for c in 0..3 {
                    average[c] += share * line[c];
                }
            }
        }
    }
    averages
}

/// For each of `pixels` in a line the cells it lies in, and its share of each cell's mean.
fn shares(pixels: usize, cells: usize) -> Vec<Vec<(usize, f32)>> {
    let width = pixels as f64 / cells as f64;
    let of = |pixel: usize| {
        let (start, end) = (pixel as f64, pixel as f64 + 1.0);
        let first = (start / width) as usize;
        let last = ((end / width).ceil() as usize).min(cells);
        let share = |cell: usize| {
            let (left, right) = (cell as f64 * width, (cell + 1) as f64 * width);
            (cell, ((end.min(right) - start.max(left)) / width) as f32)
        };
        let shares = (first..last).map(share);
        shares.filter(|(_, share)| *share > 0.0).collect()
    };
    (0..pixels).map(of).collect()
}

/// Fixed directions of ones and minus ones on which cells are projected.
fn directions() -> &'static [[f32; MOST_CELLS]] {
    static DIRECTIONS: OnceLock<Vec<[f32; MOST_CELLS]>> = OnceLock::new();
    DIRECTIONS.get_or_init(|| {
        let mut state = 0x9E37_79B9_7F4A_7C15;
        let mut sign = || match super::scramble(&mut state) >> 63 {
            0 => -1.0,
            _ => 1.0,
        };
        (0..BANDS * BAND_BITS)
            .map(|_| std::array::from_fn(|_| sign()))
            .collect()
    })
}
