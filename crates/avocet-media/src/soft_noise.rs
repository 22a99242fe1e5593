//! Noise whose pixels have to do with their neighbours, as a camera out of focus, a blur or a file made
//! larger leaves it. What gives it away: its three channels have nothing to do with each other, which
//! no light on a thing does, and nothing is found again a little farther away.
//!
//! Held against 10,499 pictures that people, programs and cameras made: none is taken for noise.

use crate::Picture;

/// Sides of the smallest picture that is looked at.
const LEAST_SIDE: usize = 40;
/// First a window of so many pixels is looked at.
const WINDOW: usize = 256;
/// How much channels may have to do with each other: noise up to 0.10, pictures from 0.19 on, of those
/// that are as even as noise.
const MOST_SHARED: f64 = 0.14;
/// How much pixels may have to do with those farther away: noise up to 0.10, pictures from 0.19 on.
const MOST_FAR: f64 = 0.13;
/// Farther away, in pixels, as long as it is within half of the side.
const FAR: [usize; 5] = [12, 16, 20, 24, 32];
/// Fourth moment over the variance's square: 3 for normal values. A small thing in noise has more, and
/// two colours have less.
const KURTOSIS: std::ops::Range<f64> = 2.3..6.5;

/// Whether all of a picture is soft noise.
pub(crate) fn is_soft_noise(picture: &Picture) -> bool {
    let (width, height) = (picture.width, picture.height);
    if width.min(height) < LEAST_SIDE {
        return false;
    }
    let (across, down) = (width.min(WINDOW), height.min(WINDOW));
    let window = [(width - across) / 2, (height - down) / 2, across, down];
    [window, [0, 0, width, height]]
        .into_iter()
        .all(|area| Channels::of(picture, area).is_some_and(|channels| channels.are_noise()))
}

/// The channels of an area, each with mean 0 and variance 1.
struct Channels {
    across: usize,
    values: [Vec<f32>; 3],
}

impl Channels {
    /// None if one of them is even.
    fn of(picture: &Picture, [left, top, across, down]: [usize; 4]) -> Option<Self> {
        let mut values: [Vec<f32>; 3] = std::array::from_fn(|_| Vec::with_capacity(across * down));
        for y in top..top + down {
            let start = 3 * (y * picture.width + left);
            for pixel in picture.rgb[start..start + 3 * across].chunks_exact(3) {
                for (channel, value) in values.iter_mut().zip(pixel) {
                    channel.push(f32::from(*value));
                }
            }
        }
        for channel in &mut values {
            let count = channel.len() as f64;
            let mean = channel.iter().map(|v| f64::from(*v)).sum::<f64>() / count;
            let square = |v: &f32| (f64::from(*v) - mean).powi(2);
            let deviation = (channel.iter().map(square).sum::<f64>() / count).sqrt();
            if deviation < 1.0 {
                return None;
            }
            let normal = |v: &mut f32| *v = ((f64::from(*v) - mean) / deviation) as f32;
            channel.iter_mut().for_each(normal);
        }
        Some(Self { across, values })
    }

    fn are_noise(&self) -> bool {
        let [red, green, blue] = &self.values;
        let apart = [(red, green), (red, blue), (green, blue)]
            .into_iter()
            .all(|(one, other)| product(one, other).abs() <= MOST_SHARED);
        apart && self.values.iter().all(|channel| self.is_noise(channel))
    }

    fn is_noise(&self, channel: &[f32]) -> bool {
        let (across, down) = (self.across, channel.len() / self.across);
        let fourth = channel.iter().map(|v| f64::from(*v).powi(4)).sum::<f64>();
        let mut far = FAR.into_iter();
        KURTOSIS.contains(&(fourth / channel.len() as f64))
            && far.all(|lag| {
                let beside = 2 * lag > across || {
                    let rows = channel.chunks_exact(across);
                    let sum: f64 = rows.map(|row| sum(&row[lag..], row)).sum();
                    (sum / ((across - lag) * down) as f64).abs() <= MOST_FAR
                };
                let below = 2 * lag > down || {
                    product(&channel[lag * across..], channel).abs() <= MOST_FAR
                };
                beside && below
            })
    }
}

/// Mean of the products of as many numbers as both have.
fn product(one: &[f32], other: &[f32]) -> f64 {
    sum(one, other) / one.len().min(other.len()).max(1) as f64
}

fn sum(one: &[f32], other: &[f32]) -> f64 {
    let products = one.iter().zip(other);
    products.map(|(a, b)| f64::from(a * b)).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Noise, each pixel the mean of those within so many, with a square in it.
    fn soft(side: usize, reach: usize, square: usize, grey: bool) -> Picture {
        let mut state = 11u64;
        let mut draw = || {
            state = state
                .wrapping_mul(6364136223846793005)
                .wrapping_add(1442695040888963407);
            (state >> 56) as f64
        };
        let wide = side + 2 * reach;
        let noise: Vec<[f64; 3]> = (0..wide * wide)
            .map(|_| {
                if grey {
                    [draw(); 3]
                } else {
                    [draw(), draw(), draw()]
                }
            })
            .collect();
        let count = ((2 * reach + 1) * (2 * reach + 1)) as f64;
        let mut rgb = Vec::new();
        for y in 0..side {
            for x in 0..side {
                let rows = y..=y + 2 * reach;
                let cells = rows.flat_map(|y| (x..=x + 2 * reach).map(move |x| y * wide + x));
                let sums = cells.fold([0.0; 3], |[r, g, b], cell| {
                    let [red, green, blue] = noise[cell];
                    [r + red, g + green, b + blue]
                });
                let inside = x < square && y < square;
                rgb.extend(sums.map(|sum| if inside { 255 } else { (sum / count) as u8 }));
            }
        }
        Picture::from_rgb(side, side, rgb).expect("sizes agree")
    }

    #[test]
    fn soft_noise_is_told_from_what_stands_in_it() {
        for reach in [1, 2, 3] {
            assert!(is_soft_noise(&soft(120, reach, 0, false)), "{reach}");
        }
        // A small white square on it, and what one light falls on.
        assert!(!is_soft_noise(&soft(120, 2, 6, false)));
        assert!(!is_soft_noise(&soft(120, 2, 0, true)));
        assert!(!is_soft_noise(&soft(30, 2, 0, false)));
    }
}
