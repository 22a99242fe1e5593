//! Resizes eight-bit RGB pixels to the very bytes that Pillow's `Image.resize` gives.
//!
//! Public vision towers were trained on pictures resized by Pillow, and one level off in one pixel
//! shows in the logits. So this follows its rules exactly: across first, then down, eight bits in
//! between, weights rounded to 22 bits of fraction, and a filter that widens when it shrinks.
//! (Pillow 13 goes down first where height shrinks more than width; the towers are older.)
//!
//! Only the window of the result that is asked for is computed, in bands of columns, so that
//! memory stays near [`BAND_BYTES`] for any size.

use serde::{Deserialize, Serialize};

use crate::Picture;

/// How a resized pixel is made from its neighbours.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Filter {
    /// Catmull-Rom, a = -0.5, over four pixels of the coarser picture: `Image.BICUBIC`.
    Bicubic,
    /// A triangle over two pixels of the coarser picture: `Image.BILINEAR`.
    Bilinear,
}

impl Filter {
    /// Reach on either side, in pixels of the coarser picture.
    fn support(self) -> f64 {
        match self {
            Self::Bicubic => 2.0,
            Self::Bilinear => 1.0,
        }
    }

    /// Written operation by operation as in Pillow, since the last bit depends on the order.
    fn weight(self, x: f64) -> f64 {
        let x = x.abs();
        match self {
            Self::Bicubic if x < 1.0 => (1.5 * x - 2.5) * x * x + 1.0,
            Self::Bicubic if x < 2.0 => (((x - 5.0) * x + 8.0) * x - 4.0) * -0.5,
            Self::Bilinear if x < 1.0 => 1.0 - x,
            _ => 0.0,
        }
    }
}

/// A part of the resized picture, in its pixels; it must lie inside.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Window {
    pub(crate) left: usize,
    pub(crate) top: usize,
    pub(crate) width: usize,
    pub(crate) height: usize,
}

/// Bits of fraction in a weight: 32, less 8 of a pixel, less 2 for sums beyond 0..=255.
const PRECISION_BITS: u32 = 32 - 8 - 2;

/// Half a level, so that dropping the fraction rounds.
const HALF: i32 = 1 << (PRECISION_BITS - 1);

/// Memory that the pixels between the two passes, and the weights across, may take; one column
/// is always made, which for a picture of height H takes 3 H bytes.
const BAND_BYTES: usize = 32 << 20;

/// Which input pixels make each of some output pixels along one side.
#[derive(Default)]
struct Taps {
    /// First input pixel, and first and last weight, of each output pixel.
    spans: Vec<(usize, usize, usize)>,
    /// Weights in units of 2^-22.
    weights: Vec<i32>,
}

/// One side before and after resizing.
#[derive(Clone, Copy)]
struct Axis {
    from: usize,
    to: usize,
    filter: Filter,
}

impl Axis {
    /// Input pixels per output pixel. Pillow keeps the input's size in single precision.
    fn scale(self) -> f64 {
        f64::from(self.from as f32) / self.to as f64
    }

    /// Input pixels that output pixel `index` is made of, as first and end.
    fn span(self, index: usize) -> (usize, usize) {
        if self.from == self.to {
            return (index, index + 1);
        }
        let centre = (index as f64 + 0.5) * self.scale();
        let support = self.filter.support() * self.scale().max(1.0);
        // A cast to usize drops the fraction and takes what is below 0 to 0, as is wanted.
        let end = ((centre + support + 0.5) as usize).clamp(1, self.from);
        let first = ((centre - support + 0.5) as usize).min(end - 1);
        (first, end)
    }

    /// Appends output pixel `index` to `taps`; `exact` is scratch space.
    fn push(self, index: usize, taps: &mut Taps, exact: &mut Vec<f64>) {
        let (first, end) = self.span(index);
        let start = taps.weights.len();
        if self.from == self.to {
            taps.weights.push(1 << PRECISION_BITS);
        } else {
            let centre = (index as f64 + 0.5) * self.scale();
            let narrowing = 1.0 / self.scale().max(1.0);
            exact.clear();
            let weight = |x| self.filter.weight((x as f64 - centre + 0.5) * narrowing);
            exact.extend((first..end).map(weight));
            let sum: f64 = exact.iter().sum();
            let unit = f64::from(1u32 << PRECISION_BITS);
            taps.weights.extend(exact.iter().map(|&weight| {
                let weight = if sum == 0.0 { weight } else { weight / sum };
                (weight * unit + if weight < 0.0 { -0.5 } else { 0.5 }) as i32
            }));
        }
        taps.spans.push((first, start, taps.weights.len()));
    }

