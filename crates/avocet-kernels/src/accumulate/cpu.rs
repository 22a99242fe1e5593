//! Sums over slices.

use rayon::prelude::*;

/// Elements that one task handles; fixed, so that results do not depend on the threads.
const CHUNK: usize = 1 << 15;

/// Adds `part` to `sum`.
pub(super) fn add(sum: &mut [f32], part: &[f32]) {
    let chunks = sum.par_chunks_mut(CHUNK).zip(part.par_chunks(CHUNK));
    chunks.for_each(|(a, b)| a.iter_mut().zip(b).for_each(|(a, b)| *a += b));
}

/// Sum of squares, chunk by chunk in their order.
pub(super) fn square_sum(values: &[f32]) -> f64 {
    let sums: Vec<f64> = values.par_chunks(CHUNK).map(squares).collect();
    sums.iter().sum()
}

/// Sum of squares in 16 lanes of f64, so that the order is fixed and the compiler vectorises it.
fn squares(values: &[f32]) -> f64 {
    let mut lanes = [0f64; 16];
    let whole = values.chunks_exact(16);
    let rest: f64 = whole
        .remainder()
        .iter()
        .map(|&x| f64::from(x).powi(2))
        .sum();
    for chunk in whole {
        for (lane, &x) in lanes.iter_mut().zip(chunk) {
            *lane += f64::from(x) * f64::from(x);
        }
    }
    lanes.iter().sum::<f64>() + rest
}
