//! Experts whose matrices are tensors, in two operations: up to the activated slots, and down.

use avocet_products::Precision;
use avocet_products::simd::{dot_of, scale_into};
use avocet_products::{MatMut, MatRef, Right, Values, product};
use candle_core::{Result, Shape};
use rayon::prelude::*;

use super::slots::{TASK_SLOTS, Task, combine, gather, pieces, tasks};
use crate::fused::{FusedOp, Gradients, Inputs, Outcome, f32s};
use crate::router::Routing;
use crate::swiglu::{activate, activate_backward};

/// From rows (S, D) and `w_gate_up` (E, 2F, D) to the activated slots (slots, F).
pub(super) struct ExpertGateUp {
    pub(super) routing: Routing,
    pub(super) precision: Precision,
}

impl FusedOp<2> for ExpertGateUp {
    const NAME: &'static str = "expert_gate_up";
    /// The slots before their activation, (slots, 2F).
    type Saved = Vec<f32>;

    fn shape(&self, [_, w]: [&Shape; 2]) -> Result<Shape> {
        let (_, doubled, _) = w.dims3()?;
        Ok((self.routing.plan()?.choices.len(), doubled / 2).into())
    }

    fn forward(&self, [x, w]: Inputs<'_, 2>) -> Result<(Vec<f32>, Self::Saved)> {
        let (_, doubled, width) = w.shape.dims3()?;
        let (x, w, hidden) = (x.f32()?, w.values, doubled / 2);
        let plan = self.routing.plan()?;
        let slots = plan.choices.len();
        let mut gate_up = vec![0.0; slots * doubled];
        let mut activated = vec![0.0; slots * hidden];
        let tasks = tasks(plan, TASK_SLOTS);
        let gate_up_pieces = pieces(&mut gate_up, &tasks, doubled);
        let activated_pieces = pieces(&mut activated, &tasks, hidden);
        tasks
            .par_iter()
            .zip(gate_up_pieces)
            .zip(activated_pieces)
            .for_each(|((task, gate_up), activated)| {
                let choices = &plan.choices[task.from..task.to];
                let n = choices.len();
                let rows = gather(x, choices, plan.top_k, width);
                let rows = MatRef::new(&rows, n, width);
                let w = expert_matrix(w, task.expert, doubled, width).transposed();
                let right = Right::prepare(w, n, self.precision);
                right.product(MatMut::new(&mut *gate_up, n, doubled), rows, false);
                activate(gate_up, activated, hidden);
            });
        Ok((activated, gate_up))
    }

    fn backward(&self, inputs: Inputs<'_, 2>, result: Outcome<'_, Self::Saved>) -> Gradients<2> {
        let (_, doubled, width) = inputs[1].shape.dims3()?;
        let hidden = doubled / 2;
        let [x, w] = f32s(inputs)?;
        let plan = self.routing.plan()?;
        let mut dslots = vec![0.0; plan.choices.len() * width];
        let mut dw = vec![0.0; w.len()];
        let tasks = tasks(plan, usize::MAX);
        let dslots_pieces = pieces(&mut dslots, &tasks, width);
        let dw_pieces = expert_pieces(&mut dw, &tasks, doubled * width);
        let each = |((task, dslots), dw): ((&Task, &mut [f32]), &mut [f32])| {
            let choices = &plan.choices[task.from..task.to];
            let n = choices.len();
            let gate_up = &result.saved[task.from * doubled..task.to * doubled];
            let grad = &result.grad[task.from * hidden..task.to * hidden];
            let mut dgate_up = vec![0.0; n * doubled];
            let mut activated = vec![0.0; n * hidden];
            activate_backward(gate_up, grad, &mut dgate_up, &mut activated, hidden);
            let dgate_up = MatRef::new(&dgate_up, n, doubled);
            let w = expert_matrix(w.into(), task.expert, doubled, width);
            let to = MatMut::new(dslots, n, width);
            product(to, dgate_up, w, false, self.precision);
            let rows = gather(x, choices, plan.top_k, width);
            let rows = MatRef::new(&rows, n, width);
            let to = MatMut::new(dw, doubled, width);
            product(to, dgate_up.transposed(), rows, false, self.precision);
        };
        let work = tasks.par_iter().zip(dslots_pieces).zip(dw_pieces);
        work.for_each(each);
        Ok([combine(&dslots, None, plan, width).into(), dw.into()])
    }
}

