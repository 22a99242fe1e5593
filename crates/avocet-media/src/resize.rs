//! Shrinks RGB pixels with an antialiased bicubic filter, in floating point.
//!
//! Separable: columns first (long contiguous rows that vectorise), then rows of what is left.

/// For one output index, the first input index and the weights from there on; they sum to 1.
struct Taps {
    first: usize,
    weights: Vec<f32>,
}

/// Catmull-Rom (a = -0.5), as PIL and most image processors use.
fn cubic(x: f32) -> f32 {
    let x = x.abs();
    if x < 1.0 {
        (1.5 * x - 2.5) * x * x + 1.0
    } else if x < 2.0 {
        ((-0.5 * x + 2.5) * x - 4.0) * x + 2.0
    } else {
        0.0
    }
}

fn taps(from: usize, to: usize) -> Vec<Taps> {
    let ratio = from as f32 / to as f32;
    let scale = ratio.max(1.0);
    let support = 2.0 * scale;
    (0..to)
        .map(|i| {
            let centre = (i as f32 + 0.5) * ratio;
            let first = (centre - support).floor().max(0.0) as usize;
            let end = ((centre + support).ceil() as usize).clamp(first + 1, from);
            let first = first.min(end - 1);
            let mut weights: Vec<f32> = (first..end)
                .map(|j| cubic((j as f32 + 0.5 - centre) / scale))
                .collect();
            let sum: f32 = weights.iter().sum();
            weights.iter_mut().for_each(|w| *w /= sum);
            Taps { first, weights }
        })
        .collect()
}

/// Resizes `rgb` (height, width, 3) to (to_height, to_width, 3), still in 0..=255.
///
/// All four sides must be at least 1.
pub(crate) fn resize(
    rgb: &[u8],
    (width, height): (usize, usize),
    (to_width, to_height): (usize, usize),
) -> Vec<f32> {
    let stride = width * 3;
    let across = taps(width, to_width);
    let mut out = Vec::with_capacity(to_width * to_height * 3);
    let mut row = vec![0f32; stride];
    for down in taps(height, to_height) {
        row.fill(0.0);
        for (k, &weight) in down.weights.iter().enumerate() {
            let start = (down.first + k) * stride;
            for (sum, &value) in row.iter_mut().zip(&rgb[start..start + stride]) {
                *sum += weight * f32::from(value);
            }
        }
        for column in &across {
            let mut sum = [0f32; 3];
            let pixels = row[column.first * 3..].chunks_exact(3);
            for (&weight, pixel) in column.weights.iter().zip(pixels) {
                for (channel, &value) in sum.iter_mut().zip(pixel) {
                    *channel += weight * value;
                }
            }
            out.extend(sum.map(|value| value.clamp(0.0, 255.0)));
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_size_gives_the_same_pixels() {
        let rgb: Vec<u8> = (0..9 * 4 * 3).map(|i| (i * 71 % 256) as u8).collect();
        let same = resize(&rgb, (9, 4), (9, 4));
        for (a, b) in same.iter().zip(&rgb) {
            assert!((a - f32::from(*b)).abs() < 1e-3, "{a} {b}");
        }
    }

    #[test]
    fn a_flat_colour_stays_flat_at_any_size() {
        let rgb = [200, 10, 90].repeat(37 * 23);
        for to in [(1, 1), (5, 23), (37, 2), (40, 30), (36, 22)] {
            let out = resize(&rgb, (37, 23), to);
            assert_eq!(out.len(), to.0 * to.1 * 3);
            for pixel in out.chunks(3) {
                assert!((pixel[0] - 200.0).abs() < 1e-2 && (pixel[2] - 90.0).abs() < 1e-2);
            }
        }
    }

    #[test]
    fn shrinking_averages_and_does_not_alias() {
        // A one-pixel checkerboard shrunk eight times is an even grey.
        let rgb: Vec<u8> = (0..64 * 64)
            .flat_map(|i| [if (i / 64 + i % 64) % 2 == 0 { 0u8 } else { 255 }; 3])
            .collect();
        for value in resize(&rgb, (64, 64), (8, 8)) {
            assert!((value - 127.5).abs() < 3.0, "{value}");
        }
    }
}
