//! Choosing experts: each row of logits picks its top k, and two losses keep the choice healthy.
//!
//! Sparse mixture of experts, arXiv:1701.06538; Switch, arXiv:2101.03961; ST-MoE, arXiv:2202.08906.

mod kinds;
mod routing;

use avocet_products::simd::softmax_in_place;
use candle_core::{CpuStorage, CustomOp1, DType, Layout, Result, Shape, Tensor, bail};
use rayon::prelude::*;

use crate::slices::{f32_slice, with_f32};
pub use kinds::RouterKind;
use kinds::{CHUNK_ROWS, softmax_composed};
use routing::DROPPED;
pub use routing::Routing;

/// Picks the `top_k` experts of each row of `logits` (S, E) and weighs them.
///
/// The weights (S, k) are the softmax over all experts, renormalised over the chosen ones, and
/// carry the gradient of the logits. `bias` (E) is added to the probabilities for the choice
/// alone, and moves no weight (arXiv:2408.15664). With a `capacity_factor` an expert takes at
/// most `ceil(factor * S * k / E)` choices; those beyond are dropped and add nothing.
///
/// Errors if `top_k` is 0 or exceeds E, or the bias has another length.
pub fn route(
    logits: &Tensor,
    top_k: usize,
    bias: Option<&Tensor>,
    capacity_factor: Option<f64>,
) -> Result<(Tensor, Routing)> {
    route_by(
        RouterKind::Renormalized,
        logits,
        top_k,
        bias,
        capacity_factor,
    )
}

/// As [`route`], with the choices weighed as `kind` says.
///
/// Errors also if a sparse mixer is to choose another number than 2, or is given a bias.
pub fn route_by(
    kind: RouterKind,
    logits: &Tensor,
    top_k: usize,
    bias: Option<&Tensor>,
    capacity_factor: Option<f64>,
) -> Result<(Tensor, Routing)> {
    let (rows, num_experts) = logits.dims2()?;
    let mixes = matches!(kind, RouterKind::SparseMixer { .. });
    if mixes && top_k != 2 {
        bail!("route: a sparse mixer chooses 2 experts, but top_k is {top_k}");
    }
    if mixes && bias.is_some() {
        bail!("route: a sparse mixer takes no bias");
    }
    if top_k == 0 || top_k > num_experts {
        bail!("route: top_k is {top_k} but there are {num_experts} experts");
    }
    if rows.saturating_mul(top_k) >= DROPPED as usize {
        bail!("route: {rows} rows of {top_k} choices are too many");
    }
    let bias = match bias {
        Some(bias) if bias.dims() != [num_experts] => {
            bail!(
                "route: the bias has shape {:?} but there are {num_experts} experts",
                bias.dims()
            )
        }
        Some(bias) => bias.to_dtype(DType::F32)?.to_vec1::<f32>()?,
        None => vec![0.0; num_experts],
    };
    let mut probabilities = logits
        .to_dtype(DType::F32)?
        .flatten_all()?
        .to_vec1::<f32>()?;
    let mut experts = vec![0; rows * top_k];
    experts
        .par_chunks_mut(CHUNK_ROWS * top_k)
        .zip(probabilities.par_chunks_mut(CHUNK_ROWS * num_experts))
        .for_each(|(experts, rows)| {
            for (chosen, row) in experts
                .chunks_exact_mut(top_k)
                .zip(rows.chunks_exact_mut(num_experts))
            {
                // A sparse mixer compares the logits themselves.
                if !mixes {
                    softmax_in_place(row);
                    row.iter_mut().zip(&bias).for_each(|(p, b)| *p += b);
                }
                choose(row, chosen);
            }
        });
    let capacity = match capacity_factor {
        Some(factor) => (factor * (rows * top_k) as f64 / num_experts as f64).ceil() as usize,
        None => usize::MAX,
    };
    let routing = Routing::new(experts, num_experts, top_k, capacity);
    let weights = kinds::weights(kind, logits, &routing)?;
    Ok((weights, routing))
}

