//! The experts of a mixture: each is a SwiGLU feed-forward layer over the rows that chose it.
//!
//! Rows are gathered by expert, every expert is a few dense products, and each row then adds up
//! its own slots in the order of its choices: no padding, and no two tasks write one place.
//! MegaBlocks, arXiv:2211.15841, without the padding to blocks.

use std::sync::{Arc, OnceLock};

use avocet_products::simd::{add_scaled, dot_of, scale_into};
use avocet_products::{MatMut, MatRef, Right, Values, product};
use candle_core::{CpuStorage, CustomOp2, CustomOp3, DType, Layout, Result, Shape, Tensor, bail};
use rayon::prelude::*;

use crate::precision::product_precision;
use crate::router::Routing;
use crate::slices::{f32_slice, operand, with_f32};
use crate::swiglu::{activate, activate_backward, swiglu_composed};

/// Slots one task of the forward computes; fixed, so that results do not depend on the threads.
pub(crate) const TASK_SLOTS: usize = 512;
/// Rows one task adds up.
const COMBINE_ROWS: usize = 256;

/// The weighted sum of each row's experts, (S, D).
///
/// `x` is (S, D), `weights` (S, k) as given by [`route`](crate::route) with `routing`,
/// `w_gate_up` (E, 2F, D) and `w_down` (E, D, F). A dropped choice adds nothing. BF16 expert
/// weights are for inference only: they get no gradient.
///
/// Errors if the shapes disagree with each other or with `routing`.
pub fn expert_ffn(
    x: &Tensor,
    weights: &Tensor,
    w_gate_up: &Tensor,
    w_down: &Tensor,
    routing: &Routing,
) -> Result<Tensor> {
    check_shapes(x, weights, w_gate_up, w_down, routing)?;
    if x.device().is_cpu() && x.dtype() == DType::F32 {
        let routing = Arc::new(routing.clone());
        let dispatch = ExpertGateUp {
            routing: routing.clone(),
            gate_up: OnceLock::new(),
        };
        let activated = x
            .contiguous()?
            .apply_op2(&w_gate_up.contiguous()?, dispatch)?;
        let combine = ExpertDown { routing };
        return activated.apply_op3(&weights.contiguous()?, &w_down.contiguous()?, combine);
    }
    expert_ffn_composed(x, weights, w_gate_up, w_down, routing)
}

fn check_shapes(
    x: &Tensor,
    weights: &Tensor,
    w_gate_up: &Tensor,
    w_down: &Tensor,
    routing: &Routing,
) -> Result<()> {
    let (rows, width) = x.dims2()?;
    let (experts, doubled, inputs) = w_gate_up.dims3()?;
    let (down_experts, outputs, hidden) = w_down.dims3()?;
    if inputs != width || outputs != width {
        bail!(
            "expert_ffn: the rows of x have width {width} but w_gate_up takes {inputs} and \
             w_down gives {outputs}"
        );
    }
    if doubled != 2 * hidden {
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

fn expert_ffn_composed(
    x: &Tensor,
    weights: &Tensor,
    w_gate_up: &Tensor,
    w_down: &Tensor,
    routing: &Routing,
) -> Result<Tensor> {
    let mut out = x.zeros_like()?;
    let flat_weights = weights.flatten_all()?;
    for expert in 0..routing.num_experts() {
        let range = routing.offsets()[expert]..routing.offsets()[expert + 1];
        if range.is_empty() {
            continue;
        }
        let choices = &routing.choices()[range];
        let rows: Vec<u32> = choices.iter().map(|c| c / routing.top_k() as u32).collect();
        let rows = Tensor::from_vec(rows, choices.len(), x.device())?;
        let choices = Tensor::from_slice(choices, choices.len(), x.device())?;
        let up = w_gate_up.get(expert)?.to_dtype(x.dtype())?.t()?;
        let down = w_down.get(expert)?.to_dtype(x.dtype())?.t()?;
        let gate_up = x.index_select(&rows, 0)?.matmul(&up)?;
        let y = swiglu_composed(&gate_up)?.matmul(&down)?;
        let weight = flat_weights.index_select(&choices, 0)?.unsqueeze(1)?;
        out = out.index_add(&rows, &y.broadcast_mul(&weight)?.contiguous()?, 0)?;
    }
    Ok(out)
}

/// A run of slots of one expert.
#[derive(Clone, Copy)]
pub(crate) struct Task {
    pub(crate) expert: usize,
    pub(crate) from: usize,
    pub(crate) to: usize,
}

/// The slots of all experts in runs of at most `longest`, in order.
pub(crate) fn tasks(routing: &Routing, longest: usize) -> Vec<Task> {
    let mut tasks = Vec::new();
    for (expert, ends) in routing.offsets().windows(2).enumerate() {
        for from in (ends[0]..ends[1]).step_by(longest) {
            tasks.push(Task {
                expert,
                from,
                to: ends[1].min(from.saturating_add(longest)),
            });
        }
    }
    tasks
}

/// Cuts `data`, `width` numbers a slot, into one piece per task.
pub(crate) fn pieces<'a>(
    mut data: &'a mut [f32],
    tasks: &[Task],
    width: usize,
) -> Vec<&'a mut [f32]> {
    let mut pieces = Vec::with_capacity(tasks.len());
    for task in tasks {
        let (piece, rest) = data.split_at_mut((task.to - task.from) * width);
        pieces.push(piece);
        data = rest;
    }
    pieces
}

