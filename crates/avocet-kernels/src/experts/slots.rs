//! The slots in which experts take rows, cut into tasks that no two threads share.

use avocet_products::simd::add_scaled;
use rayon::prelude::*;

use crate::router::Plan;

/// Slots one task of the forward computes; fixed, so that results do not depend on the threads.
pub(super) const TASK_SLOTS: usize = 512;
/// Rows one task adds up.
const COMBINE_ROWS: usize = 256;

/// A run of slots of one expert.
#[derive(Clone, Copy)]
pub(super) struct Task {
    pub(super) expert: usize,
    pub(super) from: usize,
    pub(super) to: usize,
}

/// The slots of all experts in runs of at most `longest`, in order.
pub(super) fn tasks(plan: &Plan, longest: usize) -> Vec<Task> {
    let mut tasks = Vec::new();
    for (expert, ends) in plan.offsets.windows(2).enumerate() {
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
pub(super) fn pieces<'a>(
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
pub(super) fn gather(x: &[f32], choices: &[u32], top_k: usize, width: usize) -> Vec<f32> {
    let mut rows = Vec::with_capacity(choices.len() * width);
    for &choice in choices {
        let row = choice as usize / top_k;
        rows.extend_from_slice(&x[row * width..(row + 1) * width]);
    }
    rows
}

/// Adds up the slots of each row, each times its weight if there are `weights`.
pub(super) fn combine(y: &[f32], weights: Option<&[f32]>, plan: &Plan, width: usize) -> Vec<f32> {
    let mut out = vec![0.0; plan.num_rows() * width];
    out.par_chunks_mut(COMBINE_ROWS * width)
        .enumerate()
        .for_each(|(chunk, out)| {
            for (i, out) in out.chunks_exact_mut(width).enumerate() {
                let row = chunk * COMBINE_ROWS + i;
                for (place, slot) in plan.slots_of(row).enumerate() {
                    if let Some(slot) = slot {
                        let weight = weights.map_or(1.0, |w| w[row * plan.top_k + place]);
                        add_scaled(out, &y[slot * width..(slot + 1) * width], weight);
                    }
                }
            }
        });
    out
}
