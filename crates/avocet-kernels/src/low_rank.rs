//! A matrix that stands still plus a product of two small ones that learn.

use candle_core::{CpuStorage, CustomOp2, Error, Layout, Result, Shape, Tensor};

use crate::slices::f32_slice;

/// `w + scale * b a`, for `w` (.., O, I), `b` (.., O, r) and `a` (.., r, I); no gradient flows
/// to `w`.
///
/// LoRA, arXiv:2106.09685, section 4.1.
///
/// Errors if the shapes disagree.
pub fn low_rank_sum(w: &Tensor, a: &Tensor, b: &Tensor, scale: f64) -> Result<Tensor> {
    let sum = (w.detach() + b.detach().matmul(&a.detach())?.affine(scale, 0.0)?)?;
    if !w.device().is_cpu() {
        let product = b.matmul(a)?.affine(scale, 0.0)?;
        return w.detach() + product;
    }
    a.contiguous()?
        .apply_op2(&b.contiguous()?, LowRankSum { sum, scale })
}

struct LowRankSum {
    sum: Tensor,
    scale: f64,
}

impl CustomOp2 for LowRankSum {
    fn name(&self) -> &'static str {
        "low_rank_sum"
    }

    fn cpu_fwd(
        &self,
        _: &CpuStorage,
        _: &Layout,
        _: &CpuStorage,
        _: &Layout,
    ) -> Result<(CpuStorage, Shape)> {
        let (storage, layout) = self.sum.storage_and_layout();
        let candle_core::Storage::Cpu(storage) = &*storage else {
            return Err(Error::msg("low_rank_sum: the matrix is not on the CPU"));
        };
        let values = f32_slice(storage, layout, self.name())?.to_vec();
        Ok((CpuStorage::F32(values), self.sum.shape().clone()))
    }

    fn bwd(
        &self,
        a: &Tensor,
        b: &Tensor,
        _: &Tensor,
        grad: &Tensor,
    ) -> Result<(Option<Tensor>, Option<Tensor>)> {
        let grad = grad.contiguous()?;
        let of_a = b.t()?.contiguous()?.matmul(&grad)?; // (.., r, I)
        let of_b = grad.matmul(&a.t()?.contiguous()?)?; // (.., O, r)
        Ok((
            Some(of_a.affine(self.scale, 0.0)?),
            Some(of_b.affine(self.scale, 0.0)?),
        ))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use candle_core::{DType, Device, Var};

    #[test]
    fn gradients_reach_the_factors_and_not_the_matrix() -> Result<()> {
        for stack in [&[][..], &[3]] {
            let random = |tail: [usize; 2]| {
                let shape = [stack, &tail].concat();
                Tensor::randn(0f32, 1.0, shape, &Device::Cpu)
            };
            let (w, up) = (Var::from_tensor(&random([4, 5])?)?, random([4, 5])?);
            let (a, b) = (
                Var::from_tensor(&random([2, 5])?)?,
                Var::from_tensor(&random([4, 2])?)?,
            );
            let fused = low_rank_sum(&w, &a, &b, 0.5)?;
            let plain = (w.as_tensor() + (b.matmul(&a)? * 0.5)?)?;
            let worst = |x: &Tensor, y: &Tensor| -> Result<f32> {
                (x - y)?
                    .abs()?
                    .flatten_all()?
                    .max(0)?
                    .to_dtype(DType::F32)?
                    .to_scalar()
            };
            assert!(worst(&fused, &plain)? < 1e-6);
            let fused = (fused * &up)?.sum_all()?.backward()?;
            let plain = (plain * &up)?.sum_all()?.backward()?;
            assert!(fused.get(&w).is_none());
            for factor in [&a, &b] {
                let of = |grads: &candle_core::backprop::GradStore| grads.get(factor).cloned();
                let (x, y) = (of(&fused).expect("one"), of(&plain).expect("one"));
                assert!(worst(&x, &y)? < 1e-5);
            }
        }
        Ok(())
    }
}
