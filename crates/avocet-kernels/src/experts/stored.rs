//! Experts whose matrices are rows as a checkpoint stores them, in one operation.

use std::sync::Arc;

use avocet_products::Precision;
use avocet_products::stored::{StoredMatrix, product};
use candle_core::{Result, Var};
use rayon::prelude::*;

use super::by_expert::by_expert;
use super::slots::{TASK_SLOTS, combine, gather, pieces, tasks};
use crate::fused::{FusedOp, Gradient, Gradients, Inputs, Outcome};
use crate::placement::HOST;
use crate::router::Routing;
use crate::swiglu::activate;
use crate::weight::{Numbers, Weight};

/// From rows (S, D) and their weights (S, k) to rows (S, D).
pub(super) struct StoredExperts {
    pub(super) gate_up: Arc<StoredMatrix>,
    pub(super) down: Arc<StoredMatrix>,
    pub(super) routing: Routing,
    /// Of the products with `gate_up`, and with `down`.
    pub(super) precisions: [Precision; 2],
}

impl FusedOp<2> for StoredExperts {
    const NAME: &'static str = "stored_experts";
    type Saved = ();

    fn forward(&self, [x, weights]: Inputs<'_, 2>) -> Result<(Vec<f32>, ())> {
        let (x, weights) = (x.f32()?, weights.f32()?);
        let plan = self.routing.plan()?;
        let (doubled, width) = (self.gate_up.shape()[1], self.gate_up.shape()[2]);
        let hidden = doubled / 2;
        let mut y = vec![0.0; plan.choices.len() * width];
        let tasks = tasks(plan, TASK_SLOTS);
        let y_pieces = pieces(&mut y, &tasks, width);
        tasks.par_iter().zip(y_pieces).for_each(|(task, y)| {
            let choices = &plan.choices[task.from..task.to];
            let n = choices.len();
            let rows = gather(x, choices, plan.top_k, width);
            let of = |outputs: usize| task.expert * outputs..(task.expert + 1) * outputs;
            let gate_up = product(&self.gate_up, of(doubled), &rows, n, self.precisions[0]);
            let mut activated = vec![0.0; n * hidden];
            activate(&gate_up, &mut activated, hidden);
            let down = product(&self.down, of(width), &activated, n, self.precisions[1]);
            y.copy_from_slice(&down);
        });
        Ok((combine(&y, Some(weights), plan, width), ()))
    }

    /// Computes the experts again, as differentiable operations.
    fn backward(&self, [x, weights]: Inputs<'_, 2>, result: Outcome<'_, ()>) -> Gradients<2> {
        let x = Var::from_slice(x.f32()?, x.shape, &HOST)?;
        let weights = Var::from_slice(weights.f32()?, weights.shape, &HOST)?;
        let weight = |matrix: &Arc<StoredMatrix>, precision| {
            Weight::from(Numbers::Stored(matrix.clone())).with_precision(precision)
        };
        let gate_up = weight(&self.gate_up, self.precisions[0]);
        let down = weight(&self.down, self.precisions[1]);
        let out = by_expert(&x, &weights, &gate_up, &down, &self.routing)?;
        let upstream = result.grad_tensor.detach();
        let mut gradients = out.mul(&upstream)?.sum_all()?.backward()?;
        let mut gradient = |of: &Var| {
            gradients
                .remove(of)
                .map_or(Gradient::None, Gradient::Tensor)
        };
        Ok([gradient(&x), gradient(&weights)])
    }
}