/// Writes the indices of the largest scores, the largest first; the first of equals wins.
fn choose(scores: &[f32], chosen: &mut [u32]) {
    for place in 0..chosen.len() {
        let (before, rest) = chosen.split_at_mut(place);
        let mut best: Option<(usize, f32)> = None;
        for (i, &score) in scores.iter().enumerate() {
            let beaten = best.is_some_and(|(_, b)| b >= score || score.is_nan());
            if !beaten && !before.contains(&(i as u32)) {
                best = Some((
                    i,
                    if score.is_nan() {
                        f32::NEG_INFINITY
                    } else {
                        score
                    },
                ));
            }
        }
        rest[0] = best.map_or(0, |(i, _)| i as u32);
    }
}

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
    let shares = shares(routing);
    if logits.device().is_cpu() && logits.dtype() == DType::F32 {
        let losses = logits.contiguous()?.apply_op1(RouterLosses { shares })?;
        return Ok((losses.get(0)?, losses.get(1)?));
    }
    losses_composed(logits, shares)
}

/// The share of all choices that fell on each expert.
fn shares(routing: &Routing) -> Vec<f32> {
    let total = routing.experts().len().max(1) as f32;
    routing.load().iter().map(|&n| n as f32 / total).collect()
}

fn losses_composed(logits: &Tensor, shares: Vec<f32>) -> Result<(Tensor, Tensor)> {
    let num_experts = shares.len();
    let logits = logits.to_dtype(DType::F32)?;
    let shares = Tensor::from_vec(shares, num_experts, logits.device())?;
    let mean = softmax_composed(&logits)?.mean(0)?;
    let balance = ((mean * shares)?.sum_all()? * num_experts as f64)?;
    Ok((balance, logits.log_sum_exp(1)?.sqr()?.mean_all()?))
}

struct RouterLosses {
    shares: Vec<f32>,
}

impl CustomOp1 for RouterLosses {
    fn name(&self) -> &'static str {
        "router_losses"
    }

    fn cpu_fwd(&self, logits: &CpuStorage, layout: &Layout) -> Result<(CpuStorage, Shape)> {
        let (rows, num_experts) = layout.shape().dims2()?;
        let logits = f32_slice(logits, layout, "router_losses")?;
        let parts: Vec<(f64, f64)> = logits
            .par_chunks(CHUNK_ROWS * num_experts)
            .map(|rows| {
                let (mut balance, mut z) = (0.0, 0.0);
                let mut row = vec![0.0; num_experts];
                for logits in rows.chunks_exact(num_experts) {
                    row.copy_from_slice(logits);
                    z += f64::from(softmax_in_place(&mut row)).powi(2);
                    balance += f64::from(avocet_products::simd::dot(&row, &self.shares));
                }
                (balance, z)
            })
            .collect();
        let count = rows.max(1) as f64;
        let balance = parts.iter().map(|p| p.0).sum::<f64>() * num_experts as f64 / count;
        let z = parts.iter().map(|p| p.1).sum::<f64>() / count;
        Ok((CpuStorage::F32(vec![balance as f32, z as f32]), 2.into()))
    }

    fn bwd(&self, logits: &Tensor, _losses: &Tensor, grad: &Tensor) -> Result<Option<Tensor>> {
        let (rows, num_experts) = logits.dims2()?;
        let grad = grad.to_vec1::<f32>()?;
        let along_balance = grad[0] * num_experts as f32 / rows.max(1) as f32;
        let along_z = grad[1] * 2.0 / rows.max(1) as f32;
        let mut dlogits = with_f32(logits, "router_losses", |logits| Ok(logits.to_vec()))?;
        dlogits
            .par_chunks_mut(CHUNK_ROWS * num_experts)
            .for_each(|rows| {
                for row in rows.chunks_exact_mut(num_experts) {
                    let logsumexp = softmax_in_place(row);
                    let mean = avocet_products::simd::dot(row, &self.shares);
                    for (p, share) in row.iter_mut().zip(&self.shares) {
                        *p *= along_balance * (share - mean) + along_z * logsumexp;
                    }
                }
            });
        Ok(Some(Tensor::from_vec(
            dlogits,
            (rows, num_experts),
            logits.device(),
        )?))
    }
}

#[cfg(test)]
mod tests;
