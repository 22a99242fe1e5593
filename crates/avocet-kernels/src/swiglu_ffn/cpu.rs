//! The gated feed-forward layer over slices.

use avocet_products::Precision;
use avocet_products::{MatMut, MatRef, Right, Values, product};
use rayon::prelude::*;

use crate::swiglu::{CHUNK_ROWS, activate, activate_backward};

/// The rows of the result, and those between the two products.
pub(super) fn forward(
    x: &[f32],
    w_gate_up: Values<'_>,
    w_down: Values<'_>,
    (width, hidden): (usize, usize),
    precision: Precision,
) -> (Vec<f32>, Vec<f32>) {
    let mut out = vec![0.0; x.len()];
    if x.is_empty() || hidden == 0 {
        return (out, Vec::new());
    }
    let rows = x.len() / width;
    let mut gate_up = vec![0.0; rows * 2 * hidden];
    let up = MatRef::new(w_gate_up, 2 * hidden, width).transposed();
    let up = Right::prepare(up, rows, precision);
    let down = MatRef::new(w_down, width, hidden).transposed();
    let down = Right::prepare(down, rows, precision);
    out.par_chunks_mut(CHUNK_ROWS * width)
        .zip(gate_up.par_chunks_mut(CHUNK_ROWS * 2 * hidden))
        .zip(x.par_chunks(CHUNK_ROWS * width))
        .for_each(|((out, gate_up), x)| {
            let rows = x.len() / width;
            let x = MatRef::new(x, rows, width);
            up.product(MatMut::new(gate_up, rows, 2 * hidden), x, false);
            let mut activated = vec![0.0; rows * hidden];
            activate(gate_up, &mut activated, hidden);
            let activated = MatRef::new(&activated, rows, hidden);
            down.product(MatMut::new(out, rows, width), activated, false);
        });
    (out, gate_up)
}

/// The gradients of `x` and of both weights, from the rows between the two products.
pub(super) fn backward(
    [x, w_gate_up, w_down]: [&[f32]; 3],
    gate_up: &[f32],
    grad: &[f32],
    (width, hidden): (usize, usize),
    precision: Precision,
) -> [Vec<f32>; 3] {
    let mut dx = vec![0.0; x.len()];
    let mut dw_gate_up = vec![0.0; w_gate_up.len()];
    let mut dw_down = vec![0.0; w_down.len()];
    if gate_up.is_empty() {
        return [dx, dw_gate_up, dw_down];
    }
    let rows = gate_up.len() / (2 * hidden);
    let mut dgate_up = vec![0.0; gate_up.len()];
    let mut activated = vec![0.0; rows * hidden];
    let up = Right::prepare(MatRef::new(w_gate_up, 2 * hidden, width), rows, precision);
    let down = Right::prepare(MatRef::new(w_down, width, hidden), rows, precision);
    dx.par_chunks_mut(CHUNK_ROWS * width)
        .zip(grad.par_chunks(CHUNK_ROWS * width))
        .zip(gate_up.par_chunks(CHUNK_ROWS * 2 * hidden))
        .zip(dgate_up.par_chunks_mut(CHUNK_ROWS * 2 * hidden))
        .zip(activated.par_chunks_mut(CHUNK_ROWS * hidden))
        .for_each(|((((dx, grad), gate_up), dgate_up), activated)| {
            let rows = grad.len() / width;
            let mut dactivated = vec![0.0; rows * hidden];
            let grad = MatRef::new(grad, rows, width);
            down.product(MatMut::new(&mut dactivated, rows, hidden), grad, false);
            activate_backward(gate_up, &dactivated, dgate_up, activated, hidden);
            let dgate_up = MatRef::new(&*dgate_up, rows, 2 * hidden);
            up.product(MatMut::new(dx, rows, width), dgate_up, false);
        });
    let grad = MatRef::new(grad, rows, width).transposed();
    let activated = MatRef::new(&activated, rows, hidden);
    let to = MatMut::new(&mut dw_down, width, hidden);
    product(to, grad, activated, false, precision);
    let dgate_up = MatRef::new(&dgate_up, rows, 2 * hidden).transposed();
    let x = MatRef::new(x, rows, width);
    let to = MatMut::new(&mut dw_gate_up, 2 * hidden, width);
    product(to, dgate_up, x, false, precision);
    [dx, dw_gate_up, dw_down]
}