/// Copies the rows of `x` that `choices` belong to, one after another.
pub(crate) fn gather(x: &[f32], choices: &[u32], top_k: usize, width: usize) -> Vec<f32> {
    let mut rows = Vec::with_capacity(choices.len() * width);
    for &choice in choices {
        let row = choice as usize / top_k;
        rows.extend_from_slice(&x[row * width..(row + 1) * width]);
    }
    rows
}

/// Adds up the slots of each row, each times its weight if there are `weights`.
pub(crate) fn combine(
    y: &[f32],
    weights: Option<&[f32]>,
    routing: &Routing,
    width: usize,
) -> Vec<f32> {
    let mut out = vec![0.0; routing.num_rows() * width];
    out.par_chunks_mut(COMBINE_ROWS * width)
        .enumerate()
        .for_each(|(chunk, out)| {
            for (i, out) in out.chunks_exact_mut(width).enumerate() {
                let row = chunk * COMBINE_ROWS + i;
                for (place, slot) in routing.slots_of(row).enumerate() {
                    if let Some(slot) = slot {
                        let weight = weights.map_or(1.0, |w| w[row * routing.top_k() + place]);
                        add_scaled(out, &y[slot * width..(slot + 1) * width], weight);
                    }
                }
            }
        });
    out
}

/// From rows (S, D) and `w_gate_up` (E, 2F, D) to the activated slots (slots, F).
struct ExpertGateUp {
    routing: Arc<Routing>,
    /// The slots before their activation, (slots, 2F), kept by the forward.
    gate_up: OnceLock<Vec<f32>>,
}

