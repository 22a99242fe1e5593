//! Products with stored rows, and the gradient of one.

use std::ops::Range;

use rayon::prelude::*;

use super::left::{Left, SIDE};
use super::matrix::{StoredMatrix, TASK_NUMBERS};
use crate::dense::{Right, product as dense_product};
use crate::kernels::Kernels;
use crate::level::Level;
use crate::matrix::{MatMut, MatRef};
use crate::precision::Precision;

/// Most rows of x that are multiplied with the stored rows as they lie.
const MAX_THIN_ROWS: usize = 16;
/// Rows of x that one product takes, so that they stay in the cache.
const LEFT_ROWS: usize = 256;
/// Rows of x that are multiplied at once where their number may change no bit: of more, stored rows
/// are widened first, which gives other sums.
const FEW_ROWS: usize = SIDE;
/// Stored rows that a gradient widens at a time.
const GRADIENT_ROWS: usize = 512;

/// `x w^T` for `num_rows` rows `x` and some rows of each of several matrices of its width, on all
/// threads at once, as the stored rows lie: every row has the same sums however many there are.
///
/// Panics if `x` has another width than a matrix, or a matrix lacks a row.
pub fn products_of_few(
    of: &[(&StoredMatrix, Range<usize>)],
    x: &[f32],
    num_rows: usize,
) -> Vec<Vec<f32>> {
    products_of_few_by(Level::current().kernels(), of, x, num_rows)
}

pub(crate) fn products_of_few_by(
    kernels: &'static Kernels,
    of: &[(&StoredMatrix, Range<usize>)],
    x: &[f32],
    num_rows: usize,
) -> Vec<Vec<f32>> {
    let depth = x.len() / num_rows.max(1);
    let fits = |(w, _): &(&StoredMatrix, Range<usize>)| w.cols * num_rows == x.len();
    assert!(of.iter().all(fits), "the width of x");
    let outs = of.iter().map(|(_, rows)| vec![0.0; num_rows * rows.len()]);
    let mut outs: Vec<Vec<f32>> = outs.collect();
    if x.is_empty() {
        return outs;
    }
    let lefts = x.chunks(FEW_ROWS * depth);
    let needs = || of.iter().flat_map(|(w, rows)| w.needs(kernels, rows));
    let lefts = lefts.map(|x| Left::new(x, x.len() / depth, depth, needs()));
    let lefts: Vec<Left<'_>> = lefts.collect();
    let each = task_rows(depth, 1);
    let mut tasks = Vec::new();
    for (w, rows) in of {
        let starts = rows.clone().step_by(each);
        tasks.extend(starts.map(|from| (*w, from..rows.end.min(from + each))));
    }
    let run = |(w, rows): (&StoredMatrix, Range<usize>)| {
        let mut out = vec![0.0; num_rows * rows.len()];
        let outs = out.chunks_mut(FEW_ROWS * rows.len());
        for (left, out) in lefts.iter().zip(outs) {
            thin_product(kernels, w, rows.clone(), left, out);
        }
        out
    };
    let parts: Vec<Vec<f32>> = match tasks.len() {
        1 => tasks.into_iter().map(run).collect(),
        _ => tasks.into_par_iter().map(run).collect(),
    };
    let mut parts = parts.as_slice();
    for (out, (_, rows)) in outs.iter_mut().zip(of) {
        let (own, others) = parts.split_at(rows.len().div_ceil(each));
        join(own, 0, out, rows.len().max(1));
        parts = others;
    }
    outs
}

/// `x w^T` for `num_rows` rows `x` and the rows `rows` of `w`, on all threads, row after row.
/// Many rows `x` are multiplied with widened rows of `w`, both read in `precision`.
///
/// Panics if `x` has another width or `w` lacks a row.
pub fn product(
    w: &StoredMatrix,
    rows: Range<usize>,
    x: &[f32],
    num_rows: usize,
    precision: Precision,
) -> Vec<f32> {
    product_by(Level::current().kernels(), w, rows, x, num_rows, precision)
}

