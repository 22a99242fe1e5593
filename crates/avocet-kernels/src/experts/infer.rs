//! Experts for inference: a row gets the same bits from its experts whoever else chose them.

use candle_core::{DType, Result, Tensor};
use rayon::prelude::*;

use super::slots::{TASK_SLOTS, combine, gather, pieces, tasks};
use super::{check_shapes, expert_ffn};
use crate::fused::is_fused;
use crate::router::Routing;
use crate::slices::with_f32;
use crate::swiglu::activate;
use crate::weight::{Numbers, StepRows, Weight, with_lines};

/// The weighted sum of each row's experts, (S, D), as [`expert_ffn`], for inference.
///
/// Errors as it does, and if `x` has another number of rows.
pub fn infer_experts(
    x: &Tensor,
    weights: &Tensor,
    (gate_up, down): (&Weight, &Weight),
    routing: &Routing,
    rows: StepRows,
) -> Result<Tensor> {
    rows.check(x)?;
    check_shapes(x, weights, gate_up, down, routing)?;
    let adapted = |w: &Weight| matches!(w.numbers, Numbers::Adapted(_));
    if !is_fused(x) || weights.dtype() != DType::F32 || adapted(gate_up) || adapted(down) {
        return expert_ffn(x, weights, gate_up, down, routing);
    }
    let plan = routing.plan()?;
    let precisions = [gate_up.precision, down.precision];
    let (width, hidden) = (down.dims()[1], down.dims()[2]);
    let out = with_lines(gate_up, |gate_up| {
        with_lines(down, |down| {
            with_f32(x, "infer", |x| {
                let mut y = vec![0.0; plan.choices.len() * width];
                let tasks = tasks(plan, TASK_SLOTS);
                let y_pieces = pieces(&mut y, &tasks, width);
                tasks.par_iter().zip(y_pieces).for_each(|(task, y)| {
                    // Choices are in the order of their rows.
                    let choices = &plan.choices[task.from..task.to];
                    let of_prompt = |choice: &u32| (*choice as usize / plan.top_k) < rows.prompt;
                    let prompt = choices.partition_point(of_prompt);
                    let answer = choices.len() - prompt;
                    let rows = StepRows { prompt, answer };
                    let of = |outputs: usize| task.expert * outputs..(task.expert + 1) * outputs;
                    let x = gather(x, choices, plan.top_k, width);
                    let wide = rows.product(gate_up, of(2 * hidden), &x, precisions[0]);
                    let mut activated = vec![0.0; choices.len() * hidden];
                    activate(&wide, &mut activated, hidden);
                    y.copy_from_slice(&rows.product(down, of(width), &activated, precisions[1]));
                });
                with_f32(weights, "infer", |weights| {
                    Ok(combine(&y, Some(weights), plan, width))
                })
            })
        })
    })?;
    Tensor::from_vec(out, (routing.num_rows(), width), x.device())
}
