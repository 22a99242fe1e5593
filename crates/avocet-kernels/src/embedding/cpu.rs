//! Picking rows of a slice, and adding their gradients up.

use rayon::prelude::*;

/// Table rows whose gradients one task adds up; fixed, so that results do not depend on the
/// threads.
const CHUNK_ROWS: usize = 64;

/// The rows named by `ids`, one after another.
pub(super) fn gather(table: &[f32], ids: &[u32], width: usize) -> Vec<f32> {
    let mut out = Vec::with_capacity(ids.len() * width);
    for id in ids {
        let at = *id as usize * width;
        out.extend_from_slice(&table[at..at + width]);
    }
    out
}

/// The sums of the gradients of each row of a table (rows, width).
pub(super) fn scatter(grad: &[f32], ids: &[u32], (rows, width): (usize, usize)) -> Vec<f32> {
    let mut order: Vec<u32> = (0..ids.len() as u32).collect();
    order.sort_by_key(|i| ids[*i as usize]); // Stable: equal ids keep their positions' order.
    let mut sums = vec![0.0; rows * width];
    sums.par_chunks_mut((CHUNK_ROWS * width).max(1))
        .enumerate()
        .for_each(|(c, sums)| {
            let first = c * CHUNK_ROWS;
            let from = order.partition_point(|i| (ids[*i as usize] as usize) < first);
            for i in &order[from..] {
                let row = ids[*i as usize] as usize - first;
                if row >= CHUNK_ROWS {
                    break;
                }
                let at = *i as usize * width;
                let sum = &mut sums[row * width..(row + 1) * width];
                for (s, g) in sum.iter_mut().zip(&grad[at..at + width]) {
                    *s += g;
                }
            }
        });
    sums
}
