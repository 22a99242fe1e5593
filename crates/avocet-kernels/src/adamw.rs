//! One step of AdamW: a fused pass over parameter, gradient and both moments.
//!
//! Decoupled weight decay, arXiv:1711.05101, with the arithmetic of PyTorch's `AdamW`.

use std::cell::RefCell;

use candle_core::{CpuStorage, DType, InplaceOp1, InplaceOp2, Layout, Result, Tensor, Var, bail};
use rayon::prelude::*;

use crate::slices::{f32_slice, f32_slice_mut};

/// Elements that one task handles; fixed, so that results do not depend on the threads.
const CHUNK: usize = 1 << 15;

/// The numbers of one step for one parameter.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct AdamWStep {
    /// What weight decay leaves of the parameter: `1 - rate * decay`.
    pub kept: f32,
    /// What the gradient is multiplied by, when it is clipped.
    pub scale: f32,
    /// How much of the first moment stays.
    pub beta1: f32,
    /// How much of the second moment stays.
    pub beta2: f32,
    /// The learning rate over the bias correction of the first moment.
    pub step_size: f32,
    /// Root of the bias correction of the second moment.
    pub correction2: f32,
    /// Added to the root of the second moment.
    pub eps: f32,
}

/// Moves `values` (..) by its `gradient` (..), and `moments` (2, ..), the mean gradient and the
/// mean square, with it; in place.
///
/// Errors if the shapes disagree or anything is not contiguous.
pub fn adamw(values: &Var, gradient: &Tensor, moments: &Tensor, step: &AdamWStep) -> Result<()> {
    let dims = values.dims();
    if gradient.dims() != dims || moments.dims().split_first() != Some((&2, dims)) {
        bail!(
            "adamw: a parameter of shape {dims:?}, its gradient of {:?}, its moments of {:?}",
            gradient.dims(),
            moments.dims()
        );
    }
    if values.device().is_cpu() && values.dtype() == DType::F32 {
        return values.inplace_op2(gradient, &Update { moments, step });
    }
    adamw_composed(values, gradient, moments, step)
}

fn adamw_composed(
    values: &Var,
    gradient: &Tensor,
    moments: &Tensor,
    step: &AdamWStep,
) -> Result<()> {
    let mix = |old: Tensor, new: Tensor, kept: f32| {
        let (kept, rest) = (f64::from(kept), f64::from(1.0 - kept));
        old.affine(kept, 0.0)? + new.affine(rest, 0.0)?
    };
    let g = gradient.affine(f64::from(step.scale), 0.0)?;
    let first = mix(moments.get(0)?, g.clone(), step.beta1)?;
    let second = mix(moments.get(1)?, g.sqr()?, step.beta2)?;
    let root = second
        .sqrt()?
        .affine(1.0 / f64::from(step.correction2), f64::from(step.eps))?;
    let way = (&first / root)?.affine(f64::from(step.step_size), 0.0)?;
    let kept = values.affine(f64::from(step.kept), 0.0)?;
    values.set(&(kept - way)?)?;
    moments.slice_set(&Tensor::stack(&[first, second], 0)?, 0, 0)
}

/// Opens parameter and gradient, and then the moments.
struct Update<'a> {
    moments: &'a Tensor,
    step: &'a AdamWStep,
}

impl InplaceOp2 for Update<'_> {
    fn name(&self) -> &'static str {
        "adamw"
    }

    fn cpu_fwd(
        &self,
        values: &mut CpuStorage,
        layout: &Layout,
        gradient: &CpuStorage,
        gradient_layout: &Layout,
    ) -> Result<()> {
        self.moments.inplace_op1(&UpdateAll {
            values: RefCell::new(f32_slice_mut(values, layout, "adamw")?),
            gradient: f32_slice(gradient, gradient_layout, "adamw")?,
            step: self.step,
        })
    }
}

struct UpdateAll<'a> {
    values: RefCell<&'a mut [f32]>,
    gradient: &'a [f32],
    step: &'a AdamWStep,
}

impl InplaceOp1 for UpdateAll<'_> {
    fn name(&self) -> &'static str {
        "adamw"
    }

    fn cpu_fwd(&self, moments: &mut CpuStorage, layout: &Layout) -> Result<()> {
        let mut values = self.values.borrow_mut();
        let moments = f32_slice_mut(moments, layout, "adamw")?;
        let (first, second) = moments.split_at_mut(values.len());
        let AdamWStep {
            kept,
            scale,
            beta1,
            beta2,
            step_size,
            correction2,
            eps,
        } = *self.step;
        let (rest1, rest2) = (1.0 - beta1, 1.0 - beta2);
        let chunks = values
            .par_chunks_mut(CHUNK)
            .zip(first.par_chunks_mut(CHUNK))
            .zip(second.par_chunks_mut(CHUNK))
            .zip(self.gradient.par_chunks(CHUNK));
        chunks.for_each(|(((p, m), v), g)| {
            for (((p, m), v), g) in p.iter_mut().zip(m).zip(v).zip(g) {
                let g = g * scale;
                *m = beta1 * *m + rest1 * g;
                *v = beta2 * *v + rest2 * g * g;
                *p = kept * *p - step_size * *m / (v.sqrt() / correction2 + eps);
            }
        });
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::gradient_check::{assert_close, random};

    const STEP: AdamWStep = AdamWStep {
        kept: 0.99,
        scale: 0.5,
        beta1: 0.9,
        beta2: 0.98,
        step_size: 0.1,
        correction2: 0.3,
        eps: 1e-8,
    };

    type Form = fn(&Var, &Tensor, &Tensor, &AdamWStep) -> Result<()>;

    /// Parameter and moments after three steps.
    fn moved(form: Form) -> Result<[Vec<f32>; 2]> {
        let values = random((2, 40_000), 1);
        let moments = Tensor::zeros((2, 2, 40_000), DType::F32, values.device())?;
        for seed in 2..5 {
            form(
                &values,
                random((2, 40_000), seed).as_tensor(),
                &moments,
                &STEP,
            )?;
        }
        Ok([
            values.flatten_all()?.to_vec1()?,
            moments.flatten_all()?.to_vec1()?,
        ])
    }

    #[test]
    fn the_fused_step_is_its_composed_form() -> Result<()> {
        let (fused, composed) = (moved(adamw)?, moved(adamw_composed)?);
        // Both round to f32, the composed form after each operation.
        assert_close(&fused[0], &composed[0], 1e-5, "parameter");
        assert_close(&fused[1], &composed[1], 1e-5, "moments");
        Ok(())
    }

    #[test]
    fn a_step_has_the_same_bits_on_one_and_two_threads() -> Result<()> {
        let on = |threads: usize| {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build();
            pool.expect("a pool").install(|| moved(adamw))
        };
        assert!(on(1)? == on(2)?);
        Ok(())
    }

    #[test]
    fn moments_of_another_shape_are_refused() -> Result<()> {
        let (values, gradient) = (random((2, 3), 1), random((2, 3), 2));
        let error = adamw(&values, &gradient, random((3, 2), 3).as_tensor(), &STEP);
        let error = error.expect_err("no moments of a 2 x 3 matrix").to_string();
        assert!(error.contains("[3, 2]"), "{error}");
        Ok(())
    }
}
