//! Products for inference: what a row gives depends on that row and the matrix alone.
//!
//! Training chooses among kernels by the number of rows, and each kernel has an order of sums of
//! its own. Here a row's kind chooses: rows of prompts, which come by the hundred, get the kernel of
//! many rows, and rows of answers, which come one by one, that of few. So a row has the same bits
//! alone, among any others and on any number of threads. No gradient flows through these.

use std::ops::Range;

use candle_core::{D, DType, Result, Storage, Tensor, bail};
use rayon::prelude::*;

use super::experts::{check_shapes, weighted_expert_ffn};
use super::{Weight, array};
use crate::experts::{TASK_SLOTS, combine, gather, pieces, tasks};
use crate::product::{MatMut, MatRef, Values, product_of_few, product_of_many};
use crate::router::Routing;
use crate::slices::with_f32;
use crate::stored::{StoredMatrix, products_of_few};
use crate::swiglu::activate;

/// Numbers of a matrix that one task multiplies.
const TASK_NUMBERS: usize = 1 << 16;

/// How many rows of a step are of prompts, which come first, and how many of answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StepRows {
    /// Rows of prompts.
    pub prompt: usize,
    /// Rows of answers.
    pub answer: usize,
}

impl StepRows {
    /// Rows of prompts alone.
    pub fn prompt(rows: usize) -> Self {
        Self {
            prompt: rows,
            answer: 0,
        }
    }

    /// Rows of answers alone.
    pub fn answer(rows: usize) -> Self {
        Self {
            prompt: 0,
            answer: rows,
        }
    }

    /// All of them.
    pub fn all(self) -> usize {
        self.prompt + self.answer
    }

    /// Errors unless `x` has so many rows.
    fn check(self, x: &Tensor) -> Result<usize> {
        let width = x.dim(D::Minus1)?;
        let all: usize = x.dims()[..x.rank() - 1].iter().product();
        if all != self.all() {
            bail!("infer: x has {all} rows, not those of {self:?}");
        }
        Ok(width)
    }
}

impl Weight {
    /// `x w^T`, for `x` (S, I) and this weight (O, I), giving (S, O), for inference.
    ///
    /// Errors as [`linear`](Self::linear) does, and if `x` has another number of rows.
    pub fn infer(&self, x: &Tensor, rows: StepRows) -> Result<Tensor> {
        let width = rows.check(x)?;
        if let Self::Adapted(w) = self {
            let (a, b) = (w.a.clone().into(), w.b.affine(w.scale, 0.0)?.into());
            let (a, b): (Self, Self) = (a, b);
            return w.still.infer(x, rows)? + b.infer(&a.infer(x, rows)?, rows)?;
        }
        let (outputs, inputs) = self.dims2("infer")?;
        if width != inputs {
            bail!("infer: the rows of x have width {width} but w takes {inputs}");
        }
        if !is_plain(x) {
            return self.linear(x);
        }
        let out = with_matrix(self, |w| {
            with_f32(x, "infer", |x| Ok(w.product(0..outputs, x, rows)))
        })?;
        Tensor::from_vec(out, (rows.all(), outputs), x.device())
    }

    /// As [`infer`](Self::infer), plus `bias` (O).
    ///
    /// Errors as it does, and if the bias has another length.
    pub fn infer_bias(&self, x: &Tensor, bias: &Tensor, rows: StepRows) -> Result<Tensor> {
        self.infer(x, rows)?
            .broadcast_add(&bias.to_dtype(x.dtype())?)
    }
}

/// What [`Weight::infer`] gives of each of some weights; rows of answers are multiplied with
/// several stored matrices at once, since a token's queries, keys and values are too little work
/// to share one by one.
///
/// Errors as it does.
pub fn infer_each<const N: usize>(
    x: &Tensor,
    weights: [&Weight; N],
    rows: StepRows,
) -> Result<[Tensor; N]> {
    let width = rows.check(x)?;
    let stored = weights.iter().filter_map(|w| match w {
        Weight::Stored(w) if w.shape().len() == 2 && w.shape()[1] == width => {
            Some((&**w, 0..w.shape()[0]))
        }
        _ => None,
    });
    let stored: Vec<_> = stored.collect();
    if stored.len() < N || rows.prompt > 0 || !is_plain(x) {
        let each = weights.iter().map(|w| w.infer(x, rows));
        return array(each.collect::<Result<_>>()?);
    }
    let outs = with_f32(x, "infer", |x| Ok(products_of_few(&stored, x, rows.answer)))?;
    let outs = outs.into_iter().zip(&stored);
    let outs = outs
        .map(|(out, (_, outputs))| Tensor::from_vec(out, (rows.answer, outputs.len()), x.device()));
    array(outs.collect::<Result<_>>()?)
}

