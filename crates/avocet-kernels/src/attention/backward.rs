//! The backward of attention: probabilities again from the log-sum-exp, gradients of keys and
//! values straight into place, or in one buffer a piece and added up in a fixed order.

use avocet_products::simd::{dot, exp, vectorised};
use avocet_products::{MatMut, MatRef, product_sequential};
use rayon::prelude::*;

use super::blocks::{Block, Piece, are_disjoint, pieces};
use super::forward::{split_by_queries, tiles};
use super::{Attention, AttentionShape};

/// Keys whose partial gradients one task adds up; fixed, so that results do not depend on the
/// threads.
const SUM_KEYS: usize = 64;

/// Probabilities below this count as zero.
const NEGLIGIBLE: f32 = 1e-30;

/// The arguments of one backward.
struct Saved<'a> {
    q: &'a [f32],
    k: &'a [f32],
    v: &'a [f32],
    out: &'a [f32],
    grad: &'a [f32],
    logsumexp: &'a [f32],
}

impl Attention {
    /// Gradients of queries, keys and values.
    pub(super) fn gradients(
        &self,
        q: &[f32],
        k: &[f32],
        v: &[f32],
        out: &[f32],
        grad: &[f32],
        logsumexp: &[f32],
    ) -> (Vec<f32>, Vec<f32>, Vec<f32>) {
        let saved = Saved {
            q,
            k,
            v,
            out,
            grad,
            logsumexp,
        };
        let mut dq = vec![0.0; q.len()];
        let pieces = pieces(&self.blocks);
        let dqs = split_by_queries(&self.blocks, &mut dq, self.shape.query_width());
        if are_disjoint(&pieces) {
            let (mut dk, mut dv) = (vec![0.0; k.len()], vec![0.0; v.len()]);
            let dks = self.split_by_keys(&pieces, &mut dk);
            let dvs = self.split_by_keys(&pieces, &mut dv);
            by_piece(&pieces, dqs)
                .into_par_iter()
                .zip(dks.into_par_iter().zip(dvs))
                .for_each_init(Scratch::default, |scratch, ((piece, dqs), (dk, dv))| {
                    self.backward_piece(piece, dqs, dk, dv, &saved, scratch);
                });
            return (dq, dk, dv);
        }
        let (dks, dvs): (Vec<Vec<f32>>, Vec<Vec<f32>>) = by_piece(&pieces, dqs)
            .into_par_iter()
            .map_init(Scratch::default, |scratch, (piece, dqs)| {
                let len = piece.keys.len() * self.shape.key_width();
                let (mut dk, mut dv) = (vec![0.0; len], vec![0.0; len]);
                self.backward_piece(piece, dqs, &mut dk, &mut dv, &saved, scratch);
                (dk, dv)
            })
            .unzip();
        (dq, self.add_up(&pieces, &dks), self.add_up(&pieces, &dvs))
    }

    /// Fills the blocks' query gradients and adds to those of the piece's keys and values.
    fn backward_piece(
        &self,
        piece: &Piece<'_>,
        dqs: Vec<&mut [f32]>,
        dk: &mut [f32],
        dv: &mut [f32],
        saved: &Saved<'_>,
        scratch: &mut Scratch,
    ) {
        for (block, dq) in piece.blocks.iter().zip(dqs) {
            for kv_head in 0..self.shape.num_kv_heads {
                let first_key = piece.keys.start;
                let into = Gradients {
                    dq,
                    dk,
                    dv,
                    first_key,
                };
                self.backward_block(block, kv_head, saved, into, scratch);
            }
        }
    }

