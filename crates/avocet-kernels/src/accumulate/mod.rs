//! Gradients added up in place, and the sum of their squares.

mod cpu;

#[cfg(test)]
mod tests;

use candle_core::{DType, Result, Tensor, bail};

use crate::fused::is_fused;
use crate::slices::{with_f32, with_f32_mut};

/// `sum + part`, of one shape; on the CPU `sum` is written over where it lies, whoever else holds
/// it.
///
/// Errors if the shapes disagree or `sum` is not contiguous.
pub fn add_into(sum: Tensor, part: &Tensor) -> Result<Tensor> {
    if sum.dims() != part.dims() {
        bail!(
            "add_into: a sum of shape {:?} and a part of {:?}",
            sum.dims(),
            part.dims()
        );
    }
    if !is_fused(&sum) {
        return sum + part;
    }
    with_f32(part, "add_into", |part| {
        with_f32_mut(&sum, "add_into", |sum| {
            cpu::add(sum, part);
            Ok(())
        })
    })?;
    Ok(sum)
}

/// Sum of the squares of all elements of `x`, in f64.
pub fn square_sum(x: &Tensor) -> Result<f64> {
    if !is_fused(x) {
        return x.to_dtype(DType::F64)?.sqr()?.sum_all()?.to_scalar();
    }
    with_f32(x, "square_sum", |values| Ok(cpu::square_sum(values)))
}