/// From the activated slots (slots, F), weights (S, k) and `w_down` (E, D, F) to rows (S, D).
pub(super) struct ExpertDown {
    pub(super) routing: Routing,
    pub(super) precision: Precision,
}

impl FusedOp<3> for ExpertDown {
    const NAME: &'static str = "expert_down";
    type Saved = ();

    fn shape(&self, [_, _, w]: [&Shape; 3]) -> Result<Shape> {
        let (_, width, _) = w.dims3()?;
        Ok((self.routing.num_rows(), width).into())
    }

    fn forward(&self, [activated, weights, w]: Inputs<'_, 3>) -> Result<(Vec<f32>, ())> {
        let (_, width, hidden) = w.shape.dims3()?;
        let (activated, w) = (activated.f32()?, w.values);
        let plan = self.routing.plan()?;
        let mut y = vec![0.0; plan.choices.len() * width];
        let tasks = tasks(plan, TASK_SLOTS);
        let y_pieces = pieces(&mut y, &tasks, width);
        tasks.par_iter().zip(y_pieces).for_each(|(task, y)| {
            let n = task.to - task.from;
            let rows = MatRef::new(&activated[task.from * hidden..task.to * hidden], n, hidden);
            let w = expert_matrix(w, task.expert, width, hidden).transposed();
            let right = Right::prepare(w, n, self.precision);
            right.product(MatMut::new(y, n, width), rows, false);
        });
        Ok((combine(&y, Some(weights.f32()?), plan, width), ()))
    }

    fn backward(&self, inputs: Inputs<'_, 3>, result: Outcome<'_, ()>) -> Gradients<3> {
        let (_, width, hidden) = inputs[2].shape.dims3()?;
        let [activated, weights, w] = f32s(inputs)?;
        let plan = self.routing.plan()?;
        let slots = plan.choices.len();
        let mut dactivated = vec![0.0; slots * hidden];
        let mut dslot_weights = vec![0.0; slots];
        let mut dw = vec![0.0; w.len()];
        let tasks = tasks(plan, usize::MAX);
        let dactivated_pieces = pieces(&mut dactivated, &tasks, hidden);
        let dweights_pieces = pieces(&mut dslot_weights, &tasks, 1);
        let dw_pieces = expert_pieces(&mut dw, &tasks, width * hidden);
        let each = |task: &Task, dactivated: &mut [f32], dweights: &mut [f32], dw: &mut [f32]| {
            let choices = &plan.choices[task.from..task.to];
            let n = choices.len();
            let activated = &activated[task.from * hidden..task.to * hidden];
            let grad = gather(result.grad, choices, plan.top_k, width);
            let grad = MatRef::new(&grad, n, width);
            let w = expert_matrix(w.into(), task.expert, width, hidden);
            let to = MatMut::new(&mut *dactivated, n, hidden);
            product(to, grad, w, false, self.precision);
            // So far these are the gradients of unweighted slots.
            let mut weighted = vec![0.0; n * hidden];
            for (i, &choice) in choices.iter().enumerate() {
                let weight = weights[choice as usize];
                let slot = i * hidden..(i + 1) * hidden;
                let activated = &activated[slot.clone()];
                dweights[i] = dot_of(&dactivated[slot.clone()], activated);
                scale_into(&mut weighted[slot.clone()], activated, weight);
                dactivated[slot].iter_mut().for_each(|v| *v *= weight);
            }
            let weighted = MatRef::new(&weighted, n, hidden);
            let to = MatMut::new(dw, width, hidden);
            product(to, grad.transposed(), weighted, false, self.precision);
        };
        tasks
            .par_iter()
            .zip(dactivated_pieces)
            .zip(dweights_pieces)
            .zip(dw_pieces)
            .for_each(|(((task, dactivated), dweights), dw)| each(task, dactivated, dweights, dw));
        let mut dweights = vec![0.0; weights.len()];
        for (&choice, d) in plan.choices.iter().zip(&dslot_weights) {
            dweights[choice as usize] = *d;
        }
        Ok([dactivated.into(), dweights.into(), dw.into()])
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
