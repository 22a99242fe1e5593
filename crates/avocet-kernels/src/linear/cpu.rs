//! Linear layers over slices.

use avocet_products::Precision;
use avocet_products::simd::add_scaled;
use avocet_products::{MatMut, MatRef, Right, product};
use candle_core::Result;
use rayon::prelude::*;

use crate::fused::{Gradient, Gradients, Input};
use crate::slices::sum_in_order;

/// Rows whose bias gradients one task adds up.
const GRADIENT_ROWS: usize = 256;
/// Rows of a product with a bias that one task computes.
const BIAS_ROWS: usize = 256;

/// `x w^T`.
pub(super) fn forward(x: Input<'_>, w: Input<'_>, precision: Precision) -> Result<Vec<f32>> {
    let (outputs, inputs) = w.shape.dims2()?;
    let rows = x.num_rows();
    let mut out = vec![0.0; rows * outputs];
    let x = MatRef::new(x.f32()?, rows, inputs);
    let w = MatRef::new(w.values, outputs, inputs).transposed();
    product(MatMut::new(&mut out, rows, outputs), x, w, false, precision);
    Ok(out)
}

/// `x w^T + b`, to which `end` is applied by runs of rows.
pub(super) fn forward_with_bias(
    x: Input<'_>,
    w: Input<'_>,
    b: &[f32],
    precision: Precision,
    end: impl Fn(&mut [f32]) + Sync,
) -> Result<Vec<f32>> {
    let (outputs, inputs) = w.shape.dims2()?;
    let rows = x.num_rows();
    let mut out = vec![0.0; rows * outputs];
    if out.is_empty() {
        return Ok(out);
    }
    let w = MatRef::new(w.values, outputs, inputs).transposed();
    let right = Right::prepare(w, rows, precision);
    let x = MatRef::new(x.f32()?, rows, inputs);
    out.par_chunks_mut(BIAS_ROWS * outputs)
        .enumerate()
        .for_each(|(i, out)| {
            out.chunks_exact_mut(outputs)
                .for_each(|row| row.copy_from_slice(b));
            let (from, rows) = (i * BIAS_ROWS, out.len() / outputs);
            let x = x.rows(from, from + rows);
            right.product(MatMut::new(out, rows, outputs), x, true);
            end(out);
        });
    Ok(out)
}

/// Gradients of `x w^T` with respect to `x` and `w`, each if anything asks for it.
pub(super) fn backward(
    x: Input<'_>,
    w: Input<'_>,
    grad: &[f32],
    precision: Precision,
) -> Gradients<2> {
    let (outputs, inputs) = w.shape.dims2()?;
    let rows = x.num_rows();
    let g = MatRef::new(grad, rows, outputs);
    let (x_numbers, w_numbers) = (x.f32()?, w.f32()?);
    let mut gradients = [Gradient::None, Gradient::None];
    if x.wanted {
        let mut dx = vec![0.0; rows * inputs];
        let w = MatRef::new(w_numbers, outputs, inputs);
        product(MatMut::new(&mut dx, rows, inputs), g, w, false, precision);
        gradients[0] = dx.into();
    }
    if w.wanted {
        let mut dw = vec![0.0; outputs * inputs];
        let x = MatRef::new(x_numbers, rows, inputs);
        let to = MatMut::new(&mut dw, outputs, inputs);
        product(to, g.transposed(), x, false, precision);
        gradients[1] = dw.into();
    }
    Ok(gradients)
}

/// The gradient of the bias.
pub(super) fn bias_gradient(grad: &[f32], outputs: usize) -> Vec<f32> {
    let parts = grad
        .par_chunks((GRADIENT_ROWS * outputs).max(1))
        .map(|rows| {
            let mut sum = vec![0.0; outputs];
            rows.chunks_exact(outputs)
                .for_each(|row| add_scaled(&mut sum, row, 1.0));
            sum
        });
    sum_in_order(parts.collect(), outputs)
}
