//! The gradients of the depthwise convolution over slices.

use avocet_products::simd::vectorised;
use rayon::prelude::*;

use super::Depthwise;
use crate::grids::parts;
use crate::slices::sum_in_order;

impl Depthwise {
    /// The gradient of the input pixels, a task a line of them; `grad` is that before ReLU6.
    pub(super) fn input_gradients(&self, w: &[f32], grad: &[f32], channels: usize) -> Vec<f32> {
        let pixels: usize = self.inputs.iter().map(|grid| grid.len()).sum();
        let mut dx = vec![0.0; pixels * channels];
        let mut lines = Vec::new();
        let mut rest = &mut dx[..];
        for grids in self.inputs.iter().zip(&self.outputs) {
            for row in 0..grids.0.height {
                let (line, tail) = rest.split_at_mut(grids.0.width * channels);
                lines.push((grids, row, line));
                rest = tail;
            }
        }
        let padding = self.padding();
        lines
            .into_par_iter()
            .for_each(|((input, output), row, dx)| {
                let before = padding.before(input.height);
                for i in 0..self.kernel {
                    // The line of windows that reads this one by its tap i, if there is one.
                    let Some(from) = (row + before).checked_sub(i) else {
                        continue;
                    };
                    if from % self.stride != 0 || from / self.stride >= output.height {
                        continue;
                    }
                    let line = output.first + from / self.stride * output.width;
                    for column in 0..output.width {
                        let g = &grad[(line + column) * channels..][..channels];
                        for j in 0..self.kernel {
                            if let Some(at) = padding.at(column, j, input.width) {
                                let tap = &w[(i * self.kernel + j) * channels..][..channels];
                                add_products(&mut dx[at * channels..][..channels], g, tap);
                            }
                        }
                    }
                }
            });
        dx
    }

    /// The gradients of the taps and of the bias; `grad` is that before ReLU6.
    pub(super) fn tap_gradients(
        &self,
        x: &[f32],
        grad: &[f32],
        channels: usize,
    ) -> (Vec<f32>, Vec<f32>) {
        let (taps, padding) = (self.kernel * self.kernel, self.padding());
        let runs = parts(&self.inputs);
        let mut rest = &self.outputs[..];
        let mut work = Vec::with_capacity(runs.len());
        for run in runs {
            let (outputs, tail) = rest.split_at(run.len());
            work.push((run, outputs));
            rest = tail;
        }
        let sums = work.into_par_iter().map(|(inputs, outputs)| {
            let mut sums = vec![0.0; (taps + 1) * channels];
            let (dw, db) = sums.split_at_mut(taps * channels);
            for (input, output) in inputs.iter().zip(outputs) {
                for pixel in 0..output.len() {
                    let g = &grad[(output.first + pixel) * channels..][..channels];
                    add(db, g);
                    for tap in 0..taps {
                        let place = (tap / self.kernel, tap % self.kernel);
                        if let Some(at) = padding.source((input, output), pixel, place) {
                            let x = &x[(input.first + at) * channels..][..channels];
                            add_products(&mut dw[tap * channels..][..channels], g, x);
                        }
                    }
                }
            }
            sums
        });
        let mut dw = sum_in_order(sums.collect(), (taps + 1) * channels);
        let db = dw.split_off(taps * channels);
        (dw, db)
    }
}

vectorised! {
    /// `y += a * b`, element by element.
    fn add_products(y: &mut [f32], a: &[f32], b: &[f32]) {
        for ((y, a), b) in y.iter_mut().zip(a).zip(b) {
            *y += a * b;
        }
    }
}

vectorised! {
    /// `y += a`, element by element.
    fn add(y: &mut [f32], a: &[f32]) {
        for (y, a) in y.iter_mut().zip(a) {
            *y += a;
        }
    }
}
