//! Root-mean-square and layer normalisation over the last dimension.

mod cpu;

#[cfg(test)]
mod tests;

use candle_core::{D, Result, Tensor, bail};

use crate::fused::{FusedOp, Gradient, Gradients, Inputs, Outcome, apply, f32s};

/// `x / sqrt(mean(x^2) + eps) * weight` over the last dimension.
///
/// `x` is (.., D) and `weight` (D). RMSNorm, arXiv:1910.07467.
///
/// Errors if the widths disagree.
pub fn rms_norm(x: &Tensor, weight: &Tensor, eps: f64) -> Result<Tensor> {
    let centres = false;
    let weight = checked("rms_norm", "weight", x, weight)?;
    apply(Norm { eps, centres }, [x, &weight])
}

/// `(x - mean) / sqrt(variance + eps) * weight + bias` over the last dimension.
///
/// `x` is (.., D), `weight` and `bias` (D). Layer normalisation, arXiv:1607.06450.
///
/// Errors if the widths disagree.
pub fn layer_norm(x: &Tensor, weight: &Tensor, bias: &Tensor, eps: f64) -> Result<Tensor> {
    let centres = true;
    let weight = checked("layer_norm", "weight", x, weight)?;
    let bias = checked("layer_norm", "bias", x, bias)?;
    apply(Norm { eps, centres }, [x, &weight, &bias])
}

/// As [`layer_norm`] with a bias of zero, as in MPT.
///
/// Errors if the widths disagree.
pub fn layer_norm_unbiased(x: &Tensor, weight: &Tensor, eps: f64) -> Result<Tensor> {
    let centres = true;
    let weight = checked("layer_norm", "weight", x, weight)?;
    apply(Norm { eps, centres }, [x, &weight])
}

fn checked(op: &str, what: &str, x: &Tensor, w: &Tensor) -> Result<Tensor> {
    let width = x.dim(D::Minus1)?;
    if w.dims() != [width] {
        bail!(
            "{op}: {what} has shape {:?} but the rows of x have width {width}",
            w.dims()
        );
    }
    w.to_dtype(x.dtype())
}

/// All three: each row less its mean if it centres, over its root mean square, times a weight.
struct Norm {
    eps: f64,
    centres: bool,
}

impl FusedOp<2> for Norm {
    const NAME: &'static str = "norm";
    type Saved = ();

    fn forward(&self, inputs: Inputs<'_, 2>) -> Result<(Vec<f32>, ())> {
        let [x, w] = f32s(inputs)?;
        Ok((self.rows(x, w, &[]), ()))
    }

    fn backward(&self, inputs: Inputs<'_, 2>, result: Outcome<'_, ()>) -> Gradients<2> {
        let [x, w] = f32s(inputs)?;
        let [dx, dw, _] = self.gradients(x, w, &[], result.grad);
        Ok([dx.into(), dw.into()])
    }

    fn composed(&self, [x, w]: [&Tensor; 2]) -> Result<Tensor> {
        let centred = match self.centres {
            true => x.broadcast_sub(&x.mean_keepdim(D::Minus1)?)?,
            false => x.clone(),
        };
        let scale = (centred.sqr()?.mean_keepdim(D::Minus1)? + self.eps)?.sqrt()?;
        centred.broadcast_div(&scale)?.broadcast_mul(w)
    }
}

/// With a bias.
impl FusedOp<3> for Norm {
    const NAME: &'static str = "norm";
    type Saved = ();

    fn forward(&self, inputs: Inputs<'_, 3>) -> Result<(Vec<f32>, ())> {
        let [x, w, b] = f32s(inputs)?;
        Ok((self.rows(x, w, b), ()))
    }

    fn backward(&self, inputs: Inputs<'_, 3>, result: Outcome<'_, ()>) -> Gradients<3> {
        let [x, w, b] = f32s(inputs)?;
        Ok(self.gradients(x, w, b, result.grad).map(Gradient::Numbers))
    }

    fn composed(&self, [x, w, b]: [&Tensor; 3]) -> Result<Tensor> {
        FusedOp::<2>::composed(self, [x, w])?.broadcast_add(b)
    }
}
