//! The loss and its gradients over slices, group of rows by group of rows.

use avocet_products::Precision;
use avocet_products::simd::{max, softmax_in_place, sum, vectorised};
use avocet_products::{MatMut, MatRef, Right};
use rayon::prelude::*;

/// Rows whose logits one task computes; fixed, so that results do not depend on the threads.
const CHUNK_ROWS: usize = 64;
/// Chunks whose logits exist at the same time, at most.
const GROUP_CHUNKS: usize = 16;
/// Logits that exist at the same time, at most (unless one chunk alone has more).
const GROUP_LOGITS: usize = 1 << 23;
/// Rows of the head whose gradient one task computes.
const HEAD_ROWS: usize = 128;

/// Probabilities below this count as zero in gradients.
const NEGLIGIBLE: f32 = 1e-30;

/// A row that counts.
pub(super) struct Kept {
    pub(super) row: usize,
    pub(super) target: usize,
    pub(super) weight: f32,
}

/// The loss, and the gradients of `h` (S, `width`) and `w` (V, `width`) for a gradient of 1 in it,
/// each empty unless wanted.
pub(super) fn loss_and_gradients(
    h: &[f32],
    w: &[f32],
    width: usize,
    kept: &[Kept],
    (wants_dh, wants_dw): (bool, bool),
    precision: Precision,
) -> (f32, Vec<f32>, Vec<f32>) {
    let vocab = w.len() / width;
    let mut dh = vec![0.0; if wants_dh { h.len() } else { 0 }];
    let mut dw = vec![0.0; if wants_dw { w.len() } else { 0 }];
    let chunks = (GROUP_LOGITS / (CHUNK_ROWS * vocab).max(1)).clamp(1, GROUP_CHUNKS);
    let mut logits = vec![0.0; (chunks * CHUNK_ROWS).min(kept.len()) * vocab];
    let mut loss = 0.0f64;
    let head = MatRef::new(w, vocab, width);
    let to_logits = Right::prepare_parallel(head.transposed(), kept.len(), precision);
    let wants_gradient = wants_dh || wants_dw;
    let to_dh = wants_dh.then(|| Right::prepare_parallel(head, kept.len(), precision));
    for group in kept.chunks(chunks * CHUNK_ROWS) {
        let rows = gather(h, width, group);
        let logits = &mut logits[..group.len() * vocab];
        let losses: Vec<f64> = logits
            .par_chunks_mut(CHUNK_ROWS * vocab)
            .zip(rows.par_chunks(CHUNK_ROWS * width))
            .zip(group.par_chunks(CHUNK_ROWS))
            .map(|((logits, rows), kept)| {
                let n = kept.len();
                let rows = MatRef::new(rows, n, width);
                to_logits.product(MatMut::new(logits, n, vocab), rows, false);
                chunk_loss(logits, kept, vocab, wants_gradient)
            })
            .collect();
        loss += losses.iter().sum::<f64>();
        if let Some(to_dh) = &to_dh {
            let mut dh_rows = vec![0.0; rows.len()];
            dh_rows
                .par_chunks_mut(CHUNK_ROWS * width)
                .zip(logits.par_chunks(CHUNK_ROWS * vocab))
                .for_each(|(dh, logits)| {
                    let n = logits.len() / vocab;
                    let g = MatRef::new(logits, n, vocab);
                    to_dh.product(MatMut::new(dh, n, width), g, false);
                });
            scatter(&dh_rows, &mut dh, width, group);
        }
        if wants_dw {
            let rows = MatRef::new(&rows, group.len(), width);
            let to_dw = Right::prepare_parallel(rows, vocab, precision);
            dw.par_chunks_mut(HEAD_ROWS * width)
                .enumerate()
                .for_each(|(i, dw)| {
                    let from = i * HEAD_ROWS;
                    let n = dw.len() / width;
                    let g = MatRef::strided(&logits[from..], group.len(), n, vocab, 1);
                    to_dw.product(MatMut::new(dw, n, width), g.transposed(), true);
                });
        }
    }
    (loss as f32, dh, dw)
}

/// The rows of `h` that count, one after another.
fn gather(h: &[f32], width: usize, kept: &[Kept]) -> Vec<f32> {
    let mut rows = Vec::with_capacity(kept.len() * width);
    for kept in kept {
        rows.extend_from_slice(&h[kept.row * width..][..width]);
    }
    rows
}

fn scatter(rows: &[f32], out: &mut [f32], width: usize, kept: &[Kept]) {
    for (i, kept) in kept.iter().enumerate() {
        out[kept.row * width..][..width].copy_from_slice(&rows[i * width..][..width]);
    }
}

/// Adds up the weighted losses of a chunk of logits and, if wanted, turns the logits into the
/// gradients with respect to them.
fn chunk_loss(logits: &mut [f32], kept: &[Kept], vocab: usize, wants_gradient: bool) -> f64 {
    let mut loss = 0.0;
    for (row, kept) in logits.chunks_exact_mut(vocab).zip(kept) {
        let target = row[kept.target];
        let normaliser = if wants_gradient {
            let normaliser = softmax_in_place(row);
            scale_in_place(row, kept.weight);
            row[kept.target] -= kept.weight;
            normaliser
        } else {
            logsumexp_in_place(row)
        };
        loss += f64::from(kept.weight) * (f64::from(normaliser) - f64::from(target));
    }
    loss
}

vectorised! {
    /// Scales probabilities; those too small to matter become zero, because products of denormal
    /// numbers are many times slower.
    fn scale_in_place(row: &mut [f32], scale: f32) {
        for v in row.iter_mut() {
            *v = if *v < NEGLIGIBLE { 0.0 } else { *v * scale };
        }
    }
}

vectorised! {
    fn logsumexp_in_place(row: &mut [f32]) -> f32 {
        let largest = max(row);
        for v in row.iter_mut() {
            *v = avocet_products::simd::exp(*v - largest);
        }
        largest + sum(row).ln()
    }
}