impl CustomOp2 for ExpertGateUp {
    fn name(&self) -> &'static str {
        "expert_gate_up"
    }

    fn cpu_fwd(
        &self,
        x: &CpuStorage,
        x_layout: &Layout,
        w: &CpuStorage,
        w_layout: &Layout,
    ) -> Result<(CpuStorage, Shape)> {
        let (_, doubled, width) = w_layout.shape().dims3()?;
        let hidden = doubled / 2;
        let x = f32_slice(x, x_layout, self.name())?;
        let w = operand(w, w_layout, self.name())?;
        let routing = &*self.routing;
        let slots = routing.choices().len();
        let mut gate_up = vec![0.0; slots * doubled];
        let mut activated = vec![0.0; slots * hidden];
        let tasks = tasks(routing, TASK_SLOTS);
        let gate_up_pieces = pieces(&mut gate_up, &tasks, doubled);
        let activated_pieces = pieces(&mut activated, &tasks, hidden);
        tasks
            .par_iter()
            .zip(gate_up_pieces)
            .zip(activated_pieces)
            .for_each(|((task, gate_up), activated)| {
                let choices = &routing.choices()[task.from..task.to];
                let rows = gather(x, choices, routing.top_k(), width);
                let w = expert_matrix(w, task.expert, doubled, width).transposed();
                let n = choices.len();
                Right::prepare(w, n, product_precision()).product(
                    MatMut::new(&mut *gate_up, n, doubled),
                    MatRef::new(&rows, n, width),
                    false,
                );
                activate(gate_up, activated, hidden);
            });
        // A second forward of one op would compute the same rows.
        let _ = self.gate_up.set(gate_up);
        Ok((CpuStorage::F32(activated), (slots, hidden).into()))
    }

    fn bwd(
        &self,
        x: &Tensor,
        w: &Tensor,
        _activated: &Tensor,
        grad: &Tensor,
    ) -> Result<(Option<Tensor>, Option<Tensor>)> {
        let (_, doubled, width) = w.dims3()?;
        let hidden = doubled / 2;
        let routing = &*self.routing;
        let gate_up = self.gate_up.get().map_or(&[][..], Vec::as_slice);
        let mut dslots = vec![0.0; routing.choices().len() * width];
        let mut dw = vec![0.0; w.elem_count()];
        let tasks = tasks(routing, usize::MAX);
        let dslots_pieces = pieces(&mut dslots, &tasks, width);
        let dw_pieces = expert_pieces(&mut dw, &tasks, doubled * width);
        with_trained(w, self.name(), |w| {
            with_f32(x, self.name(), |x| {
                with_f32(grad, self.name(), |grad| {
                    tasks.par_iter().zip(dslots_pieces).zip(dw_pieces).for_each(
                        |((task, dslots), dw)| {
                            let choices = &routing.choices()[task.from..task.to];
                            let n = choices.len();
                            let gate_up = &gate_up[task.from * doubled..task.to * doubled];
                            let grad = &grad[task.from * hidden..task.to * hidden];
                            let mut dgate_up = vec![0.0; n * doubled];
                            let mut activated = vec![0.0; n * hidden];
                            activate_backward(gate_up, grad, &mut dgate_up, &mut activated, hidden);
                            let dgate_up = MatRef::new(&dgate_up, n, doubled);
                            let w = expert_matrix(w.into(), task.expert, doubled, width);
                            product(
                                MatMut::new(dslots, n, width),
                                dgate_up,
                                w,
                                false,
                                product_precision(),
                            );
                            let rows = gather(x, choices, routing.top_k(), width);
                            let rows = MatRef::new(&rows, n, width);
                            let dw = MatMut::new(dw, doubled, width);
                            product(dw, dgate_up.transposed(), rows, false, product_precision());
                        },
                    );
                    Ok(())
                })
            })
        })?;
        let dx = combine(&dslots, None, routing, width);
        Ok((
            Some(Tensor::from_vec(dx, x.shape(), x.device())?),
            Some(Tensor::from_vec(dw, w.shape(), w.device())?),
        ))
    }
}

/// From the activated slots (slots, F), weights (S, k) and `w_down` (E, D, F) to rows (S, D).
struct ExpertDown {
    routing: Arc<Routing>,
}

