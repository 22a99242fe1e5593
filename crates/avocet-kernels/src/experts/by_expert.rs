//! Experts one after another, on matrices of any kind and on any device.

use candle_core::{Result, Tensor, bail};

use crate::linear::{linear, stored_linear};
use crate::router::Routing;
use crate::swiglu::swiglu;
use crate::weight::{Numbers, Weight};

/// As [`expert_ffn`](crate::expert_ffn), of differentiable operations.
pub(crate) fn by_expert(
    x: &Tensor,
    weights: &Tensor,
    gate_up: &Weight,
    down: &Weight,
    routing: &Routing,
) -> Result<Tensor> {
    let mut out = x.zeros_like()?;
    let flat_weights = weights.flatten_all()?;
    let plan = routing.plan()?;
    for (expert, ends) in plan.offsets.windows(2).enumerate() {
        let choices = &plan.choices[ends[0]..ends[1]];
        if choices.is_empty() {
            continue;
        }
        let rows: Vec<u32> = choices.iter().map(|c| c / routing.top_k() as u32).collect();
        let rows = Tensor::from_vec(rows, choices.len(), x.device())?;
        let choices = Tensor::from_slice(choices, choices.len(), x.device())?;
        let hidden = one_expert(&x.index_select(&rows, 0)?, gate_up, expert)?;
        let y = one_expert(&swiglu(&hidden)?, down, expert)?;
        let weight = flat_weights.index_select(&choices, 0)?.unsqueeze(1)?;
        out = out.index_add(&rows, &y.broadcast_mul(&weight)?.contiguous()?, 0)?;
    }
    Ok(out)
}

fn one_expert(x: &Tensor, w: &Weight, expert: usize) -> Result<Tensor> {
    match &w.numbers {
        Numbers::Tensor(tensor) => linear(x, &tensor.get(expert)?, w.precision),
        Numbers::Stored(matrix) => {
            let outputs = matrix.shape()[1];
            let rows = expert * outputs..(expert + 1) * outputs;
            stored_linear(x, matrix, rows, w.precision)
        }
        Numbers::Adapted(_) => bail!("expert_ffn: an adapted matrix is no stack of experts"),
    }
}
