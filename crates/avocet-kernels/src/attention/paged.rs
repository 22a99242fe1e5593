//! Attention over keys and values in pages, for inference alone.
//!
//! What a query gets depends on its own row and on the pages it sees. Queries beside it, how a
//! text was cut into steps, and the number of threads change no bit: a score is a sum over the
//! channels in order, an output a sum over the pages in order, and runs of pages begin at fixed
//! places. (Processors with AVX-512 round once a product and sum, others twice.)

use std::ops::Range;

use avocet_products::simd::vectorised;
use avocet_products::{MatMut, add_lanes};
use candle_core::{Result, Tensor, bail};
use rayon::prelude::*;

use super::forward::{Running, TILE_KEYS, online_softmax};
use super::pages::{KvPages, PAGE_ROWS, Page, padded};
use crate::slices::with_f32;

/// Rows (queries times the heads that share a key head) that one task computes, at most.
const TASK_ROWS: usize = 64;
/// Multiplications below which one thread is faster than several.
const PARALLEL: usize = 1 << 17;

/// What some consecutive queries see.
#[derive(Debug, Clone)]
pub struct PagedText<'a> {
    /// What may be seen, one after another: a text's own pages, or those of its images.
    pub pages: Vec<&'a KvPages>,
    /// For each query the first slot that it sees of all the pages, and the one after the last;
    /// see [`KvPages::num_slots`]. Slots that hold no row are not seen.
    pub ranges: &'a [(u32, u32)],
}

/// `softmax(scale * q k^T) v`, where the queries of each of `texts` see slots of its pages.
///
/// `q` is (S, H, K), the queries of the texts one after another; the result has its shape. With
/// `slopes`, one a query head, scores fall with the distance from the last slot of the range, as
/// in [`attention_alibi`](crate::attention_alibi). A query that sees nothing gets zero.
///
/// Errors if the shapes disagree, or a range ends behind the pages.
pub fn paged_attention(
    q: &Tensor,
    texts: &[PagedText<'_>],
    scale: f32,
    slopes: Option<&[f32]>,
) -> Result<Tensor> {
    let (num_queries, num_heads, head_dim) = q.dims3()?;
    let all: usize = texts.iter().map(|text| text.ranges.len()).sum();
    if all != num_queries {
        bail!("paged attention: {num_queries} queries but {all} ranges");
    }
    if let Some(slopes) = slopes.filter(|slopes| slopes.len() != num_heads) {
        bail!(
            "paged attention: {num_heads} heads but {} slopes",
            slopes.len()
        );
    }
    let mut pages = Vec::with_capacity(texts.len());
    for text in texts {
        pages.push(text.checked((num_heads, head_dim))?);
    }
    let (mut tasks, mut first, mut work) = (Vec::new(), 0, 0);
    for (text, pages) in texts.iter().zip(&pages) {
        let num_kv_heads = text.pages.first().map_or(0, |pages| pages.heads().0);
        let group = num_heads / num_kv_heads.max(1);
        let most = (TASK_ROWS / group.max(1)).max(1);
        for from in (0..text.ranges.len()).step_by(most) {
            let to = text.ranges.len().min(from + most);
            let slots = union(&text.ranges[from..to]);
            work += (to - from) * num_heads * head_dim * slots.len();
            tasks.extend((0..num_kv_heads).map(|kv_head| Task {
                pages,
                ranges: &text.ranges[from..to],
                slots: slots.clone(),
                first: first + from,
                kv_head,
                group,
            }));
        }
        first += text.ranges.len();
    }
    let heads = (num_heads, head_dim);
    let out = with_f32(q, "paged attention", |q| {
        let run = |task: &Task<'_>| task.run(q, heads, scale, slopes);
        let parts: Vec<Vec<f32>> = if work < PARALLEL {
            tasks.iter().map(run).collect()
        } else {
            tasks.par_iter().map(run).collect()
        };
        let mut out = vec![0.0; q.len()];
        for (task, part) in tasks.iter().zip(parts) {
            let width = task.group * head_dim;
            for (i, row) in part.chunks_exact(width).enumerate() {
                let at = (task.first + i) * num_heads * head_dim + task.kv_head * width;
                out[at..at + width].copy_from_slice(row);
            }
        }
        Ok(out)
    })?;
    Tensor::from_vec(out, q.shape(), q.device())
}

impl<'a> PagedText<'a> {
    /// All pages with their numbers of rows.
    ///
    /// Errors if they are of other heads, or there are fewer than the queries see.
    fn checked(&self, (num_heads, head_dim): (usize, usize)) -> Result<Vec<(&'a Page, usize)>> {
        if num_heads == 0 || head_dim == 0 {
            bail!("paged attention: {num_heads} heads of width {head_dim}");
        }
        for pages in &self.pages {
            let (num_kv_heads, width) = pages.heads();
            let fits = num_kv_heads > 0 && num_heads.is_multiple_of(num_kv_heads);
            if width != head_dim || !fits || pages.heads() != self.pages[0].heads() {
                bail!(
                    "paged attention: {num_heads} heads of width {head_dim} over {num_kv_heads} \
                     key heads of width {width}"
                );
            }
        }
        let pages: Vec<_> = self.pages.iter().flat_map(|pages| pages.pages()).collect();
        let slots = pages.len() * PAGE_ROWS;
        let beyond = |&&(lo, hi): &&(u32, u32)| lo < hi && hi as usize > slots;
        if let Some((lo, hi)) = self.ranges.iter().find(beyond) {
            bail!("paged attention: a query sees slots {lo} to {hi}, but there are {slots}");
        }
        Ok(pages)
    }
}

/// The slots that at least one query sees, and those between.
fn union(ranges: &[(u32, u32)]) -> Range<usize> {
    let seen = ranges.iter().filter(|(lo, hi)| lo < hi);
    let lo = seen.clone().map(|range| range.0).min().unwrap_or(0);
    let hi = seen.map(|range| range.1).max().unwrap_or(0);
    lo as usize..hi as usize
}

/// Some queries of a text, for the heads that share a key head.
struct Task<'a> {
    pages: &'a [(&'a Page, usize)],
    ranges: &'a [(u32, u32)],
    slots: Range<usize>,
    /// The first query.
    first: usize,
    kv_head: usize,
    group: usize,
}

