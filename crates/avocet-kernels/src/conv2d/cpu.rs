//! Convolution over slices: windows gathered into rows, and products of those.

use std::ops::Range;

use avocet_products::simd::vectorised;
use avocet_products::{MatMut, MatRef, Right, product_sequential};
use rayon::prelude::*;

use super::Conv;
use crate::grids::{Grid, Padding, parts, split_by_grids};
use crate::slices::sum_in_order;

/// Output pixels whose windows exist at the same time in a task; fixed, so that results do not
/// depend on the threads.
const CHUNK_PIXELS: usize = 256;

impl Conv {
    /// The taps of a line of a window that lie inside a grid: the first tap, and the input pixels
    /// they read, which lie side by side.
    fn line(
        &self,
        input: &Grid,
        output: &Grid,
        pixel: usize,
        tap_row: usize,
    ) -> Option<(usize, Range<usize>)> {
        let Padding { kernel, stride, .. } = self.padding;
        let (row, column) = (pixel / output.width, pixel % output.width);
        let row = self.padding.at(row, tap_row, input.height)?;
        let pad = self.padding.before(input.width);
        let left = column * stride;
        let first_tap = pad.saturating_sub(left);
        let from = left + first_tap - pad;
        let to = (left + kernel - pad).min(input.width);
        Some((
            first_tap,
            row * input.width + from..row * input.width + to.max(from),
        ))
    }

    /// Gathers the windows of output pixels `from..` of a grid into the rows of `windows`.
    fn gather(
        &self,
        x: &[f32],
        channels: usize,
        (input, output): (&Grid, &Grid),
        from: usize,
        windows: &mut [f32],
    ) {
        let line_len = self.padding.kernel * channels;
        let x = &x[input.first * channels..];
        for (i, window) in windows
            .chunks_exact_mut(self.padding.kernel * line_len)
            .enumerate()
        {
            for (tap_row, to) in window.chunks_exact_mut(line_len).enumerate() {
                match self.line(input, output, from + i, tap_row) {
                    None => to.fill(0.0),
                    Some((first_tap, pixels)) => {
                        let start = first_tap * channels;
                        let end = start + pixels.len() * channels;
                        to[..start].fill(0.0);
                        to[start..end]
                            .copy_from_slice(&x[pixels.start * channels..pixels.end * channels]);
                        to[end..].fill(0.0);
                    }
                }
            }
        }
    }

    /// Adds the windows' gradients to the grid's pixels `dx`: the reverse of [`Conv::gather`].
    fn scatter(
        &self,
        windows: &[f32],
        channels: usize,
        (input, output): (&Grid, &Grid),
        from: usize,
        dx: &mut [f32],
    ) {
        let line_len = self.padding.kernel * channels;
        for (i, window) in windows
            .chunks_exact(self.padding.kernel * line_len)
            .enumerate()
        {
            for (tap_row, line) in window.chunks_exact(line_len).enumerate() {
                if let Some((first_tap, pixels)) = self.line(input, output, from + i, tap_row) {
                    let to = &mut dx[pixels.start * channels..pixels.end * channels];
                    for (to, v) in to.iter_mut().zip(&line[first_tap * channels..]) {
                        *to += v;
                    }
                }
            }
        }
    }

