//! The depthwise convolution over slices, a line of output pixels at a time.

use avocet_products::simd::vectorised;
use rayon::prelude::*;

use super::Depthwise;
use crate::activation::relu6;

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
    for (column, y) in y.chunks_exact_mut(channels).enumerate() {
        // The taps of the window that lie inside, and the pixel that the first of them reads.
        let left = column * stride;
        let first = before.saturating_sub(left);
        let end = (width + before).saturating_sub(left).min(K);
        let from = (left + first).saturating_sub(before);
        y.copy_from_slice(b);
        for i in 0..K {
            let pixel = |j: usize| &x[i][(from + j - first) * channels..][..channels];
            let tap = |j: usize| &w[(i * K + j) * channels..][..channels];
            if first == 0 && end == K {
                add_taps::<K>(y, std::array::from_fn(pixel), std::array::from_fn(tap));
            } else {
                for j in first..end {
                    add_taps::<1>(y, [pixel(j)], [tap(j)]);
                }
            }
        }
        for y in y {
            *y = relu6(*y);
        }
    }
}

/// `y += x[0] * w[0] + x[1] * w[1] + ..`, element by element, in that order.
#[inline(always)]
fn add_taps<const K: usize>(y: &mut [f32], x: [&[f32]; K], w: [&[f32]; K]) {
    let len = y.len();
    let (x, w) = (x.map(|x| &x[..len]), w.map(|w| &w[..len]));
    for c in 0..len {
        let mut sum = y[c];
        for j in 0..K {
            sum += x[j][c] * w[j][c];
        }
        y[c] = sum;
    }
}