    /// Most input pixels that one output pixel takes.
    fn most_taps(self) -> usize {
        (self.filter.support() * self.scale().max(1.0)).ceil() as usize * 2 + 1
    }
}

fn to_byte(sum: i32) -> u8 {
    (sum >> PRECISION_BITS).clamp(0, 255) as u8
}

/// Resizes `picture` to `to` (width, height) and gives the pixels of `window`, row by row.
///
/// The sides of `to` are at least 1, and `window` lies inside.
pub(crate) fn resize(
    picture: &Picture,
    to: (usize, usize),
    window: Window,
    filter: Filter,
) -> Vec<u8> {
    let (from, to) = ((picture.width, picture.height), to);
    let across = Axis {
        from: from.0,
        to: to.0,
        filter,
    };
    let down = Axis {
        from: from.1,
        to: to.1,
        filter,
    };
    let mut out = vec![0u8; window.width * window.height * 3];
    if out.is_empty() {
        return out;
    }
    let first_row = down.span(window.top).0;
    let end_row = down.span(window.top + window.height - 1).1;
    let column_bytes = (end_row - first_row) * 3 + across.most_taps() * size_of::<i32>();
    let band = (BAND_BYTES / column_bytes).clamp(1, window.width);

    let mut exact = Vec::new();
    for left in (0..window.width).step_by(band) {
        let width = band.min(window.width - left);
        let mut columns = Taps::default();
        for index in window.left + left..window.left + left + width {
            across.push(index, &mut columns, &mut exact);
        }
        let rows = &picture.rgb[first_row * from.0 * 3..end_row * from.0 * 3];
        let narrow = narrow(rows, from.0, &columns);

        let mut taps = Taps::default();
        let mut sums = vec![0i32; width * 3];
        for y in 0..window.height {
            taps.spans.clear();
            taps.weights.clear();
            down.push(window.top + y, &mut taps, &mut exact);
            sums.fill(HALF);
            let start = (taps.spans[0].0 - first_row) * width * 3;
            for (row, &weight) in narrow[start..].chunks_exact(width * 3).zip(&taps.weights) {
                for (sum, &value) in sums.iter_mut().zip(row) {
                    // A sum stays within -640..640 levels, so it fits 32 bits; wrapping only
                    // spares the check in the innermost loop.
                    *sum = sum.wrapping_add(i32::from(value).wrapping_mul(weight));
                }
            }
            let start = (y * window.width + left) * 3;
            for (byte, &sum) in out[start..start + width * 3].iter_mut().zip(&sums) {
                *byte = to_byte(sum);
            }
        }
    }
    out
}

