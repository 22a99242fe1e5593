//! Output head, softmax and cross-entropy in one: the (S, V) logits never exist at once.
//!
//! When a gradient will be wanted, the forward also computes it, group of rows by group of rows,
//! while the logits are at hand (Liger Kernel, arXiv:2410.10989); the backward only scales it.

mod cpu;

#[cfg(test)]
mod tests;

use avocet_products::Precision;
use candle_core::{D, Result, Shape, Tensor, bail};

use crate::fused::{FusedOp, Gradient, Gradients, Input, Inputs, Outcome, apply};
use crate::placement::HOST;
use crate::weight::Weight;
use cpu::Kept;

/// The sum over rows of `weights[i] * -log softmax(h[i] head^T)[targets[i]]`, a scalar.
///
/// `h` is (S, D), `head` (V, D) in memory, `targets` and `weights` have S elements. Rows of weight 0 cost
/// nothing and get no gradient; their target may be anything.
///
/// Errors if the shapes disagree or a target of non-zero weight is not below V.
pub fn cross_entropy(
    h: &Tensor,
    head: &Weight,
    targets: &[u32],
    weights: &[f32],
) -> Result<Tensor> {
    let (rows, width) = h.dims2()?;
    let (vocab, head_width) = head.dims2("cross_entropy")?;
    if width != head_width {
        bail!("cross_entropy: h has width {width} but the head has width {head_width}");
    }
    if width == 0 {
        bail!("cross_entropy: h has width 0");
    }
    if targets.len() != rows || weights.len() != rows {
        bail!(
            "cross_entropy: {rows} rows but {} targets and {} weights",
            targets.len(),
            weights.len()
        );
    }
    let kept: Vec<Kept> = (0..rows)
        .filter(|&row| weights[row] != 0.0)
        .map(|row| Kept {
            row,
            target: targets[row] as usize,
            weight: weights[row],
        })
        .collect();
    if let Some(bad) = kept.iter().find(|kept| kept.target >= vocab) {
        bail!(
            "cross_entropy: target {} in row {}, but the head has {vocab}",
            bad.target,
            bad.row
        );
    }
    let op = CrossEntropy {
        kept,
        precision: head.precision,
    };
    apply(op, [h, &head.tensor()?.to_dtype(h.dtype())?])
}

struct CrossEntropy {
    kept: Vec<Kept>,
    precision: Precision,
}

impl FusedOp<2> for CrossEntropy {
    const NAME: &'static str = "cross_entropy";
    /// The gradients for a gradient of 1 in the loss, where they are wanted.
    type Saved = [Option<Tensor>; 2];

    fn shape(&self, _: [&Shape; 2]) -> Result<Shape> {
        Ok(Shape::from(()))
    }

    fn forward(&self, [h, w]: Inputs<'_, 2>) -> Result<(Vec<f32>, Self::Saved)> {
        let (_, width) = w.shape.dims2()?;
        let wanted = (h.wanted, w.wanted);
        let (loss, dh, dw) = cpu::loss_and_gradients(
            h.f32()?,
            w.f32()?,
            width,
            &self.kept,
            wanted,
            self.precision,
        );
        let saved = |gradient, of: Input<'_>| {
            let tensor = || Tensor::from_vec(gradient, of.shape, &HOST);
            of.wanted.then(tensor).transpose()
        };
        Ok((vec![loss], [saved(dh, h)?, saved(dw, w)?]))
    }

    fn backward(&self, _: Inputs<'_, 2>, result: Outcome<'_, Self::Saved>) -> Gradients<2> {
        let scale = result.grad[0];
        let scaled = |gradient: &Option<Tensor>| match gradient {
            None => Ok(Gradient::None),
            Some(gradient) if scale == 1.0 => Ok(Gradient::Tensor(gradient.clone())),
            Some(gradient) => gradient.affine(f64::from(scale), 0.0).map(Gradient::Tensor),
        };
        let [dh, dw] = result.saved;
        Ok([scaled(dh)?, scaled(dw)?])
    }

    fn composed(&self, [h, w]: [&Tensor; 2]) -> Result<Tensor> {
        let kept = &self.kept;
        let pick = |of: &dyn Fn(&Kept) -> u32| {
            let values: Vec<u32> = kept.iter().map(of).collect();
            Tensor::from_vec(values, kept.len(), h.device())
        };
        if kept.is_empty() {
            return Tensor::zeros((), h.dtype(), h.device());
        }
        let weights: Vec<f32> = kept.iter().map(|kept| kept.weight).collect();
        let weights = Tensor::from_vec(weights, kept.len(), h.device())?;
        let logits = h
            .index_select(&pick(&|kept| kept.row as u32)?, 0)?
            .matmul(&w.t()?)?;
        let logits = logits.broadcast_sub(&logits.max_keepdim(D::Minus1)?.detach())?;
        let normaliser = logits.exp()?.sum_keepdim(D::Minus1)?.log()?;
        let target = logits.gather(&pick(&|kept| kept.target as u32)?.unsqueeze(1)?, 1)?;
        (normaliser - target)?
            .squeeze(1)?
            .mul(&weights.to_dtype(h.dtype())?)?
            .sum_all()
    }
}
