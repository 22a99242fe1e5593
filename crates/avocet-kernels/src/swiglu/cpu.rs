//! SwiGLU over slices.

use avocet_products::simd::{sigmoid, vectorised};
use rayon::prelude::*;

/// Rows one task handles; fixed, so that results do not depend on the threads.
pub(crate) const CHUNK_ROWS: usize = 128;

/// The activated rows, `hidden` wide.
pub(super) fn forward(gate_up: &[f32], hidden: usize) -> Vec<f32> {
    let mut out = vec![0.0; gate_up.len() / 2];
    if hidden > 0 {
        out.par_chunks_mut(CHUNK_ROWS * hidden)
            .zip(gate_up.par_chunks(CHUNK_ROWS * 2 * hidden))
            .for_each(|(out, gate_up)| activate(gate_up, out, hidden));
    }
    out
}

/// The gradient of `gate_up`.
pub(super) fn backward(gate_up: &[f32], grad: &[f32], hidden: usize) -> Vec<f32> {
    let mut dgate_up = vec![0.0; gate_up.len()];
    if hidden > 0 {
        dgate_up
            .par_chunks_mut(CHUNK_ROWS * 2 * hidden)
            .zip(gate_up.par_chunks(CHUNK_ROWS * 2 * hidden))
            .zip(grad.par_chunks(CHUNK_ROWS * hidden))
            .for_each(|((dgate_up, gate_up), grad)| {
                let mut activated = vec![0.0; grad.len()];
                activate_backward(gate_up, grad, dgate_up, &mut activated, hidden);
            });
    }
    dgate_up
}

vectorised! {
    /// `out = silu(gate) * up` for rows of `2 * hidden`.
    pub(crate) fn activate(gate_up: &[f32], out: &mut [f32], hidden: usize) {
        for (row, out) in gate_up.chunks_exact(2 * hidden).zip(out.chunks_exact_mut(hidden)) {
            let (gate, up) = row.split_at(hidden);
            for ((out, g), u) in out.iter_mut().zip(gate).zip(up) {
                *out = g * sigmoid(*g) * u;
            }
        }
    }
}

vectorised! {
    /// Given the gradient of the activated rows, writes that of `gate_up`, and the activated rows.
    pub(crate) fn activate_backward(
        gate_up: &[f32],
        grad: &[f32],
        dgate_up: &mut [f32],
        activated: &mut [f32],
        hidden: usize,
    ) {
        let rows = gate_up.chunks_exact(2 * hidden).zip(grad.chunks_exact(hidden));
        let outs = dgate_up.chunks_exact_mut(2 * hidden).zip(activated.chunks_exact_mut(hidden));
        for ((row, grad), (drow, activated)) in rows.zip(outs) {
            let (gate, up) = row.split_at(hidden);
            let (dgate, dup) = drow.split_at_mut(hidden);
            for i in 0..hidden {
                let s = sigmoid(gate[i]);
                let silu = gate[i] * s;
                activated[i] = silu * up[i];
                dup[i] = grad[i] * silu;
                dgate[i] = grad[i] * up[i] * (s + silu * (1.0 - s));
            }
        }
    }
}
