//! A gate for each component.

use avocet_products::simd::vectorised;
use rayon::prelude::*;

use crate::slices::{CHUNK_ELEMENTS, sum_in_order};

/// `x + tanh(gates) * y` for rows as wide as there are gates.
pub(super) fn forward(x: &[f32], y: &[f32], gates: &[f32]) -> Vec<f32> {
    let openness = openness(gates);
    let chunk = chunk_elements(openness.len());
    let mut out = vec![0.0; x.len()];
    out.par_chunks_mut(chunk)
        .zip(x.par_chunks(chunk).zip(y.par_chunks(chunk)))
        .for_each(|(out, (x, y))| add_rows(x, y, &openness, out));
    out
}

/// The gradients of `y` and of the gates.
pub(super) fn backward(y: &[f32], gates: &[f32], grad: &[f32]) -> (Vec<f32>, Vec<f32>) {
    let openness = openness(gates);
    let (width, chunk) = (openness.len(), chunk_elements(openness.len()));
    let mut dy = vec![0.0; y.len()];
    let parts = dy
        .par_chunks_mut(chunk)
        .zip(grad.par_chunks(chunk).zip(y.par_chunks(chunk)))
        .map(|(dy, (grad, y))| {
            let mut sums = vec![0.0; width];
            gradient_rows(grad, y, &openness, dy, &mut sums);
            sums
        })
        .collect();
    let mut dgates = sum_in_order(parts, width);
    for (dgate, open) in dgates.iter_mut().zip(&openness) {
        *dgate *= 1.0 - open * open;
    }
    (dy, dgates)
}

fn openness(gate: &[f32]) -> Vec<f32> {
    gate.iter().map(|g| g.tanh()).collect()
}

/// Elements of the whole rows that one task handles.
fn chunk_elements(width: usize) -> usize {
    let width = width.max(1);
    width * (CHUNK_ELEMENTS / width).max(1)
}

vectorised! {
    fn add_rows(x: &[f32], y: &[f32], openness: &[f32], out: &mut [f32]) {
        let n = openness.len();
        let rows = x.chunks_exact(n).zip(y.chunks_exact(n)).zip(out.chunks_exact_mut(n));
        for ((x, y), out) in rows {
            for (((out, x), y), open) in out.iter_mut().zip(x).zip(y).zip(openness) {
                *out = x + open * y;
            }
        }
    }
}

vectorised! {
    /// Sets `dy` row by row and adds to `sums`, the gradient of the openness.
    fn gradient_rows(g: &[f32], y: &[f32], openness: &[f32], dy: &mut [f32], sums: &mut [f32]) {
        let n = openness.len();
        let rows = g.chunks_exact(n).zip(y.chunks_exact(n)).zip(dy.chunks_exact_mut(n));
        for ((g, y), dy) in rows {
            for ((((dy, sum), g), y), open) in
                dy.iter_mut().zip(sums.iter_mut()).zip(g).zip(y).zip(openness)
            {
                *dy = g * open;
                *sum += g * y;
            }
        }
    }
}