/// The weighted sum of each row's experts, (S, D), as [`weighted_expert_ffn`], for inference.
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
    let adapted = |w: &Weight| matches!(w, Weight::Adapted(_));
    if !is_plain(x) || !is_plain(weights) || adapted(gate_up) || adapted(down) {
        return weighted_expert_ffn(x, weights, gate_up, down, routing);
    }
    let (width, hidden, top_k) = (down.dims()[1], down.dims()[2], routing.top_k());
    let out = with_matrix(gate_up, |gate_up| {
        with_matrix(down, |down| {
            with_f32(x, "infer", |x| {
                let mut y = vec![0.0; routing.choices().len() * width];
                let tasks = tasks(routing, TASK_SLOTS);
                let y_pieces = pieces(&mut y, &tasks, width);
                tasks.par_iter().zip(y_pieces).for_each(|(task, y)| {
                    // Choices are in the order of their rows.
                    let choices = &routing.choices()[task.from..task.to];
                    let of_prompt = |choice: &u32| (*choice as usize / top_k) < rows.prompt;
                    let prompt = choices.partition_point(of_prompt);
                    let answer = choices.len() - prompt;
                    let rows = StepRows { prompt, answer };
                    let of = |outputs: usize| task.expert * outputs..(task.expert + 1) * outputs;
                    let x = gather(x, choices, top_k, width);
                    let wide = gate_up.product(of(2 * hidden), &x, rows);
                    let mut activated = vec![0.0; choices.len() * hidden];
                    activate(&wide, &mut activated, hidden);
                    y.copy_from_slice(&down.product(of(width), &activated, rows));
                });
                with_f32(weights, "infer", |weights| {
                    Ok(combine(&y, Some(weights), routing, width))
                })
            })
        })
    })?;
    Tensor::from_vec(out, (routing.num_rows(), width), x.device())
}

fn is_plain(x: &Tensor) -> bool {
    x.device().is_cpu() && x.dtype() == DType::F32
}

/// Numbers of a matrix, or of a stack of them, row after row.
enum Matrix<'a> {
    Dense(Values<'a>, usize),
    Stored(&'a StoredMatrix, usize),
}

/// Calls `f` with the numbers of `w`, which must be on the CPU and not adapted.
fn with_matrix<R>(w: &Weight, f: impl FnOnce(&Matrix<'_>) -> Result<R>) -> Result<R> {
    let width = w.dims().last().copied().unwrap_or(0);
    match w {
        Weight::Stored(w) => f(&Matrix::Stored(w, width)),
        Weight::Tensor(w) => {
            let w = w.contiguous()?;
            let (storage, layout) = w.storage_and_layout();
            match &*storage {
                Storage::Cpu(storage) => {
                    f(&Matrix::Dense(Values::of(storage, layout, "infer")?, width))
                }
                _ => bail!("infer: x is on the CPU but w is on {:?}", w.device()),
            }
        }
        Weight::Adapted(_) => bail!("infer: an adapted matrix is none of its own"),
    }
}

impl Matrix<'_> {
    /// `x w^T` for rows `x` and the rows `outputs` of this matrix.
    fn product(&self, outputs: Range<usize>, x: &[f32], rows: StepRows) -> Vec<f32> {
        let width = match self {
            Self::Dense(_, width) | Self::Stored(_, width) => *width,
        };
        let (prompt, answer) = x.split_at(rows.prompt * width);
        let mut out = Vec::new();
        if rows.prompt > 0 || rows.answer == 0 {
            out = self.in_tasks(&outputs, prompt, rows.prompt, true);
        }
        if rows.answer > 0 {
            let of_answers = match self {
                Self::Dense(..) => self.in_tasks(&outputs, answer, rows.answer, false),
                Self::Stored(w, _) => {
                    products_of_few(&[(w, outputs)], answer, rows.answer).swap_remove(0)
                }
            };
            if out.is_empty() {
                return of_answers;
            }
            out.extend(of_answers);
        }
        out
    }

    /// `x w^T` on all threads, by the kernel of many rows or of few.
    fn in_tasks(&self, outputs: &Range<usize>, x: &[f32], rows: usize, many: bool) -> Vec<f32> {
        let width = x.len() / rows.max(1);
        let mut out = vec![0.0; rows * outputs.len()];
        if out.is_empty() || width == 0 {
            return out;
        }
        let x = MatRef::new(x, rows, width);
        let run = |task: Range<usize>| {
            let mut numbers = Vec::new();
            let values = match self {
                Self::Dense(values, _) => values.slice(task.start * width, task.end * width),
                Self::Stored(w, _) => {
                    numbers.resize(task.len() * width, 0.0);
                    w.dequantise(task.clone(), &mut numbers);
                    Values::F32(&numbers)
                }
            };
            let w = MatRef::new(values, task.len(), width).transposed();
            let mut part = vec![0.0; rows * task.len()];
            let to = MatMut::new(&mut part, rows, task.len());
            if many {
                product_of_many(to, x, w);
            } else {
                product_of_few(to, x, w);
            }
            part
        };
        let each = (TASK_NUMBERS / width).next_multiple_of(32).max(32);
        if outputs.len() <= 2 * each && rows == 1 {
            return run(outputs.clone());
        }
        let starts: Vec<usize> = outputs.clone().step_by(each).collect();
        let part = |&from: &usize| run(from..outputs.end.min(from + each));
        let parts: Vec<Vec<f32>> = starts.par_iter().map(part).collect();
        for (row, out) in out.chunks_exact_mut(outputs.len()).enumerate() {
            for (from, part) in starts.iter().zip(&parts) {
                let (from, width) = (from - outputs.start, part.len() / rows);
                out[from..from + width].copy_from_slice(&part[row * width..][..width]);
            }
        }
        out
    }
}