impl CustomOp3 for ExpertDown {
    fn name(&self) -> &'static str {
        "expert_down"
    }

    fn cpu_fwd(
        &self,
        activated: &CpuStorage,
        activated_layout: &Layout,
        weights: &CpuStorage,
        weights_layout: &Layout,
        w: &CpuStorage,
        w_layout: &Layout,
    ) -> Result<(CpuStorage, Shape)> {
        let (_, width, hidden) = w_layout.shape().dims3()?;
        let activated = f32_slice(activated, activated_layout, self.name())?;
        let weights = f32_slice(weights, weights_layout, self.name())?;
        let w = operand(w, w_layout, self.name())?;
        let routing = &*self.routing;
        let mut y = vec![0.0; routing.choices().len() * width];
        let tasks = tasks(routing, TASK_SLOTS);
        let y_pieces = pieces(&mut y, &tasks, width);
        tasks.par_iter().zip(y_pieces).for_each(|(task, y)| {
            let n = task.to - task.from;
            let rows = MatRef::new(&activated[task.from * hidden..task.to * hidden], n, hidden);
            let w = expert_matrix(w, task.expert, width, hidden).transposed();
            Right::prepare(w, n, product_precision()).product(
                MatMut::new(y, n, width),
                rows,
                false,
            );
        });
        let out = combine(&y, Some(weights), routing, width);
        Ok((CpuStorage::F32(out), (routing.num_rows(), width).into()))
    }

    fn bwd(
        &self,
        activated: &Tensor,
        weights: &Tensor,
        w: &Tensor,
        _out: &Tensor,
        grad: &Tensor,
    ) -> Result<(Option<Tensor>, Option<Tensor>, Option<Tensor>)> {
        let (_, width, hidden) = w.dims3()?;
        let routing = &*self.routing;
        let slots = routing.choices().len();
        let mut dactivated = vec![0.0; slots * hidden];
        let mut dslot_weights = vec![0.0; slots];
        let mut dw = vec![0.0; w.elem_count()];
        let tasks = tasks(routing, usize::MAX);
        let dactivated_pieces = pieces(&mut dactivated, &tasks, hidden);
        let dweights_pieces = pieces(&mut dslot_weights, &tasks, 1);
        let dw_pieces = expert_pieces(&mut dw, &tasks, width * hidden);
        let each = |task: &Task,
                    inputs: (&[f32], &[f32], &[f32], &[f32]),
                    outs: (&mut [f32], &mut [f32], &mut [f32])| {
            let (w, activated, weights, grad) = inputs;
            let (dactivated, dweights, dw) = outs;
            let choices = &routing.choices()[task.from..task.to];
            let n = choices.len();
            let activated = &activated[task.from * hidden..task.to * hidden];
            let grad = gather(grad, choices, routing.top_k(), width);
            let grad = MatRef::new(&grad, n, width);
            let w = expert_matrix(w.into(), task.expert, width, hidden);
            product(
                MatMut::new(&mut *dactivated, n, hidden),
                grad,
                w,
                false,
                product_precision(),
            );
            // So far these are the gradients of unweighted slots.
            let mut weighted = vec![0.0; n * hidden];
            for (i, &choice) in choices.iter().enumerate() {
                let weight = weights[choice as usize];
                let slot = i * hidden..(i + 1) * hidden;
                dweights[i] = dot_of(&dactivated[slot.clone()], &activated[slot.clone()]);
                scale_into(
                    &mut weighted[slot.clone()],
                    &activated[slot.clone()],
                    weight,
                );
                dactivated[slot].iter_mut().for_each(|v| *v *= weight);
            }
            let weighted = MatRef::new(&weighted, n, hidden);
            product(
                MatMut::new(dw, width, hidden),
                grad.transposed(),
                weighted,
                false,
                product_precision(),
            );
        };
        with_trained(w, self.name(), |w| {
            with_f32(activated, self.name(), |activated| {
                with_f32(weights, self.name(), |weights| {
                    with_f32(grad, self.name(), |grad| {
                        tasks
                            .par_iter()
                            .zip(dactivated_pieces)
                            .zip(dweights_pieces)
                            .zip(dw_pieces)
                            .for_each(|(((task, dactivated), dweights), dw)| {
                                let inputs = (w, activated, weights, grad);
                                each(task, inputs, (dactivated, dweights, dw));
                            });
                        Ok(())
                    })
                })
            })
        })?;
        let mut dweights = vec![0.0; weights.elem_count()];
        for (&choice, d) in routing.choices().iter().zip(&dslot_weights) {
            dweights[choice as usize] = *d;
        }
        Ok((
            Some(Tensor::from_vec(
                dactivated,
                activated.shape(),
                activated.device(),
            )?),
            Some(Tensor::from_vec(
                dweights,
                weights.shape(),
                weights.device(),
            )?),
            Some(Tensor::from_vec(dw, w.shape(), w.device())?),
        ))
    }
}

/// One expert's matrix of a stack of them.
fn expert_matrix(w: Values<'_>, expert: usize, rows: usize, cols: usize) -> MatRef<'_> {
    let size = rows * cols;
    MatRef::new(w.slice(expert * size, (expert + 1) * size), rows, cols)
}

/// The parts of `data`, `size` numbers an expert, of the experts that `tasks` are for.
fn expert_pieces<'a>(data: &'a mut [f32], tasks: &[Task], size: usize) -> Vec<&'a mut [f32]> {
    let mut experts = data.chunks_exact_mut(size).enumerate();
    let of = |task: &Task| experts.find(|(expert, _)| *expert == task.expert);
    tasks
        .iter()
        .filter_map(of)
        .map(|(_, piece)| piece)
        .collect()
}

/// Runs `f` on a weight that is to get a gradient.
///
/// Errors if it is not F32.
fn with_trained<R>(w: &Tensor, op: &'static str, f: impl FnOnce(&[f32]) -> Result<R>) -> Result<R> {
    if w.dtype() != DType::F32 {
        bail!("{op}: no gradient through a weight of type {:?}", w.dtype());
    }
    with_f32(w, op, f)
}

#[cfg(test)]
mod tests;
