//! How a router weighs the experts that a row chose.

use std::sync::Arc;

use avocet_products::simd::softmax_in_place;
use candle_core::{CpuStorage, CustomOp1, D, DType, Device, Layout, Result, Shape, Tensor};
use rayon::prelude::*;

use super::routing::Routing;
use crate::slices::{f32_slice, with_f32};

/// Rows one task handles; fixed, so that results do not depend on the threads.
pub(super) const CHUNK_ROWS: usize = 512;

/// What the weights of the chosen experts are.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum RouterKind {
    /// The softmax over all experts, renormalised to a sum of 1 over the chosen ones, which is
    /// the softmax over those alone (Mixtral, arXiv:2401.04088).
    Renormalized,
    /// The softmax over all experts as it is (OLMoE, arXiv:2409.02060).
    Plain,
    /// Two experts, each weighed by a softmax of its own over those whose logits come near
    /// (Phi-3.5-MoE; SparseMixer-v2, arXiv:2409.12136, as it is at inference).
    ///
    /// An expert comes near if it is behind the chosen one by at most twice the jitter, relative
    /// to the larger of its magnitude and the chosen logit; the second softmax leaves out the
    /// first choice. The gradient is that of the two softmaxes, not the estimator of the paper.
    SparseMixer {
        /// Relative distance, 0.01 in Phi-3.5-MoE.
        jitter: f64,
    },
}

/// The weights (S, k) of a routing's choices, differentiable in the `logits` (S, E).
pub(super) fn softmax_composed(logits: &Tensor) -> Result<Tensor> {
    let shifted = logits
        .broadcast_sub(&logits.max_keepdim(D::Minus1)?.detach())?
        .exp()?;
    shifted.broadcast_div(&shifted.sum_keepdim(D::Minus1)?)
}

pub(super) fn weights(kind: RouterKind, logits: &Tensor, routing: &Routing) -> Result<Tensor> {
    if !logits.device().is_cpu() || logits.dtype() != DType::F32 {
        return weights_composed(kind, logits, routing);
    }
    let (experts, top_k) = (routing.experts().into(), routing.top_k());
    let logits = logits.contiguous()?;
    match kind {
        RouterKind::Renormalized => logits.apply_op1(ChosenSoftmax { experts, top_k }),
        RouterKind::Plain => logits.apply_op1(ChosenProbabilities {
            experts,
            top_k,
            jitter: None,
        }),
        RouterKind::SparseMixer { jitter } => logits.apply_op1(ChosenProbabilities {
            experts,
            top_k,
            jitter: Some(jitter),
        }),
    }
}

pub(super) fn weights_composed(
    kind: RouterKind,
    logits: &Tensor,
    routing: &Routing,
) -> Result<Tensor> {
    let (rows, num_experts) = logits.dims2()?;
    let experts = routing.experts();
    let chosen = Tensor::from_slice(experts, (rows, routing.top_k()), logits.device())?;
    match kind {
        RouterKind::Renormalized => {
            let chosen = softmax_composed(logits)?.gather(&chosen, 1)?;
            chosen.broadcast_div(&chosen.sum_keepdim(1)?)
        }
        RouterKind::Plain => softmax_composed(logits)?.gather(&chosen, 1),
        RouterKind::SparseMixer { jitter } => {
            let values = logits
                .to_dtype(DType::F32)?
                .flatten_all()?
                .to_vec1::<f32>()?;
            let weight = |place: usize| -> Result<Tensor> {
                let mut near = values.clone();
                for (row, chosen) in near
                    .chunks_exact_mut(num_experts)
                    .zip(experts.chunks_exact(routing.top_k()))
                {
                    keep_near(row, chosen, place, jitter);
                    for v in row.iter_mut().filter(|v| **v > f32::NEG_INFINITY) {
                        *v = 0.0;
                    }
                }
                let near = Tensor::from_vec(near, (rows, num_experts), &Device::Cpu)?
                    .to_device(logits.device())?
                    .to_dtype(logits.dtype())?;
                let place = chosen.narrow(1, place, 1)?.contiguous()?;
                softmax_composed(&(logits + near)?)?.gather(&place, 1)
            };
            Tensor::cat(&[weight(0)?, weight(1)?], 1)
        }
    }
}

/// Sets the logits to -infinity that do not come near the choice at `place`, and those of the
/// choices before it.
fn keep_near(row: &mut [f32], chosen: &[u32], place: usize, jitter: f64) {
    let best = row[chosen[place] as usize];
    let most = (2.0 * jitter) as f32;
    for logit in row.iter_mut() {
        let scale = logit.abs().max(best);
        // Of two zeros the quotient is no number, and both are near.
        if (best - *logit) / scale > most {
            *logit = f32::NEG_INFINITY;
        }
    }
    for &earlier in &chosen[..place] {
        row[earlier as usize] = f32::NEG_INFINITY;
    }
}

/// The softmax over the chosen logits, which is that over all of them, renormalised.
struct ChosenSoftmax {
    experts: Arc<[u32]>,
    top_k: usize,
}

