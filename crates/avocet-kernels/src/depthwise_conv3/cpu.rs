//! The depthwise convolution over slices, line by line.

use avocet_products::simd::vectorised;
use rayon::prelude::*;

use super::Depthwise;
use crate::grids::parts;
use crate::slices::sum_in_order;

/// The row of a grid at `row + step - 1`, if there is one, for steps 0, 1, 2.
fn neighbour(row: usize, step: usize, len: usize) -> Option<usize> {
    (row + step).checked_sub(1).filter(|row| *row < len)
}

impl Depthwise {
    /// The convolution of all grids, a task an image row.
    pub(super) fn convolve(&self, x: &[f32], w: &[f32]) -> Vec<f32> {
        let channels = w.len() / 9;
        let mut y = vec![0.0; x.len()];
        let mut rows = Vec::new();
        let mut rest = &mut y[..];
        for grid in &self.grids {
            for row in 0..grid.height {
                let (head, tail) = rest.split_at_mut(grid.width * channels);
                rows.push((grid, row, head));
                rest = tail;
            }
        }
        rows.into_par_iter().for_each(|(grid, row, y)| {
            let line = grid.width * channels;
            for i in 0..3 {
                if let Some(from) = neighbour(row, i, grid.height) {
                    let at = grid.first * channels + from * line;
                    convolve_line(&x[at..at + line], &w[3 * i * channels..], channels, y);
                }
            }
        });
        y
    }
    /// The gradient of the taps.
    pub(super) fn tap_gradients(&self, x: &[f32], grad: &[f32], channels: usize) -> Vec<f32> {
        let sums: Vec<Vec<f32>> = parts(&self.grids)
            .into_par_iter()
            .map(|run| {
                let mut dw = vec![0.0; 9 * channels];
                for grid in run {
                    let line = grid.width * channels;
                    let at = |row: usize| grid.first * channels + row * line;
                    for row in 0..grid.height {
                        let g = &grad[at(row)..at(row) + line];
                        for i in 0..3 {
                            if let Some(from) = neighbour(row, i, grid.height) {
                                let x = &x[at(from)..at(from) + line];
                                line_tap_gradients(x, g, channels, &mut dw[3 * i * channels..]);
                            }
                        }
                    }
                }
                dw
            })
            .collect();
        sum_in_order(sums, 9 * channels)
    }
}

vectorised! {
    /// Adds to `y` the convolution of one line with three taps of `w`.
    fn convolve_line(x: &[f32], w: &[f32], channels: usize, y: &mut [f32]) {
        if channels == 0 {
            return;
        }
        let (w0, rest) = w.split_at(channels);
        let (w1, rest) = rest.split_at(channels);
        let w2 = &rest[..channels];
        let columns = y.len() / channels;
        for column in 0..columns {
            let at = column * channels;
            let y = &mut y[at..at + channels];
            let here = &x[at..at + channels];
            for ((y, x), w) in y.iter_mut().zip(here).zip(w1) {
                *y += x * w;
            }
            if column > 0 {
                for ((y, x), w) in y.iter_mut().zip(&x[at - channels..at]).zip(w0) {
                    *y += x * w;
                }
            }
            if column + 1 < columns {
                for ((y, x), w) in y.iter_mut().zip(&x[at + channels..]).zip(w2) {
                    *y += x * w;
                }
            }
        }
    }
}

vectorised! {
    /// Adds to the three taps `dw` the products of a line's gradient with its neighbours.
    fn line_tap_gradients(x: &[f32], g: &[f32], channels: usize, dw: &mut [f32]) {
        if channels == 0 {
            return;
        }
        let (d0, rest) = dw.split_at_mut(channels);
        let (d1, rest) = rest.split_at_mut(channels);
        let d2 = &mut rest[..channels];
        let columns = g.len() / channels;
        for column in 0..columns {
            let at = column * channels;
            let g = &g[at..at + channels];
            for ((d, x), g) in d1.iter_mut().zip(&x[at..]).zip(g) {
                *d += x * g;
            }
            if column > 0 {
                for ((d, x), g) in d0.iter_mut().zip(&x[at - channels..at]).zip(g) {
                    *d += x * g;
                }
            }
            if column + 1 < columns {
                for ((d, x), g) in d2.iter_mut().zip(&x[at + channels..]).zip(g) {
                    *d += x * g;
                }
            }
        }
    }
}