/// The pass across: every row of `rows` becomes as many pixels as `columns` has.
fn narrow(rows: &[u8], width: usize, columns: &Taps) -> Vec<u8> {
    let mut out = Vec::with_capacity(rows.len() / (width * 3) * columns.spans.len() * 3);
    for row in rows.chunks_exact(width * 3) {
        for &(first, start, end) in &columns.spans {
            let mut sums = [HALF; 3];
            let pixels = row[first * 3..].chunks_exact(3);
            for (pixel, &weight) in pixels.zip(&columns.weights[start..end]) {
                for (sum, &value) in sums.iter_mut().zip(pixel) {
                    *sum = sum.wrapping_add(i32::from(value).wrapping_mul(weight));
                }
            }
            out.extend(sums.map(to_byte));
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn noise(width: usize, height: usize) -> Picture {
        let mut state = 1u32;
        let rgb = (0..width * height * 3).map(|_| {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            (state >> 24) as u8
        });
        Picture::from_rgb(width, height, rgb.collect()).unwrap()
    }

    fn whole((width, height): (usize, usize)) -> Window {
        Window {
            left: 0,
            top: 0,
            width,
            height,
        }
    }

    #[test]
    fn the_same_size_gives_the_same_bytes() {
        let picture = noise(19, 11);
        for filter in [Filter::Bicubic, Filter::Bilinear] {
            assert_eq!(
                resize(&picture, (19, 11), whole((19, 11)), filter),
                picture.rgb
            );
        }
    }

    #[test]
    fn a_window_is_that_part_of_the_whole() {
        let picture = noise(41, 23);
        for to in [(17, 9), (90, 61), (41, 50)] {
            let all = resize(&picture, to, whole(to), Filter::Bicubic);
            let window = Window {
                left: 3,
                top: 2,
                width: 11,
                height: 6,
            };
            let part = resize(&picture, to, window, Filter::Bicubic);
            for y in 0..6 {
                let start = ((y + 2) * to.0 + 3) * 3;
                assert_eq!(part[y * 33..][..33], all[start..][..33], "{to:?} row {y}");
            }
        }
    }

    /// Pillow's rule as it reads: across, rounded to bytes, then down, one pixel at a time.
    fn plainly(line: &[u8], to: usize, filter: Filter) -> Vec<u8> {
        if line.len() == to {
            return line.to_vec();
        }
        let scale = line.len() as f64 / to as f64;
        let (widened, mut out) = (scale.max(1.0), Vec::new());
        for x in 0..to {
            let centre = (x as f64 + 0.5) * scale;
            let reach = filter.support() * widened;
            let first = (centre - reach + 0.5).max(0.0) as usize;
            let end = ((centre + reach + 0.5) as usize).min(line.len());
            let weight = |n: usize| filter.weight((n as f64 - centre + 0.5) * (1.0 / widened));
            let total: f64 = (first..end).map(weight).sum();
            let fixed = |n| (weight(n) / total * f64::from(1 << 22)).round() as i64;
            let sum: i64 = (first..end).map(|n| fixed(n) * i64::from(line[n])).sum();
            out.push(((sum + (1 << 21)) >> 22).clamp(0, 255) as u8);
        }
        out
    }

    proptest! {
        #[test]
        fn every_size_is_resized_by_the_rule(
            (width, height, wide, high) in (1..40usize, 1..40usize, 1..60usize, 1..60usize),
            filter in prop_oneof![Just(Filter::Bicubic), Just(Filter::Bilinear)],
        ) {
            let picture = noise(width, height);
            let found = resize(&picture, (wide, high), whole((wide, high)), filter);
            for channel in 0..3 {
                let of = |rgb: &[u8]| rgb.iter().skip(channel).step_by(3).copied().collect::<Vec<_>>();
                let pixels = of(&picture.rgb);
                let rows = pixels.chunks(width).map(|row| plainly(row, wide, filter));
                let rows: Vec<Vec<u8>> = rows.collect();
                let columns = (0..wide).map(|x| rows.iter().map(|row| row[x]).collect::<Vec<_>>());
                let columns: Vec<Vec<u8>> = columns.map(|c| plainly(&c, high, filter)).collect();
                let wanted: Vec<u8> = (0..wide * high).map(|n| columns[n % wide][n / wide]).collect();
                prop_assert_eq!(of(&found), wanted);
            }
        }
    }

    #[test]
    fn a_tall_picture_is_done_in_bands_with_the_same_result() {
        // Five columns of 4,000,000 rows take 60 MB between the passes, so two bands are needed.
        let mut picture = noise(2, 40);
        picture.rgb = picture.rgb.repeat(100_000);
        picture.height = 4_000_000;
        let all = resize(&picture, (5, 3), whole((5, 3)), Filter::Bilinear);
        for left in 0..5 {
            let column = Window {
                left,
                top: 0,
                width: 1,
                height: 3,
            };
            let column = resize(&picture, (5, 3), column, Filter::Bilinear);
            for y in 0..3 {
                assert_eq!(
                    column[y * 3..][..3],
                    all[(y * 5 + left) * 3..][..3],
                    "{left}, {y}"
                );
            }
        }
    }
}