impl CustomOp1 for ChosenSoftmax {
    fn name(&self) -> &'static str {
        "route"
    }

    fn cpu_fwd(&self, logits: &CpuStorage, layout: &Layout) -> Result<(CpuStorage, Shape)> {
        let (rows, num_experts) = layout.shape().dims2()?;
        let logits = f32_slice(logits, layout, "route")?;
        let mut weights = vec![0.0; rows * self.top_k];
        let chosen = self.experts.chunks_exact(self.top_k);
        let outs = weights.chunks_exact_mut(self.top_k);
        for ((row, chosen), out) in logits.chunks_exact(num_experts).zip(chosen).zip(outs) {
            for (out, &expert) in out.iter_mut().zip(chosen) {
                *out = row[expert as usize];
            }
            softmax_in_place(out);
        }
        Ok((CpuStorage::F32(weights), (rows, self.top_k).into()))
    }

    fn bwd(&self, logits: &Tensor, weights: &Tensor, grad: &Tensor) -> Result<Option<Tensor>> {
        let (rows, num_experts) = logits.dims2()?;
        let mut dlogits = vec![0.0; rows * num_experts];
        with_f32(weights, "route", |weights| {
            with_f32(grad, "route", |grad| {
                for (row, dlogits) in dlogits.chunks_exact_mut(num_experts).enumerate() {
                    let range = row * self.top_k..(row + 1) * self.top_k;
                    let (weights, grad) = (&weights[range.clone()], &grad[range.clone()]);
                    let mean: f32 = weights.iter().zip(grad).map(|(w, g)| w * g).sum();
                    for ((&expert, w), g) in self.experts[range].iter().zip(weights).zip(grad) {
                        dlogits[expert as usize] = w * (g - mean);
                    }
                }
                Ok(())
            })
        })?;
        Ok(Some(Tensor::from_vec(
            dlogits,
            (rows, num_experts),
            logits.device(),
        )?))
    }
}

/// Each choice's probability, among all experts or (with a jitter) among those near it.
struct ChosenProbabilities {
    experts: Arc<[u32]>,
    top_k: usize,
    jitter: Option<f64>,
}

impl ChosenProbabilities {
    /// Writes the probabilities that the choice at `place` is weighed by; they hold for all
    /// places where there is no jitter.
    fn probabilities(&self, logits: &[f32], chosen: &[u32], place: usize, into: &mut [f32]) {
        if self.jitter.is_none() && place > 0 {
            return;
        }
        into.copy_from_slice(logits);
        if let Some(jitter) = self.jitter {
            keep_near(into, chosen, place, jitter);
        }
        softmax_in_place(into);
    }
}

impl CustomOp1 for ChosenProbabilities {
    fn name(&self) -> &'static str {
        "route"
    }

    fn cpu_fwd(&self, logits: &CpuStorage, layout: &Layout) -> Result<(CpuStorage, Shape)> {
        let (rows, num_experts) = layout.shape().dims2()?;
        let logits = f32_slice(logits, layout, "route")?;
        let mut weights = vec![0.0; rows * self.top_k];
        weights
            .par_chunks_mut(CHUNK_ROWS * self.top_k)
            .zip(self.experts.par_chunks(CHUNK_ROWS * self.top_k))
            .zip(logits.par_chunks(CHUNK_ROWS * num_experts))
            .for_each(|((weights, experts), logits)| {
                let mut p = vec![0.0; num_experts];
                let rows = logits.chunks_exact(num_experts);
                let chosen = experts.chunks_exact(self.top_k);
                let outs = weights.chunks_exact_mut(self.top_k);
                for ((row, chosen), out) in rows.zip(chosen).zip(outs) {
                    for (place, out) in out.iter_mut().enumerate() {
                        self.probabilities(row, chosen, place, &mut p);
                        *out = p[chosen[place] as usize];
                    }
                }
            });
        Ok((CpuStorage::F32(weights), (rows, self.top_k).into()))
    }

    fn bwd(&self, logits: &Tensor, _weights: &Tensor, grad: &Tensor) -> Result<Option<Tensor>> {
        let (rows, num_experts) = logits.dims2()?;
        let mut dlogits = vec![0.0; rows * num_experts];
        with_f32(logits, "route", |logits| {
            with_f32(grad, "route", |grad| {
                dlogits
                    .par_chunks_mut(CHUNK_ROWS * num_experts)
                    .zip(logits.par_chunks(CHUNK_ROWS * num_experts))
                    .zip(grad.par_chunks(CHUNK_ROWS * self.top_k))
                    .zip(self.experts.par_chunks(CHUNK_ROWS * self.top_k))
                    .for_each(|(((dlogits, logits), grad), experts)| {
                        let mut p = vec![0.0; num_experts];
                        let rows = logits.chunks_exact(num_experts);
                        let chosen = experts.chunks_exact(self.top_k);
                        let grads = grad.chunks_exact(self.top_k);
                        let outs = dlogits.chunks_exact_mut(num_experts);
                        for (((row, chosen), grad), out) in rows.zip(chosen).zip(grads).zip(outs) {
                            for (place, g) in grad.iter().enumerate() {
                                self.probabilities(row, chosen, place, &mut p);
                                let expert = chosen[place] as usize;
                                let along = g * p[expert];
                                for (out, p) in out.iter_mut().zip(&p) {
                                    *out -= along * p;
                                }
                                out[expert] += along;
                            }
                        }
                    });
                Ok(())
            })
        })?;
        Tensor::from_vec(dlogits, (rows, num_experts), logits.device()).map(Some)
    }
}
