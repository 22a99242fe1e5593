//! Two losses that keep the choice of experts healthy.

use avocet_products::simd::{dot, softmax_in_place};
use candle_core::{D, DType, Result, Shape, Tensor, bail};
use rayon::prelude::*;

use super::routing::Routing;
use super::weights::CHUNK_ROWS;
use crate::fused::{FusedOp, Gradients, Inputs, Outcome, apply};

/// The load-balancing loss and the z-loss of `logits` (S, E), two scalars.
///
/// Balance is `E * sum_e f_e p_e`, f the share of choices (before dropping) and p the mean
/// probability: 1 when all experts are used alike, E / k when all rows agree on k of them
/// (arXiv:2101.03961). The z-loss is the mean square of the logits' logsumexp
/// (arXiv:2202.08906). Both are 0 for no rows.
///
/// Errors if `routing` is of other logits.
pub fn router_losses(logits: &Tensor, routing: &Routing) -> Result<(Tensor, Tensor)> {
    let (rows, num_experts) = logits.dims2()?;
    if (rows, num_experts) != (routing.num_rows(), routing.num_experts()) {
        bail!(
            "router_losses: logits of {rows} rows and {num_experts} experts, routing of {} and {}",
            routing.num_rows(),
            routing.num_experts()
        );
    }
    let routing = routing.clone();
    let losses = apply(RouterLosses { routing }, [logits])?;
    Ok((losses.get(0)?, losses.get(1)?))
}

struct RouterLosses {
    routing: Routing,
}

impl RouterLosses {
    /// The share of all choices that fell on each expert.
    fn shares(&self) -> Result<Vec<f32>> {
        let total = (self.routing.num_rows() * self.routing.top_k()).max(1) as f32;
        Ok(self
            .routing
            .load()?
            .iter()
            .map(|&n| n as f32 / total)
            .collect())
    }
}

impl FusedOp<1> for RouterLosses {
    const NAME: &'static str = "router_losses";
    type Saved = ();

    fn shape(&self, _: [&Shape; 1]) -> Result<Shape> {
        Ok(2.into())
    }

    fn forward(&self, [logits]: Inputs<'_, 1>) -> Result<(Vec<f32>, ())> {
        let (rows, num_experts) = logits.shape.dims2()?;
        let shares = self.shares()?;
        let parts: Vec<(f64, f64)> = logits
            .f32()?
            .par_chunks(CHUNK_ROWS * num_experts)
            .map(|rows| {
                let (mut balance, mut z) = (0.0, 0.0);
                let mut row = vec![0.0; num_experts];
                for logits in rows.chunks_exact(num_experts) {
                    row.copy_from_slice(logits);
                    z += f64::from(softmax_in_place(&mut row)).powi(2);
                    balance += f64::from(dot(&row, &shares));
                }
                (balance, z)
            })
            .collect();
        let count = rows.max(1) as f64;
        let balance = parts.iter().map(|p| p.0).sum::<f64>() * num_experts as f64 / count;
        let z = parts.iter().map(|p| p.1).sum::<f64>() / count;
        Ok((vec![balance as f32, z as f32], ()))
    }

    fn backward(&self, [logits]: Inputs<'_, 1>, result: Outcome<'_, ()>) -> Gradients<1> {
        let (rows, num_experts) = logits.shape.dims2()?;
        let shares = self.shares()?;
        let along_balance = result.grad[0] * num_experts as f32 / rows.max(1) as f32;
        let along_z = result.grad[1] * 2.0 / rows.max(1) as f32;
        let mut dlogits = logits.f32()?.to_vec();
        dlogits
            .par_chunks_mut(CHUNK_ROWS * num_experts)
            .for_each(|rows| {
                for row in rows.chunks_exact_mut(num_experts) {
                    let logsumexp = softmax_in_place(row);
                    let mean = dot(row, &shares);
                    for (p, share) in row.iter_mut().zip(&shares) {
                        *p *= along_balance * (share - mean) + along_z * logsumexp;
                    }
                }
            });
        Ok([dlogits.into()])
    }

    fn composed(&self, [logits]: [&Tensor; 1]) -> Result<Tensor> {
        let num_experts = self.routing.num_experts();
        let logits = logits.to_dtype(DType::F32)?;
        if logits.dim(0)? == 0 {
            return Tensor::zeros(2, DType::F32, logits.device());
        }
        let experts = Tensor::arange(0, num_experts as u32, logits.device())?;
        let chosen = self
            .routing
            .tensor(logits.device())?
            .flatten_all()?
            .unsqueeze(1)?;
        let chosen = chosen.broadcast_eq(&experts)?.to_dtype(DType::F32)?; // (S * k, E)
        let mean = candle_nn::ops::softmax(&logits, D::Minus1)?.mean(0)?;
        let balance = ((mean * chosen.mean(0)?)?.sum_all()? * num_experts as f64)?;
        Tensor::stack(&[balance, logits.log_sum_exp(1)?.sqr()?.mean_all()?], 0)
    }
}