pub(super) fn product_by(
    kernels: &'static Kernels,
    w: &StoredMatrix,
    rows: Range<usize>,
    x: &[f32],
    num_rows: usize,
    precision: Precision,
) -> Vec<f32> {
    let (depth, outputs) = (w.cols, rows.len());
    assert!(x.len() == num_rows * depth, "the width of x");
    if num_rows == 1 {
        return products_of_few_by(kernels, &[(w, rows)], x, 1).swap_remove(0);
    }
    let mut out = vec![0.0; num_rows * outputs];
    if out.is_empty() || depth == 0 {
        return out;
    }
    let each = task_rows(depth, num_rows);
    let starts: Vec<usize> = (0..outputs).step_by(each).collect();
    let task = |from: usize| rows.start + from..rows.end.min(rows.start + from + each);
    if num_rows > MAX_THIN_ROWS {
        let part = |from: &usize| dense_part(kernels, w, task(*from), x, num_rows, precision);
        let parts: Vec<Vec<f32>> = starts.par_iter().map(part).collect();
        let chunks = out.par_chunks_mut(LEFT_ROWS * outputs).enumerate();
        chunks.for_each(|(i, out)| join(&parts, i * LEFT_ROWS, out, outputs));
        return out;
    }
    let left = Left::new(x, num_rows, depth, w.needs(kernels, &rows));
    if starts.len() == 1 {
        thin_product(kernels, w, rows, &left, &mut out);
    } else {
        let part = |from: &usize| {
            let task = task(*from);
            let mut out = vec![0.0; num_rows * task.len()];
            thin_product(kernels, w, task, &left, &mut out);
            out
        };
        let parts: Vec<Vec<f32>> = starts.par_iter().map(part).collect();
        join(&parts, 0, &mut out, outputs);
    }
    out
}

/// Puts the rows from `first` on of parts of all `outputs` side by side, as many as `out` holds.
fn join(parts: &[Vec<f32>], first: usize, out: &mut [f32], outputs: usize) {
    let total: usize = parts.iter().map(Vec::len).sum();
    let num_rows = total / outputs;
    for (i, mut out) in out.chunks_exact_mut(outputs).enumerate() {
        for part in parts {
            let width = part.len() / num_rows;
            let (here, rest) = out.split_at_mut(width);
            here.copy_from_slice(&part[(first + i) * width..][..width]);
            out = rest;
        }
    }
}

/// Stored rows that one task multiplies: by the shape alone, so that results do not depend on the
/// threads.
fn task_rows(depth: usize, num_rows: usize) -> usize {
    if num_rows == 1 {
        // Few rows make several tasks, lest one thread wait for the other.
        (TASK_NUMBERS / 2 / depth).next_multiple_of(4).max(16)
    } else if num_rows <= MAX_THIN_ROWS {
        (TASK_NUMBERS / depth).next_multiple_of(4).max(16)
    } else {
        (4 * TASK_NUMBERS / depth)
            .next_multiple_of(32)
            .clamp(64, 256)
    }
}

fn thin_product(
    kernels: &Kernels,
    w: &StoredMatrix,
    rows: Range<usize>,
    x: &Left<'_>,
    out: &mut [f32],
) {
    let (mut first, count) = (0, rows.len());
    for run in w.runs(rows) {
        ((kernels.rows)(run.format).dots)(&run, x, (first, count), out);
        first += run.rows;
    }
}

fn dense_part(
    kernels: &'static Kernels,
    w: &StoredMatrix,
    rows: Range<usize>,
    x: &[f32],
    num_rows: usize,
    precision: Precision,
) -> Vec<f32> {
    let (depth, width) = (w.cols, rows.len());
    let mut numbers = vec![0.0; width * depth];
    w.widen_here(kernels, rows, &mut numbers);
    let numbers = MatRef::new(&numbers, width, depth).transposed();
    let right = Right::new(kernels, numbers, num_rows, precision, false);
    let mut out = vec![0.0; num_rows * width];
    let chunks = out.chunks_mut(LEFT_ROWS * width);
    for (out, x) in chunks.zip(x.chunks(LEFT_ROWS * depth)) {
        let rows = x.len() / depth;
        let x = MatRef::new(x, rows, depth);
        right.product(MatMut::new(out, rows, width), x, false);
    }
    out
}

/// `g w` for the rows `rows` of `w`: the gradient of `x` given that of [`product`], on all
/// threads.
///
/// Panics if `g` is not as wide as there are rows.
pub fn gradient(
    w: &StoredMatrix,
    rows: Range<usize>,
    g: &[f32],
    num_rows: usize,
    precision: Precision,
) -> Vec<f32> {
    let mut dx = vec![0.0; num_rows * w.cols];
    let g = MatRef::new(g, num_rows, rows.len());
    let mut numbers = vec![0.0; GRADIENT_ROWS.min(rows.len()) * w.cols];
    for from in rows.clone().step_by(GRADIENT_ROWS) {
        let to = rows.end.min(from + GRADIENT_ROWS);
        let numbers = &mut numbers[..(to - from) * w.cols];
        w.widen(Level::current().kernels(), from..to, numbers);
        dense_product(
            MatMut::new(&mut dx, num_rows, w.cols),
            g.cols(from - rows.start, to - rows.start),
            MatRef::new(&*numbers, to - from, w.cols),
            from > rows.start,
            precision,
        );
    }
    dx
}