    /// The output pixels of `x` by `w`, which is not empty.
    pub(super) fn convolve(&self, x: &[f32], w: &[f32], b: &[f32]) -> Vec<f32> {
        let (outputs, channels) = (
            b.len(),
            w.len() / b.len() / (self.padding.kernel * self.padding.kernel),
        );
        let window = self.padding.kernel * self.padding.kernel * channels;
        let mut y = vec![0.0; self.output_pixels() * outputs];
        let mut chunks = Vec::new();
        let mut rest = &mut y[..];
        for grids in self.inputs.iter().zip(&self.outputs) {
            for from in (0..grids.1.len()).step_by(CHUNK_PIXELS) {
                let pixels = CHUNK_PIXELS.min(grids.1.len() - from);
                let (chunk, tail) = rest.split_at_mut(pixels * outputs);
                chunks.push((grids, from, chunk));
                rest = tail;
            }
        }
        let total = self.output_pixels();
        let w = MatRef::new(w, outputs, window).transposed();
        let right = Right::prepare(w, total, self.precision);
        chunks
            .into_par_iter()
            .for_each_init(Vec::new, |windows, (grids, from, y)| {
                let pixels = y.len() / outputs;
                windows.resize(CHUNK_PIXELS * window, 0.0);
                let windows = &mut windows[..pixels * window];
                self.gather(x, channels, grids, from, windows);
                for row in y.chunks_exact_mut(outputs) {
                    row.copy_from_slice(b);
                }
                let windows = MatRef::new(&windows[..], pixels, window);
                right.product(MatMut::new(y, pixels, outputs), windows, true);
            });
        y
    }

    /// Gradients of the pixels (empty unless wanted), the weights and the bias.
    pub(super) fn gradients(
        &self,
        x: &[f32],
        w: &[f32],
        grad: &[f32],
        outputs: usize,
        wants_dx: bool,
    ) -> (Vec<f32>, Vec<f32>, Vec<f32>) {
        let window = w.len() / outputs;
        let channels = window / (self.padding.kernel * self.padding.kernel);
        let mut dx = vec![0.0; if wants_dx { x.len() } else { 0 }];
        let runs = parts(&self.inputs);
        let dxs = split_by_grids(&runs, &mut dx, channels);
        let mut rest = &self.outputs[..];
        let mut work = Vec::with_capacity(runs.len());
        for (run, dx) in runs.iter().zip(dxs) {
            let (outputs, tail) = rest.split_at(run.len());
            work.push((*run, outputs, dx));
            rest = tail;
        }
        let right = MatRef::new(w, outputs, window);
        let right = Right::prepare(right, self.output_pixels(), self.precision);
        let sums: Vec<(Vec<f32>, Vec<f32>)> = work
            .into_par_iter()
            .map_init(
                Vec::new,
                |windows: &mut Vec<f32>, (run, run_outputs, dx)| {
                    let (mut dw, mut db) = (vec![0.0; w.len()], vec![0.0; outputs]);
                    let base = run.first().map_or(0, |grid| grid.first);
                    windows.resize(CHUNK_PIXELS * window, 0.0);
                    for (input, output) in run.iter().zip(run_outputs) {
                        for from in (0..output.len()).step_by(CHUNK_PIXELS) {
                            let pixels = CHUNK_PIXELS.min(output.len() - from);
                            let at = (output.first + from) * outputs;
                            let g = &grad[at..at + pixels * outputs];
                            add_rows(g, &mut db);
                            let g = MatRef::new(g, pixels, outputs);
                            let windows = &mut windows[..pixels * window];
                            self.gather(x, channels, (input, output), from, windows);
                            product_sequential(
                                MatMut::new(&mut dw, outputs, window),
                                g.transposed(),
                                MatRef::new(&windows[..], pixels, window),
                                true,
                                self.precision,
                            );
                            if wants_dx {
                                right.product(MatMut::new(windows, pixels, window), g, false);
                                let start = (input.first - base) * channels;
                                let dx = &mut dx[start..start + input.len() * channels];
                                self.scatter(windows, channels, (input, output), from, dx);
                            }
                        }
                    }
                    (dw, db)
                },
            )
            .collect();
        let (dws, dbs) = sums.into_iter().unzip();
        (dx, sum_in_order(dws, w.len()), sum_in_order(dbs, outputs))
    }
}

vectorised! {
    /// Adds every row of `rows` to `sums`.
    fn add_rows(rows: &[f32], sums: &mut [f32]) {
        for row in rows.chunks_exact(sums.len()) {
            for (sum, v) in sums.iter_mut().zip(row) {
                *sum += v;
            }
        }
    }
}
