//! One gate for all components.

use rayon::prelude::*;

use crate::slices::CHUNK_ELEMENTS;

/// `x + tanh(gate) * y`.
pub(super) fn forward(x: &[f32], y: &[f32], gate: f32) -> Vec<f32> {
    let openness = gate.tanh();
    let mut out = vec![0.0; x.len()];
    out.par_chunks_mut(CHUNK_ELEMENTS)
        .zip(
            x.par_chunks(CHUNK_ELEMENTS)
                .zip(y.par_chunks(CHUNK_ELEMENTS)),
        )
        .for_each(|(out, (x, y))| {
            for ((out, x), y) in out.iter_mut().zip(x).zip(y) {
                *out = x + openness * y;
            }
        });
    out
}

/// The gradients of `y` and of the gate.
pub(super) fn backward(y: &[f32], gate: f32, grad: &[f32]) -> (Vec<f32>, Vec<f32>) {
    let openness = gate.tanh();
    let (dy, along) = scale_and_project(grad, y, openness);
    let dgate = (along * f64::from(1.0 - openness * openness)) as f32;
    (dy, vec![dgate])
}

/// `g * scale`, and the sum of `g * y`.
fn scale_and_project(g: &[f32], y: &[f32], scale: f32) -> (Vec<f32>, f64) {
    const LANES: usize = 16;
    let mut scaled = vec![0.0; g.len()];
    let parts: Vec<f64> = scaled
        .par_chunks_mut(CHUNK_ELEMENTS)
        .zip(
            g.par_chunks(CHUNK_ELEMENTS)
                .zip(y.par_chunks(CHUNK_ELEMENTS)),
        )
        .map(|(scaled, (g, y))| {
            for (s, g) in scaled.iter_mut().zip(g) {
                *s = g * scale;
            }
            let mut sums = [0.0f32; LANES];
            for (g, y) in g.chunks(LANES).zip(y.chunks(LANES)) {
                for ((sum, g), y) in sums.iter_mut().zip(g).zip(y) {
                    *sum += g * y;
                }
            }
            f64::from(sums.iter().sum::<f32>())
        })
        .collect();
    (scaled, parts.iter().sum())
}
