//! How a router weighs the experts that a row chose.

use avocet_products::simd::softmax_in_place;
use candle_core::{D, Result, Shape, Tensor};
use candle_nn::ops::softmax;
use rayon::prelude::*;

use super::routing::Routing;
use crate::fused::{FusedOp, Gradients, Inputs, Outcome};

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

/// The weights (S, k) of a routing's choices, from the logits (S, E).
pub(super) struct Weights {
    pub(super) kind: RouterKind,
    pub(super) routing: Routing,
}

impl FusedOp<1> for Weights {
    const NAME: &'static str = "route";
    type Saved = ();

    fn shape(&self, _: [&Shape; 1]) -> Result<Shape> {
        Ok((self.routing.num_rows(), self.routing.top_k()).into())
    }

    fn forward(&self, [logits]: Inputs<'_, 1>) -> Result<(Vec<f32>, ())> {
        let (experts, top_k) = (self.routing.experts()?, self.routing.top_k());
        let (logits, num_experts) = (logits.f32()?, self.routing.num_experts());
        let mut weights = vec![0.0; experts.len()];
        weights
            .par_chunks_mut(CHUNK_ROWS * top_k)
            .zip(experts.par_chunks(CHUNK_ROWS * top_k))
            .zip(logits.par_chunks(CHUNK_ROWS * num_experts))
            .for_each(|((weights, experts), logits)| {
                let mut p = vec![0.0; num_experts];
                let rows = logits.chunks_exact(num_experts);
                let chosen = experts.chunks_exact(top_k);
                for ((row, chosen), out) in rows.zip(chosen).zip(weights.chunks_exact_mut(top_k)) {
                    self.weigh(row, chosen, &mut p, out);
                }
            });
        Ok((weights, ()))
    }

    fn backward(&self, [logits]: Inputs<'_, 1>, result: Outcome<'_, ()>) -> Gradients<1> {
        let (experts, top_k) = (self.routing.experts()?, self.routing.top_k());
        let (logits, num_experts) = (logits.f32()?, self.routing.num_experts());
        let mut dlogits = vec![0.0; logits.len()];
        dlogits
            .par_chunks_mut(CHUNK_ROWS * num_experts)
            .zip(logits.par_chunks(CHUNK_ROWS * num_experts))
            .zip(result.out.par_chunks(CHUNK_ROWS * top_k))
            .zip(result.grad.par_chunks(CHUNK_ROWS * top_k))
            .zip(experts.par_chunks(CHUNK_ROWS * top_k))
            .for_each(|((((dlogits, logits), weights), grad), experts)| {
                let mut p = vec![0.0; num_experts];
                let rows = logits.chunks_exact(num_experts);
                let rows = rows.zip(dlogits.chunks_exact_mut(num_experts));
                let weights = weights.chunks_exact(top_k).zip(grad.chunks_exact(top_k));
                let chosen = experts.chunks_exact(top_k).zip(weights);
                for ((row, dlogits), (chosen, weights)) in rows.zip(chosen) {
                    self.weigh_back(row, chosen, weights, &mut p, dlogits);
                }
            });
        Ok([dlogits.into()])
    }

    fn composed(&self, [logits]: [&Tensor; 1]) -> Result<Tensor> {
        let chosen = self.routing.tensor(logits.device())?;
        match self.kind {
            RouterKind::Renormalized => {
                let chosen = softmax(logits, D::Minus1)?.gather(&chosen, 1)?;
                chosen.broadcast_div(&chosen.sum_keepdim(1)?)
            }
            RouterKind::Plain => softmax(logits, D::Minus1)?.gather(&chosen, 1),
            RouterKind::SparseMixer { jitter } => {
                let chosen = |place| chosen.narrow(1, place, 1)?.contiguous(); // (S, 1)
                let (first, second) = (chosen(0)?, chosen(1)?);
                let near = near_composed(logits, &first, jitter)?;
                let mut weights = vec![softmax(&near, D::Minus1)?.gather(&first, 1)?];
                let near = near_composed(logits, &second, jitter)?;
                let experts =
                    Tensor::arange(0, self.routing.num_experts() as u32, logits.device())?;
                let is_first = first.broadcast_eq(&experts)?; // (S, E)
                let near = is_first.where_cond(&minus_infinity(&near)?, &near)?;
                weights.push(softmax(&near, D::Minus1)?.gather(&second, 1)?);
                Tensor::cat(&weights, 1)
            }
        }
    }
}

impl Weights {
    /// Writes the weights of a row's choices; `p` is room for as many numbers as the row has.
    fn weigh(&self, row: &[f32], chosen: &[u32], p: &mut [f32], out: &mut [f32]) {
        if self.kind == RouterKind::Renormalized {
            // The softmax over all of them, renormalised, is that over the chosen logits.
            for (out, &expert) in out.iter_mut().zip(chosen) {
                *out = row[expert as usize];
            }
            softmax_in_place(out);
            return;
        }
        for (place, out) in out.iter_mut().enumerate() {
            self.probabilities(row, chosen, place, p);
            *out = p[chosen[place] as usize];
        }
    }

    /// Writes the gradient of a row, given the weights of its choices and their gradients.
    fn weigh_back(
        &self,
        row: &[f32],
        chosen: &[u32],
        (weights, grad): (&[f32], &[f32]),
        p: &mut [f32],
        drow: &mut [f32],
    ) {
        if self.kind == RouterKind::Renormalized {
            let mean: f32 = weights.iter().zip(grad).map(|(w, g)| w * g).sum();
            for ((&expert, w), g) in chosen.iter().zip(weights).zip(grad) {
                drow[expert as usize] = w * (g - mean);
            }
            return;
        }
        for (place, g) in grad.iter().enumerate() {
            self.probabilities(row, chosen, place, p);
            let expert = chosen[place] as usize;
            let along = g * p[expert];
            for (out, p) in drow.iter_mut().zip(&*p) {
                *out -= along * p;
            }
            drow[expert] += along;
        }
    }

    /// Writes the probabilities that the choice at `place` is weighed by: among all experts, which
    /// hold for all places, or among those near it.
    fn probabilities(&self, logits: &[f32], chosen: &[u32], place: usize, into: &mut [f32]) {
        let RouterKind::SparseMixer { jitter } = self.kind else {
            if place == 0 {
                into.copy_from_slice(logits);
                softmax_in_place(into);
            }
            return;
        };
        into.copy_from_slice(logits);
        keep_near(into, chosen, place, jitter);
        softmax_in_place(into);
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

/// The logits (S, E) with -infinity for those that do not come near that of the `chosen` (S, 1).
fn near_composed(logits: &Tensor, chosen: &Tensor, jitter: f64) -> Result<Tensor> {
    let still = logits.detach();
    let best = still.gather(chosen, 1)?;
    let scale = still.abs()?.broadcast_maximum(&best)?;
    let behind = (still.broadcast_sub(&best)?.neg()? / scale)?;
    let is_far = behind.gt((2.0 * jitter) as f32)?;
    is_far.where_cond(&minus_infinity(logits)?, logits)
}

fn minus_infinity(like: &Tensor) -> Result<Tensor> {
    Tensor::full(f32::NEG_INFINITY, like.shape(), like.device())?.to_dtype(like.dtype())
}
