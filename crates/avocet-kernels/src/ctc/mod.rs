//! Connectionist temporal classification over packed rows.
//!
//! Graves et al. 2006, "Connectionist Temporal Classification".

mod cpu;

#[cfg(test)]
mod tests;

use std::sync::Arc;

use candle_core::{DType, Result, Shape, Tensor, bail};
use rayon::prelude::*;

use crate::fused::{FusedOp, Gradient, Gradients, Inputs, Outcome, apply};
use crate::placement::HOST;
pub use cpu::ctc_frames;
use cpu::{Sequence, states};

/// The sum over sequences of `weights[n] * -log P(targets[n] | logits of sequence n)`, a scalar.
///
/// `logits` is (S, V), packed: sequence n holds rows `offsets[n]..offsets[n + 1]`. A sequence too
/// short for its target (see [`ctc_frames`]) adds 0 and gets no gradient, and so does one of
/// weight 0.
///
/// Errors if the counts disagree, the offsets do not cover the rows in order, or a label is the
/// blank or not below V.
pub fn ctc_loss(
    logits: &Tensor,
    offsets: &[usize],
    targets: &[Vec<u32>],
    weights: &[f32],
    blank: u32,
) -> Result<Tensor> {
    let (rows, vocab) = logits.dims2()?;
    let sequences = offsets.len().saturating_sub(1);
    if targets.len() != sequences || weights.len() != sequences {
        bail!(
            "ctc_loss: {sequences} sequences but {} targets and {} weights",
            targets.len(),
            weights.len()
        );
    }
    if offsets.first() != Some(&0)
        || offsets.last() != Some(&rows)
        || offsets.windows(2).any(|span| span[0] > span[1])
    {
        bail!("ctc_loss: offsets {offsets:?} do not cover {rows} rows in order");
    }
    if blank as usize >= vocab {
        bail!("ctc_loss: blank {blank}, but the logits have {vocab} labels");
    }
    for (n, target) in targets.iter().enumerate() {
        if let Some(label) = target
            .iter()
            .find(|l| **l as usize >= vocab || **l == blank)
        {
            bail!("ctc_loss: label {label} in target {n}; {vocab} labels, blank {blank}");
        }
    }
    let sequences = targets.iter().zip(weights).zip(offsets.windows(2));
    let sequence = |((target, weight), span): ((&Vec<u32>, &f32), &[usize])| Sequence {
        from: span[0],
        frames: span[1] - span[0],
        states: states(target, blank),
        feasible: ctc_frames(target) <= span[1] - span[0],
        weight: *weight,
    };
    let sequences = sequences.map(sequence).collect();
    apply(Ctc { sequences }, [logits])
}

#[derive(Clone)]
struct Ctc {
    sequences: Arc<[Sequence]>,
}

impl FusedOp<1> for Ctc {
    const NAME: &'static str = "ctc_loss";
    /// The gradient for a gradient of 1 in the loss, where any is wanted: it needs the forward's
    /// tables.
    type Saved = Option<Tensor>;

    fn shape(&self, _: [&Shape; 1]) -> Result<Shape> {
        Ok(Shape::from(()))
    }

    fn forward(&self, [logits]: Inputs<'_, 1>) -> Result<(Vec<f32>, Self::Saved)> {
        let (_, vocab) = logits.shape.dims2()?;
        let numbers = logits.f32()?;
        let rows =
            |sequence: &Sequence| sequence.from * vocab..(sequence.from + sequence.frames) * vocab;
        let each = self.sequences.par_iter();
        let results: Vec<(f64, Option<Vec<f32>>)> = each
            .map(|sequence| sequence.loss_and_gradient(&numbers[rows(sequence)], vocab))
            .collect();
        let loss: f64 = results.iter().map(|(loss, _)| loss).sum();
        let mut saved = None;
        if logits.wanted {
            let mut all = vec![0.0; numbers.len()];
            for (sequence, (_, gradient)) in self.sequences.iter().zip(&results) {
                if let Some(gradient) = gradient {
                    all[rows(sequence)].copy_from_slice(gradient);
                }
            }
            saved = Some(Tensor::from_vec(all, logits.shape, &HOST)?);
        }
        Ok((vec![loss as f32], saved))
    }

    fn backward(&self, _: Inputs<'_, 1>, result: Outcome<'_, Self::Saved>) -> Gradients<1> {
        let scaled = |gradient: &Tensor| gradient.affine(f64::from(result.grad[0]), 0.0);
        let gradient = result.saved.as_ref().map(scaled).transpose()?;
        Ok([gradient.map_or(Gradient::None, Gradient::Tensor)])
    }

    /// A loss of a few hundred labels: for another device, too, the CPU computes it.
    fn composed(&self, [logits]: [&Tensor; 1]) -> Result<Tensor> {
        let on_cpu = logits.to_device(&HOST)?.to_dtype(DType::F32)?;
        apply(self.clone(), [&on_cpu])?.to_device(logits.device())
    }
}
