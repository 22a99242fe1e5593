//! The experts with the largest scores.

use avocet_products::simd::softmax_in_place;
use candle_core::{D, DType, Result, Tensor};
use rayon::prelude::*;

use super::weights::CHUNK_ROWS;
use crate::slices::with_f32;

/// The `top_k` experts of each row of `logits` (S, E), which are on the CPU, row-major, by the
/// probabilities if `softmax`, plus the `bias` (E).
pub(super) fn on_host(
    logits: &Tensor,
    top_k: usize,
    bias: Option<&Tensor>,
    softmax: bool,
) -> Result<Vec<u32>> {
    let (num_rows, num_experts) = logits.dims2()?;
    let mut experts = vec![0; num_rows * top_k];
    let none = Tensor::zeros(num_experts, DType::F32, logits.device())?;
    let bias = bias.unwrap_or(&none).to_dtype(DType::F32)?;
    with_f32(&bias, "route", |bias| {
        with_f32(logits, "route", |logits| {
            experts
                .par_chunks_mut(CHUNK_ROWS * top_k)
                .zip(logits.par_chunks(CHUNK_ROWS * num_experts))
                .for_each(|(experts, logits)| {
                    let mut scores = vec![0.0; num_experts];
                    let rows = logits.chunks_exact(num_experts);
                    for (chosen, row) in experts.chunks_exact_mut(top_k).zip(rows) {
                        scores.copy_from_slice(row);
                        if softmax {
                            softmax_in_place(&mut scores);
                            scores.iter_mut().zip(bias).for_each(|(p, b)| *p += b);
                        }
                        choose(&scores, chosen);
                    }
                });
            Ok(())
        })
    })?;
    Ok(experts)
}

/// As [`on_host`], (S, k), where the logits are.
pub(super) fn on_device(
    logits: &Tensor,
    top_k: usize,
    bias: Option<&Tensor>,
    softmax: bool,
) -> Result<Tensor> {
    let mut scores = logits.detach().to_dtype(DType::F32)?;
    if softmax {
        scores = candle_nn::ops::softmax(&scores, D::Minus1)?;
    }
    if let Some(bias) = bias {
        scores = scores.broadcast_add(&bias.to_dtype(DType::F32)?)?;
    }
    scores
        .contiguous()?
        .arg_sort_last_dim(false)?
        .narrow(1, 0, top_k)?
        .contiguous()
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