    /// The rows of `all` that belong to each piece; the pieces must be disjoint.
    fn split_by_keys<'a>(&self, pieces: &[Piece<'_>], all: &'a mut [f32]) -> Vec<&'a mut [f32]> {
        let width = self.shape.key_width();
        let (mut rest, mut at) = (all, 0);
        let mut parts = Vec::with_capacity(pieces.len());
        for piece in pieces {
            let (_, tail) = rest.split_at_mut((piece.keys.start - at) * width);
            let (part, tail) = tail.split_at_mut(piece.keys.len() * width);
            parts.push(part);
            (rest, at) = (tail, piece.keys.end);
        }
        parts
    }

    fn backward_block(
        &self,
        block: &Block,
        kv_head: usize,
        saved: &Saved<'_>,
        into: Gradients<'_>,
        scratch: &mut Scratch,
    ) {
        let AttentionShape {
            num_heads,
            head_dim,
            ..
        } = self.shape;
        let (group, key_width) = (self.shape.group(), self.shape.key_width());
        let rows = block.queries.len() * group;
        let Scratch {
            queries,
            grads,
            outs,
            dqueries,
            deltas,
            p,
            ds,
        } = scratch;
        self.stack(block, kv_head, saved.q, self.scale, queries);
        self.stack(block, kv_head, saved.grad, 1.0, grads);
        self.stack(block, kv_head, saved.out, 1.0, outs);
        deltas.clear();
        deltas.resize(rows, 0.0);
        row_products(grads, outs, head_dim, deltas);
        dqueries.clear();
        dqueries.resize(rows * head_dim, 0.0);
        let (queries, grads) = (
            MatRef::new(&queries[..], rows, head_dim),
            MatRef::new(&grads[..], rows, head_dim),
        );
        for tile in tiles(&block.keys) {
            let n = tile.len();
            let keys = self.keys(saved.k, kv_head, &tile);
            let values = self.keys(saved.v, kv_head, &tile);
            p.resize(p.len().max(rows * n), 0.0);
            ds.resize(ds.len().max(rows * n), 0.0);
            let (p, ds) = (&mut p[..rows * n], &mut ds[..rows * n]);
            product_sequential(
                MatMut::new(p, rows, n),
                queries,
                keys.transposed(),
                false,
                self.precision,
            );
            self.add_alibi(block, kv_head, &tile, p);
            product_sequential(
                MatMut::new(ds, rows, n),
                grads,
                values.transposed(),
                false,
                self.precision,
            );
            for (i, span) in self.spans(block, &tile).enumerate() {
                for g in 0..group {
                    let r = i * group + g;
                    let at = (block.queries.start + i) * num_heads + kv_head * group + g;
                    probabilities_and_score_gradients(
                        &mut p[r * n..(r + 1) * n],
                        &mut ds[r * n..(r + 1) * n],
                        span.start,
                        span.end,
                        saved.logsumexp[at],
                        deltas[r],
                    );
                }
            }
            let at = (tile.start - into.first_key) * key_width + kv_head * head_dim;
            let (p, ds) = (MatRef::new(&p[..], rows, n), MatRef::new(&ds[..], rows, n));
            let dv = MatMut::strided(&mut into.dv[at..], n, head_dim, key_width);
            product_sequential(dv, p.transposed(), grads, true, self.precision);
            let dk = MatMut::strided(&mut into.dk[at..], n, head_dim, key_width);
            product_sequential(dk, ds.transposed(), queries, true, self.precision);
            product_sequential(
                MatMut::new(dqueries, rows, head_dim),
                ds,
                keys,
                true,
                self.precision,
            );
        }
        let group_width = group * head_dim;
        for (i, row) in dqueries.chunks_exact(group_width).enumerate() {
            let at = i * self.shape.query_width() + kv_head * group_width;
            for (to, v) in into.dq[at..at + group_width].iter_mut().zip(row) {
                *to = v * self.scale;
            }
        }
    }

    /// The key gradients (Sk, KV, K): for each key, the pieces that hold it, in their order.
    fn add_up(&self, pieces: &[Piece<'_>], parts: &[Vec<f32>]) -> Vec<f32> {
        let width = self.shape.key_width();
        let mut total = vec![0.0; self.shape.num_keys * width];
        total
            .par_chunks_mut((SUM_KEYS * width).max(1))
            .enumerate()
            .for_each(|(c, total)| {
                let first = c * SUM_KEYS;
                let last = first + total.len() / width;
                for (piece, part) in pieces.iter().zip(parts) {
                    let (lo, hi) = (piece.keys.start.max(first), piece.keys.end.min(last));
                    if lo < hi {
                        let to = &mut total[(lo - first) * width..(hi - first) * width];
                        for (to, v) in to.iter_mut().zip(&part[(lo - piece.keys.start) * width..]) {
                            *to += v;
                        }
                    }
                }
            });
        total
    }
}

/// Each piece with the query gradients of its blocks.
fn by_piece<'a, 'p>(
    pieces: &'p [Piece<'p>],
    dqs: Vec<&'a mut [f32]>,
) -> Vec<(&'p Piece<'p>, Vec<&'a mut [f32]>)> {
    let mut dqs = dqs.into_iter();
    pieces
        .iter()
        .map(|piece| (piece, dqs.by_ref().take(piece.blocks.len()).collect()))
        .collect()
}

/// Where a block's gradients go.
struct Gradients<'a> {
    dq: &'a mut [f32],
    dk: &'a mut [f32],
    dv: &'a mut [f32],
    /// The key of the first row of `dk` and `dv`.
    first_key: usize,
}

/// Buffers that one thread uses for block after block.
#[derive(Default)]
struct Scratch {
    queries: Vec<f32>,
    grads: Vec<f32>,
    outs: Vec<f32>,
    dqueries: Vec<f32>,
    deltas: Vec<f32>,
    p: Vec<f32>,
    ds: Vec<f32>,
}

vectorised! {
    /// The product of each row of `a` with the same row of `b`.
    fn row_products(a: &[f32], b: &[f32], width: usize, products: &mut [f32]) {
        for (i, product) in products.iter_mut().enumerate() {
            *product = dot(&a[i * width..(i + 1) * width], &b[i * width..(i + 1) * width]);
        }
    }
}

vectorised! {
    /// Turns scores into probabilities and their gradients into score gradients, within `lo..hi`;
    /// both are zero outside.
    fn probabilities_and_score_gradients(
        p: &mut [f32],
        ds: &mut [f32],
        lo: usize,
        hi: usize,
        logsumexp: f32,
        delta: f32,
    ) {
        let hi = hi.max(lo);
        for row in [&mut *p, &mut *ds] {
            row[..lo].fill(0.0);
            row[hi..].fill(0.0);
        }
        for (p, ds) in p[lo..hi].iter_mut().zip(&mut ds[lo..hi]) {
            let probability = exp(*p - logsumexp);
            // Products of denormal numbers are many times slower.
            *p = if probability < NEGLIGIBLE { 0.0 } else { probability };
            *ds = *p * (*ds - delta);
        }
    }
}
