//! One step of AdamW: a fused pass over parameter, gradient and both moments.
//!
//! Decoupled weight decay, arXiv:1711.05101, with the arithmetic of PyTorch's `AdamW`.

mod cpu;
mod step;

#[cfg(test)]
mod tests;

use candle_core::{Result, Tensor, Var, bail};

use crate::fused::is_fused;
use crate::slices::{with_f32, with_f32_mut};

pub use step::AdamWStep;

/// Moves `values` (..) by its `gradient` (..), and `moments` (2, ..), the mean gradient and the
/// mean square, with it; in place.
///
/// Errors if the shapes disagree or what is written is not contiguous.
pub fn adamw(values: &Var, gradient: &Tensor, moments: &Tensor, step: &AdamWStep) -> Result<()> {
    let dims = values.dims();
    if gradient.dims() != dims || moments.dims().split_first() != Some((&2, dims)) {
        bail!(
            "adamw: a parameter of shape {dims:?}, its gradient of {:?}, its moments of {:?}",
            gradient.dims(),
            moments.dims()
        );
    }
    if !is_fused(values) {
        return composed(values, gradient, moments, step);
    }
    with_f32(gradient, "adamw", |gradient| {
        with_f32_mut(moments, "adamw", |moments| {
            with_f32_mut(values, "adamw", |values| {
                cpu::step(values, moments, gradient, step);
                Ok(())
            })
        })
    })
}

fn composed(values: &Var, gradient: &Tensor, moments: &Tensor, step: &AdamWStep) -> Result<()> {
    let mix = |old: Tensor, new: &Tensor, kept: f32| {
        let (kept, rest) = (f64::from(kept), f64::from(1.0 - kept));
        old.affine(kept, 0.0)? + new.affine(rest, 0.0)?
    };
    let g = gradient.affine(f64::from(step.scale), 0.0)?;
    let first = mix(moments.get(0)?, &g, step.beta1)?;
    let second = mix(moments.get(1)?, &g.sqr()?, step.beta2)?;
    let root = second.sqrt()?;
    let root = root.affine(1.0 / f64::from(step.correction2), f64::from(step.eps))?;
    let way = (&first / root)?.affine(f64::from(step.step_size), 0.0)?;
    let kept = values.affine(f64::from(step.kept), 0.0)?;
    values.set(&(kept - way)?)?;
    moments.slice_set(&Tensor::stack(&[first, second], 0)?, 0, 0)
}
