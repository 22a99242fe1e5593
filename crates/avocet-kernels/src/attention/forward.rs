//! The forward of attention: online softmax over tiles of keys, block by block.

use std::ops::Range;

use avocet_products::simd::{exp, max, sum, vectorised};
use avocet_products::{MatMut, MatRef, product_sequential};
use rayon::prelude::*;

use super::blocks::Block;
use super::{Attention, AttentionShape};

/// Keys whose scores exist at the same time, at most.
pub(super) const TILE_KEYS: usize = 512;

impl Attention {
    /// Outputs (Sq, H, K) and log-sum-exps (Sq, H).
    pub(super) fn attend(&self, q: &[f32], k: &[f32], v: &[f32]) -> (Vec<f32>, Vec<f32>) {
        let AttentionShape {
            num_queries,
            num_heads,
            ..
        } = self.shape;
        let width = self.shape.query_width();
        let mut out = vec![0.0; num_queries * width];
        let mut logsumexp = vec![0.0; num_queries * num_heads];
        let outs = split_by_queries(&self.blocks, &mut out, width);
        let sums = split_by_queries(&self.blocks, &mut logsumexp, num_heads);
        self.blocks
            .par_iter()
            .zip(outs)
            .zip(sums)
            .for_each_init(Scratch::default, |s, work| {
                let ((block, out), logsumexp) = work;
                for kv_head in 0..self.shape.num_kv_heads {
                    self.forward_block(block, kv_head, (q, k, v), out, logsumexp, s);
                }
            });
        (out, logsumexp)
    }

    fn forward_block(
        &self,
        block: &Block,
        kv_head: usize,
        (q, k, v): (&[f32], &[f32], &[f32]),
        out: &mut [f32],
        logsumexp: &mut [f32],
        scratch: &mut Scratch,
    ) {
        let AttentionShape {
            num_heads,
            head_dim,
            ..
        } = self.shape;
        let group = self.shape.group();
        let rows = block.queries.len() * group;
        let Scratch {
            queries,
            scores,
            sums,
            running,
        } = scratch;
        self.stack(block, kv_head, q, self.scale, queries);
        sums.clear();
        sums.resize(rows * head_dim, 0.0);
        running.clear();
        running.resize(rows, Running::default());
        for tile in tiles(&block.keys) {
            let n = tile.len();
            scores.resize(scores.len().max(rows * n), 0.0);
            let scores = &mut scores[..rows * n];
            product_sequential(
                MatMut::new(scores, rows, n),
                MatRef::new(&queries[..], rows, head_dim),
                self.keys(k, kv_head, &tile).transposed(),
                false,
                self.precision,
            );
            self.add_alibi(block, kv_head, &tile, scores);
            let spans = self.spans(block, &tile);
            for (i, span) in spans.enumerate() {
                for r in i * group..(i + 1) * group {
                    let state = &mut running[r];
                    let row = &mut scores[r * n..(r + 1) * n];
                    let largest = state.largest;
                    online_softmax(row, span.start, span.end, state);
                    if largest > f32::NEG_INFINITY && state.largest > largest {
                        let factor = (largest - state.largest).exp();
                        for v in &mut sums[r * head_dim..(r + 1) * head_dim] {
                            *v *= factor;
                        }
                    }
                }
            }
            product_sequential(
                MatMut::new(sums, rows, head_dim),
                MatRef::new(&scores[..], rows, n),
                self.keys(v, kv_head, &tile),
                true,
                self.precision,
            );
        }
        for (r, state) in running.iter().enumerate() {
            let head = kv_head * group + r % group;
            let at = (r / group) * num_heads + head;
            let scale = 1.0 / state.total;
            let to = &mut out[at * head_dim..(at + 1) * head_dim];
            for (to, v) in to.iter_mut().zip(&sums[r * head_dim..(r + 1) * head_dim]) {
                *to = v * scale;
            }
            logsumexp[at] = state.largest + state.total.ln();
        }
    }

    /// Stacks the block's rows of the heads that share `kv_head`, times `scale`:
    /// (queries * group, K).
    pub(super) fn stack(
        &self,
        block: &Block,
        kv_head: usize,
        q: &[f32],
        scale: f32,
        stacked: &mut Vec<f32>,
    ) {
        let width = self.shape.query_width();
        let group_width = self.shape.group() * self.shape.head_dim;
        stacked.clear();
        for query in block.queries.clone() {
            let row = &q[query * width + kv_head * group_width..][..group_width];
            stacked.extend(row.iter().map(|v| v * scale));
        }
    }

    /// The keys (or values) of one head in a range, (keys, K).
    pub(super) fn keys<'a>(&self, k: &'a [f32], head: usize, keys: &Range<usize>) -> MatRef<'a> {
        let AttentionShape { head_dim, .. } = self.shape;
        let width = self.shape.key_width();
        let from = (keys.start * width + head * head_dim).min(k.len());
        MatRef::strided(&k[from..], keys.len(), head_dim, width, 1)
    }

    /// Which part of `tile` each query of the block sees, counted from the tile's start.
    pub(super) fn spans(
        &self,
        block: &Block,
        tile: &Range<usize>,
    ) -> impl Iterator<Item = Range<usize>> {
        let ranges = &self.ranges.as_slice()[block.queries.clone()];
        ranges.iter().map(move |&(lo, hi)| {
            let clamp = |key: u32| (key as usize).clamp(tile.start, tile.end) - tile.start;
            clamp(lo)..clamp(hi)
        })
    }
}

/// The tiles of a key range.
pub(super) fn tiles(keys: &Range<usize>) -> impl Iterator<Item = Range<usize>> {
    let end = keys.end;
    keys.clone()
        .step_by(TILE_KEYS)
        .map(move |from| from..end.min(from + TILE_KEYS))
}

/// The rows of `all` that belong to each block.
pub(super) fn split_by_queries<'a>(
    blocks: &[Block],
    all: &'a mut [f32],
    width: usize,
) -> Vec<&'a mut [f32]> {
    let mut rest = all;
    let mut at = 0;
    let mut parts = Vec::with_capacity(blocks.len());
    for block in blocks {
        let (_, tail) = rest.split_at_mut((block.queries.start - at) * width);
        let (part, tail) = tail.split_at_mut(block.queries.len() * width);
        parts.push(part);
        (rest, at) = (tail, block.queries.end);
    }
    parts
}

/// Buffers that one thread uses for block after block.
#[derive(Default)]
struct Scratch {
    queries: Vec<f32>,
    scores: Vec<f32>,
    sums: Vec<f32>,
    running: Vec<Running>,
}

/// Largest score of a row so far, and the sum of exponentials relative to it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Running {
    pub(super) largest: f32,
    pub(super) total: f32,
}

impl Default for Running {
    fn default() -> Self {
        Self {
            largest: f32::NEG_INFINITY,
            total: 0.0,
        }
    }
}

vectorised! {
    /// Replaces the scores in `lo..hi` by exponentials relative to the largest so far, the others
    /// by zero, and brings `state` up to date.
    pub(super) fn online_softmax(row: &mut [f32], lo: usize, hi: usize, state: &mut Running) {
        row[..lo].fill(0.0);
        row[hi.max(lo)..].fill(0.0);
        if lo >= hi {
            return;
        }
        let row = &mut row[lo..hi];
        let largest = max(row);
        let largest = if largest > state.largest { largest } else { state.largest };
        for v in row.iter_mut() {
            *v = exp(*v - largest);
        }
        state.total = state.total * exp(state.largest - largest) + sum(row);
        state.largest = largest;
    }
}
