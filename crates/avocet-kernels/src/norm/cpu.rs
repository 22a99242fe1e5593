//! Normalisation over slices, row by row.
//!
//! The statistics of a row are cheap, so the backward computes them again instead of saving them.

use rayon::prelude::*;

use super::Norm;
use crate::simd::{dot, sum, vectorised};
use crate::slices::{CHUNK_ELEMENTS, sum_in_order};

/// Rows whose weight gradients one task adds up.
const GRADIENT_ROWS: usize = 256;

impl Norm {
    /// Every row of `x`, normalised; `b` is empty where there is no bias.
    pub(super) fn rows(&self, x: &[f32], w: &[f32], b: &[f32]) -> Vec<f32> {
        let mut y = vec![0.0; x.len()];
        let width = w.len();
        if width > 0 {
            let chunk = width * (CHUNK_ELEMENTS / width).max(1);
            let chunks = y.par_chunks_mut(chunk).zip(x.par_chunks(chunk));
            chunks.for_each(|(y, x)| normalise(self.eps as f32, self.centres, x, w, b, y));
        }
        y
    }

    /// The gradients of rows, weight and bias, which is as long as `b`.
    pub(super) fn gradients(&self, x: &[f32], w: &[f32], b: &[f32], g: &[f32]) -> [Vec<f32>; 3] {
        let num_sums = w.len() + b.len();
        let mut dx = vec![0.0; x.len()];
        let chunk = (w.len() * GRADIENT_ROWS).max(1);
        let parts = dx
            .par_chunks_mut(chunk)
            .zip(x.par_chunks(chunk).zip(g.par_chunks(chunk)))
            .map(|(dx, (x, g))| {
                let mut sums = vec![0.0; num_sums];
                row_gradients(self.eps as f32, self.centres, x, w, g, dx, &mut sums);
                sums
            })
            .collect();
        let mut dw = sum_in_order(parts, num_sums);
        let db = dw.split_off(w.len());
        [dx, dw, db]
    }
}

/// What is subtracted from a row, and what the difference is multiplied with.
#[inline(always)]
fn statistics(x: &[f32], eps: f32, centres: bool) -> (f32, f32) {
    let n = x.len() as f32;
    if centres {
        let mean = sum(x) / n;
        (mean, 1.0 / (squared_distance(x, mean) / n + eps).sqrt())
    } else {
        (0.0, 1.0 / (dot(x, x) / n + eps).sqrt())
    }
}

vectorised! {
    fn normalise(eps: f32, centres: bool, x: &[f32], w: &[f32], b: &[f32], y: &mut [f32]) {
        for (x, y) in x.chunks_exact(w.len()).zip(y.chunks_exact_mut(w.len())) {
            let (mean, scale) = statistics(x, eps, centres);
            if b.is_empty() {
                for ((y, x), w) in y.iter_mut().zip(x).zip(w) {
                    *y = (x - mean) * scale * w;
                }
            } else {
                for (((y, x), w), b) in y.iter_mut().zip(x).zip(w).zip(b) {
                    *y = (x - mean) * scale * w + b;
                }
            }
        }
    }
}

vectorised! {
    /// Sets `dx` row by row and adds to `sums`, which holds the gradients of the weight and, if
    /// there is room, of the bias.
    fn row_gradients(
        eps: f32,
        centres: bool,
        x: &[f32],
        w: &[f32],
        g: &[f32],
        dx: &mut [f32],
        sums: &mut [f32],
    ) {
        let n = w.len();
        let (dw, db) = sums.split_at_mut(n);
        let rows = x.chunks_exact(n).zip(g.chunks_exact(n)).zip(dx.chunks_exact_mut(n));
        for ((x, g), dx) in rows {
            let (mean, scale) = statistics(x, eps, centres);
            let along = if centres { dot(g, w) } else { 0.0 };
            let projection = (dot3(g, w, x) - along * mean) * scale * scale / n as f32;
            let along = along / n as f32;
            let each = dx.iter_mut().zip(dw.iter_mut()).zip(x).zip(g).zip(w);
            for ((((dx, dw), x), g), w) in each {
                let centred = x - mean;
                *dw += g * centred * scale;
                *dx = (g * w - along - centred * projection) * scale;
            }
            for (db, g) in db.iter_mut().zip(g) {
                *db += g;
            }
        }
    }
}

/// The sum of `term(i)` for i below n, in 16 lanes.
#[inline(always)]
fn lanes(n: usize, term: impl Fn(usize) -> f32) -> f32 {
    const LANES: usize = 16;
    let mut sums = [0.0f32; LANES];
    let whole = n / LANES * LANES;
    for i in (0..whole).step_by(LANES) {
        for (lane, sum) in sums.iter_mut().enumerate() {
            *sum += term(i + lane);
        }
    }
    let mut total = sums.iter().sum::<f32>();
    for i in whole..n {
        total += term(i);
    }
    total
}

#[inline(always)]
fn dot3(a: &[f32], b: &[f32], c: &[f32]) -> f32 {
    let (b, c) = (&b[..a.len()], &c[..a.len()]);
    lanes(
        a.len(),
        #[inline(always)]
        |i| a[i] * b[i] * c[i],
    )
}

#[inline(always)]
fn squared_distance(a: &[f32], mean: f32) -> f32 {
    lanes(
        a.len(),
        #[inline(always)]
        |i| (a[i] - mean) * (a[i] - mean),
    )
}
