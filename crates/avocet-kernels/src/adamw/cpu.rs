//! A step over slices.

use rayon::prelude::*;

use super::step::AdamWStep;

/// Elements that one task handles; fixed, so that results do not depend on the threads.
const CHUNK: usize = 1 << 15;

/// Moves `values` and both moments, one after the other in `moments`.
pub(super) fn step(values: &mut [f32], moments: &mut [f32], gradient: &[f32], step: &AdamWStep) {
    let (first, second) = moments.split_at_mut(values.len());
    let AdamWStep {
        kept,
        scale,
        beta1,
        beta2,
        step_size,
        correction2,
        eps,
    } = *step;
    let (rest1, rest2) = (1.0 - beta1, 1.0 - beta2);
    let chunks = values
        .par_chunks_mut(CHUNK)
        .zip(first.par_chunks_mut(CHUNK))
        .zip(second.par_chunks_mut(CHUNK))
        .zip(gradient.par_chunks(CHUNK));
    chunks.for_each(|(((p, m), v), g)| {
        for (((p, m), v), g) in p.iter_mut().zip(m).zip(v).zip(g) {
            let g = g * scale;
            *m = beta1 * *m + rest1 * g;
            *v = beta2 * *v + rest2 * g * g;
            *p = kept * *p - step_size * *m / (v.sqrt() / correction2 + eps);
        }
    });
}
