//! A frozen matrix plus a product of two small ones that learn.

#[cfg(test)]
mod tests;

use candle_core::{Result, Shape, Tensor};

use crate::fused::{FusedOp, Gradient, Gradients, Inputs, Outcome, apply};
use crate::slices::with_f32;

/// `w + scale * b a`, for `w` (.., O, I), `b` (.., O, r) and `a` (.., r, I); no gradient flows
/// to `w`.
///
/// LoRA, arXiv:2106.09685, section 4.1.
///
/// Errors if the shapes disagree.
pub fn low_rank_sum(w: &Tensor, a: &Tensor, b: &Tensor, scale: f64) -> Result<Tensor> {
    let w = w.detach();
    apply(LowRankSum { w, scale }, [a, b])
}

/// Of `a` and `b`; fused, it does not keep their product, which is as large as `w`.
struct LowRankSum {
    w: Tensor,
    scale: f64,
}

impl FusedOp<2> for LowRankSum {
    const NAME: &'static str = "low_rank_sum";
    type Saved = ();

    fn shape(&self, _: [&Shape; 2]) -> Result<Shape> {
        Ok(self.w.shape().clone())
    }

    fn forward(&self, [a, b]: Inputs<'_, 2>) -> Result<(Vec<f32>, ())> {
        let sum = self.composed([&a.to_tensor()?, &b.to_tensor()?])?;
        Ok((with_f32(&sum, Self::NAME, |sum| Ok(sum.to_vec()))?, ()))
    }

    fn backward(&self, [a, b]: Inputs<'_, 2>, result: Outcome<'_, ()>) -> Gradients<2> {
        let (a, b, grad) = (a.to_tensor()?, b.to_tensor()?, result.grad_tensor);
        let da = b.t()?.contiguous()?.matmul(grad)?; // (.., r, I)
        let db = grad.matmul(&a.t()?.contiguous()?)?; // (.., O, r)
        Ok([
            Gradient::Tensor(da.affine(self.scale, 0.0)?),
            Gradient::Tensor(db.affine(self.scale, 0.0)?),
        ])
    }

    fn composed(&self, [a, b]: [&Tensor; 2]) -> Result<Tensor> {
        &self.w + b.matmul(a)?.affine(self.scale, 0.0)?
    }
}
