//! The depthwise convolution over slices, a line of output pixels at a time.

use avocet_products::simd::vectorised;
use rayon::prelude::*;

use super::Depthwise;
use crate::activation::relu6;

/// Channels that are summed side by side.
const LANES: usize = 16;

/// Most lines of a window.
const MOST_LINES: usize = 5;

/// Where the windows of a line lie.
#[derive(Clone, Copy)]
struct Windows {
    channels: usize,
    stride: usize,
    before: usize,
}

impl Depthwise {
    /// The output pixels of `x`, a task a line of them.
    pub(super) fn convolve(&self, x: &[f32], w: &[f32], b: &[f32]) -> Vec<f32> {
        let channels = b.len();
        let mut y = vec![0.0; self.output_pixels() * channels];
        if channels == 0 {
            return y;
        }
        let widest = self.inputs.iter().map(|grid| grid.width).max();
        let nothing = vec![0.0; widest.unwrap_or(0) * channels];
        let mut lines = Vec::new();
        let mut rest = &mut y[..];
        for (input, output) in self.inputs.iter().zip(&self.outputs) {
            for row in 0..output.height {
                let (line, tail) = rest.split_at_mut(output.width * channels);
                lines.push((input, row, line));
                rest = tail;
            }
        }
        lines.into_par_iter().for_each(|(input, row, y)| {
            let line = input.width * channels;
            let mut above = [&nothing[..line]; MOST_LINES];
            for (tap, read) in above.iter_mut().enumerate().take(self.kernel) {
                if let Some(from) = self.padding().at(row, tap, input.height) {
                    *read = &x[input.first * channels + from * line..][..line];
                }
            }
            let windows = Windows {
                channels,
                stride: self.stride,
                before: self.padding().before(input.width),
            };
            if self.kernel == 3 {
                line_of_3(&above, w, b, windows, y);
            } else {
                line_of_5(&above, w, b, windows, y);
            }
        });
        y
    }
}

vectorised! {
    fn line_of_3(x: &[&[f32]; MOST_LINES], w: &[f32], b: &[f32], windows: Windows, y: &mut [f32]) {
        convolve_line::<3>(x, w, b, windows, y);
    }
}

vectorised! {
    fn line_of_5(x: &[&[f32]; MOST_LINES], w: &[f32], b: &[f32], windows: Windows, y: &mut [f32]) {
        convolve_line::<5>(x, w, b, windows, y);
    }
}

/// Sets `y` to the output pixels whose windows lie on the lines `x`.
#[inline(always)]
fn convolve_line<const K: usize>(
    x: &[&[f32]; MOST_LINES],
    w: &[f32],
    b: &[f32],
    windows: Windows,
    y: &mut [f32],
) {
    let Windows {
        channels,
        stride,
        before,
    } = windows;
    let width = x[0].len() / channels;
    let whole = channels - channels % LANES;
    for (column, y) in y.chunks_exact_mut(channels).enumerate() {
        // The taps of the window that lie inside, and the pixel that the first of them reads.
        let left = column * stride;
        let first = before.saturating_sub(left);
        let end = (width + before).saturating_sub(left).min(K);
        let from = (left + first).saturating_sub(before) * channels;
        let inside = first == 0 && end == K;
        for c in (0..whole).step_by(LANES) {
            let mut sum = [0.0f32; LANES];
            sum.copy_from_slice(&b[c..c + LANES]);
            for i in 0..K {
                let line = &x[i][from + c..];
                let taps = &w[i * K * channels + c..];
                if inside {
                    for j in 0..K {
                        add(&mut sum, &line[j * channels..], &taps[j * channels..]);
                    }
                } else {
                    for j in first..end {
                        let line = &line[(j - first) * channels..];
                        add(&mut sum, line, &taps[j * channels..]);
                    }
                }
            }
            for (y, sum) in y[c..c + LANES].iter_mut().zip(sum) {
                *y = relu6(sum);
            }
        }
        for c in whole..channels {
            let mut sum = b[c];
            for i in 0..K {
                for j in first..end {
                    sum += x[i][from + (j - first) * channels + c] * w[(i * K + j) * channels + c];
                }
            }
            y[c] = relu6(sum);
        }
    }
}

/// Adds the products of the first lanes of `x` and `w`.
#[inline(always)]
fn add(sum: &mut [f32; LANES], x: &[f32], w: &[f32]) {
    let (x, w) = (&x[..LANES], &w[..LANES]);
    for lane in 0..LANES {
        sum[lane] += x[lane] * w[lane];
    }
}
