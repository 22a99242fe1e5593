//! The experts of a mixture on matrices that may be stored rows.

use std::sync::Arc;

use candle_core::{CpuStorage, CustomOp2, DType, Layout, Result, Shape, Tensor, Var, bail};
use rayon::prelude::*;

use super::{Weight, stored_linear};
use crate::experts::{TASK_SLOTS, combine, gather, pieces, tasks};
use crate::router::Routing;
use crate::slices::f32_slice;
use crate::stored::{StoredMatrix, product};
use crate::swiglu::{activate, swiglu};

/// The weighted sum of each row's experts, (S, D), as [`expert_ffn`](crate::expert_ffn).
///
/// `x` is (S, D), `weights` (S, k) as given by [`route`](crate::route) with `routing`, `gate_up`
/// (E, 2F, D) and `down` (E, D, F). Of stored matrices only the experts that rows chose are read.
///
/// Errors if the shapes disagree with each other or with `routing`.
pub fn weighted_expert_ffn(
    x: &Tensor,
    weights: &Tensor,
    gate_up: &Weight,
    down: &Weight,
    routing: &Routing,
) -> Result<Tensor> {
    if let (Weight::Tensor(gate_up), Weight::Tensor(down)) = (gate_up, down) {
        return crate::expert_ffn(x, weights, gate_up, down, routing);
    }
    check_shapes(x, weights, gate_up, down, routing)?;
    match (gate_up, down) {
        (Weight::Stored(gate_up), Weight::Stored(down))
            if x.device().is_cpu() && x.dtype() == DType::F32 && weights.dtype() == DType::F32 =>
        {
            let op = StoredExperts {
                gate_up: gate_up.clone(),
                down: down.clone(),
                routing: Arc::new(routing.clone()),
            };
            x.contiguous()?.apply_op2(&weights.contiguous()?, op)
        }
        _ => expert_by_expert(x, weights, gate_up, down, routing),
    }
}

pub(super) fn check_shapes(
    x: &Tensor,
    weights: &Tensor,
    gate_up: &Weight,
    down: &Weight,
    routing: &Routing,
) -> Result<()> {
    let (rows, width) = x.dims2()?;
    let (&[experts, doubled, inputs], &[down_experts, outputs, hidden]) =
        (gate_up.dims(), down.dims())
    else {
        bail!(
            "expert_ffn: w_gate_up has shape {:?} and w_down {:?}, not three dimensions",
            gate_up.dims(),
            down.dims()
        );
    };
    if inputs != width || outputs != width {
        bail!(
            "expert_ffn: the rows of x have width {width} but w_gate_up takes {inputs} and \
             w_down gives {outputs}"
        );
    }
    if hidden.checked_mul(2) != Some(doubled) {
        bail!("expert_ffn: w_gate_up gives {doubled}, not twice the {hidden} that w_down takes");
    }
    if width == 0 || hidden == 0 {
        bail!("expert_ffn: experts of width {width} and hidden width {hidden}");
    }
    if experts != routing.num_experts() || down_experts != experts {
        bail!(
            "expert_ffn: routing to {} experts, w_gate_up of {experts}, w_down of {down_experts}",
            routing.num_experts()
        );
    }
    let routed = (routing.num_rows(), routing.top_k());
    if rows != routed.0 || weights.dims() != [routed.0, routed.1] {
        bail!(
            "expert_ffn: {rows} rows and weights of shape {:?}, but routing of {} rows by {}",
            weights.dims(),
            routed.0,
            routed.1
        );
    }
    Ok(())
}

/// The same from differentiable operations, one expert after another.
pub(super) fn expert_by_expert(
    x: &Tensor,
    weights: &Tensor,
    gate_up: &Weight,
    down: &Weight,
    routing: &Routing,
) -> Result<Tensor> {
    let mut out = x.zeros_like()?;
    let flat_weights = weights.flatten_all()?;
    for (expert, ends) in routing.offsets().windows(2).enumerate() {
        let choices = &routing.choices()[ends[0]..ends[1]];
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
    match w {
        Weight::Tensor(w) => crate::linear(x, &w.get(expert)?),
        Weight::Stored(w) => {
            let outputs = w.shape()[1];
            stored_linear(x, w, expert * outputs, outputs)
        }
        Weight::Adapted(_) => bail!("expert_ffn: an adapted matrix is no stack of experts"),
    }
}

/// From rows (S, D) and their weights (S, k) to rows (S, D).
struct StoredExperts {
    gate_up: Arc<StoredMatrix>,
    down: Arc<StoredMatrix>,
    routing: Arc<Routing>,
}

impl CustomOp2 for StoredExperts {
    fn name(&self) -> &'static str {
        "stored_experts"
    }

    fn cpu_fwd(
        &self,
        x: &CpuStorage,
        x_layout: &Layout,
        weights: &CpuStorage,
        weights_layout: &Layout,
    ) -> Result<(CpuStorage, Shape)> {
        let x = f32_slice(x, x_layout, self.name())?;
        let weights = f32_slice(weights, weights_layout, self.name())?;
        let routing = &*self.routing;
        let (doubled, width) = (self.gate_up.shape()[1], self.gate_up.shape()[2]);
        let hidden = doubled / 2;
        let mut y = vec![0.0; routing.choices().len() * width];
        let tasks = tasks(routing, TASK_SLOTS);
        let y_pieces = pieces(&mut y, &tasks, width);
        tasks.par_iter().zip(y_pieces).for_each(|(task, y)| {
            let choices = &routing.choices()[task.from..task.to];
            let rows = gather(x, choices, routing.top_k(), width);
            let of = |outputs: usize| task.expert * outputs..(task.expert + 1) * outputs;
            let gate_up = product(&self.gate_up, of(doubled), &rows, choices.len());
            let mut activated = vec![0.0; choices.len() * hidden];
            activate(&gate_up, &mut activated, hidden);
            y.copy_from_slice(&product(&self.down, of(width), &activated, choices.len()));
        });
        let out = combine(&y, Some(weights), routing, width);
        Ok((CpuStorage::F32(out), (routing.num_rows(), width).into()))
    }

    /// Computes the experts again, as differentiable operations.
    fn bwd(
        &self,
        x: &Tensor,
        weights: &Tensor,
        _out: &Tensor,
        grad: &Tensor,
    ) -> Result<(Option<Tensor>, Option<Tensor>)> {
        let (x, weights) = (Var::from_tensor(x)?, Var::from_tensor(weights)?);
        let gate_up = Weight::Stored(self.gate_up.clone());
        let down = Weight::Stored(self.down.clone());
        let out = expert_by_expert(&x, &weights, &gate_up, &down, &self.routing)?;
        let mut gradients = out.mul(&grad.detach())?.sum_all()?.backward()?;
        Ok((gradients.remove(&x), gradients.remove(&weights)))
    }
}