impl Task<'_> {
    /// Outputs (queries * group, K).
    fn run(
        &self,
        q: &[f32],
        (num_heads, head_dim): (usize, usize),
        scale: f32,
        slopes: Option<&[f32]>,
    ) -> Vec<f32> {
        let (group, width) = (self.group, padded(head_dim));
        let rows = self.ranges.len() * group;
        let mut queries = Vec::with_capacity(rows * head_dim);
        for query in self.first..self.first + self.ranges.len() {
            let at = (query * num_heads + self.kv_head * group) * head_dim;
            queries.extend(q[at..at + group * head_dim].iter().map(|v| v * scale));
        }
        let slopes = slopes.map(|slopes| &slopes[self.kv_head * group..][..group]);
        let mut sums = vec![0.0; rows * width];
        let mut running = vec![Running::default(); rows];
        let mut scores = Vec::new();
        let start = self.slots.start / TILE_KEYS * TILE_KEYS;
        for tile in (start..self.slots.end).step_by(TILE_KEYS) {
            let first = tile.max(self.slots.start) / PAGE_ROWS;
            let end = (tile + TILE_KEYS).min(self.slots.end).div_ceil(PAGE_ROWS);
            let (pages, base) = (&self.pages[first..end], first * PAGE_ROWS);
            let n = pages.len() * PAGE_ROWS;
            scores.clear();
            scores.resize(rows * n, 0.0);
            for (i, (page, held)) in pages.iter().enumerate() {
                let (to, keys) = (i * PAGE_ROWS, page.keys(self.kv_head, head_dim));
                let scores_here = MatMut::strided(&mut scores[to..], rows, PAGE_ROWS, n);
                add_lanes(scores_here, &queries, head_dim, keys);
                if *held < PAGE_ROWS {
                    let empty = to + held..to + PAGE_ROWS;
                    for row in scores.chunks_exact_mut(n) {
                        row[empty.clone()].fill(f32::NEG_INFINITY);
                    }
                }
            }
            for (r, state) in running.iter_mut().enumerate() {
                let (lo, hi) = self.ranges[r / group];
                let row = &mut scores[r * n..(r + 1) * n];
                if let Some(slopes) = slopes {
                    add_distances(row, base as i32 + 1 - hi as i32, slopes[r % group]);
                }
                let clamp = |slot: u32| (slot as usize).clamp(base, base + n) - base;
                let largest = state.largest;
                online_softmax(row, clamp(lo), clamp(hi), state);
                if largest > f32::NEG_INFINITY && state.largest > largest {
                    let factor = (largest - state.largest).exp();
                    for sum in &mut sums[r * width..(r + 1) * width] {
                        *sum *= factor;
                    }
                }
            }
            for (i, (page, _)) in pages.iter().enumerate() {
                let values = page.values(self.kv_head, head_dim);
                for (group, values) in values.chunks_exact(PAGE_ROWS * PAGE_ROWS).enumerate() {
                    let to = &mut sums[group * PAGE_ROWS..];
                    let to = MatMut::strided(to, rows, PAGE_ROWS, width);
                    add_lanes(to, &scores[i * PAGE_ROWS..], n, values);
                }
            }
        }
        let mut out = Vec::with_capacity(rows * head_dim);
        for (state, sums) in running.iter().zip(sums.chunks_exact(width)) {
            let scale = if state.total == 0.0 {
                0.0
            } else {
                1.0 / state.total
            };
            out.extend(sums[..head_dim].iter().map(|sum| sum * scale));
        }
        out
    }
}

vectorised! {
    /// Adds `slope * (first + i)` to element i.
    fn add_distances(row: &mut [f32], first: i32, slope: f32) {
        for (i, score) in row.iter_mut().enumerate() {
            *score += slope * (first + i as i32) as f32;
        }
    }
}

#[cfg(test)]
mod tests;
