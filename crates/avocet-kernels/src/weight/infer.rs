//! Products for inference: what a row gives depends on that row and the matrix alone.
//!
//! Training chooses among kernels by the number of rows, and each kernel has an order of sums of
//! its own. Here a row's kind chooses: rows of prompts, which come by the hundred, get the kernel of
//! many rows, and rows of answers, which come one by one, that of few. So a row has the same bits
//! alone, among any others and on any number of threads. No gradient flows through these.

use std::ops::Range;

use avocet_products::stored::products_of_few;
use avocet_products::{Lines, Precision};
use candle_core::{D, Error, Result, Storage, Tensor, bail};

use super::{Numbers, Weight};
use crate::fused::is_fused;
use crate::linear::check_bias;
use crate::slices::{operand, with_f32};

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
    pub(crate) fn check(self, x: &Tensor) -> Result<usize> {
        let width = x.dim(D::Minus1)?;
        let all: usize = x.dims()[..x.rank() - 1].iter().product();
        if all != self.all() {
            bail!("infer: x has {all} rows, not those of {self:?}");
        }
        Ok(width)
    }

    /// `x w^T` for so many rows `x` and the rows `outputs` of `w`, row after row.
    pub(crate) fn product(
        self,
        w: Lines<'_>,
        outputs: Range<usize>,
        x: &[f32],
        precision: Precision,
    ) -> Vec<f32> {
        let (prompt, answer) = x.split_at(x.len() / self.all().max(1) * self.prompt);
        if self.answer == 0 {
            return w.product_of_many(outputs, prompt, self.prompt, precision);
        }
        if self.prompt == 0 {
            return w.product_of_few(outputs, answer, self.answer);
        }
        let mut out = w.product_of_many(outputs.clone(), prompt, self.prompt, precision);
        out.extend(w.product_of_few(outputs, answer, self.answer));
        out
    }
}

impl Weight {
    /// `x w^T`, for `x` (S, I) and this weight (O, I), giving (S, O), for inference.
    ///
    /// On another device than the processor, or in another type than f32, it is
    /// [`linear`](Self::linear), whose bits may depend on the number of rows.
    ///
    /// Errors as [`linear`](Self::linear) does, and if `x` has another number of rows.
    pub fn infer(&self, x: &Tensor, rows: StepRows) -> Result<Tensor> {
        let width = rows.check(x)?;
        if let Numbers::Adapted(w) = &self.numbers {
            let factor = |factor: Tensor| Self::from(factor).with_precision(self.precision);
            let (a, b) = (factor(w.a.clone()), factor(w.b.affine(w.scale, 0.0)?));
            let frozen = w.frozen.clone().with_precision(self.precision);
            return frozen.infer(x, rows)? + b.infer(&a.infer(x, rows)?, rows)?;
        }
        let (outputs, inputs) = self.dims2("infer")?;
        if width != inputs {
            bail!("infer: the rows of x have width {width} but w takes {inputs}");
        }
        if !is_fused(x) {
            return self.linear(x);
        }
        let out = with_lines(self, |w| {
            with_f32(x, "infer", |x| {
                Ok(rows.product(w, 0..outputs, x, self.precision))
            })
        })?;
        Tensor::from_vec(out, (rows.all(), outputs), x.device())
    }

    /// As [`infer`](Self::infer), plus `bias` (O).
    ///
    /// Errors as it does, and if the bias has another length.
    pub fn infer_bias(&self, x: &Tensor, bias: &Tensor, rows: StepRows) -> Result<Tensor> {
        let product = self.infer(x, rows)?;
        check_bias(bias, product.dim(D::Minus1)?)?;
        product.broadcast_add(&bias.to_dtype(x.dtype())?)
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
    let stored = weights.iter().filter_map(|w| match (&w.numbers, w.dims()) {
        (Numbers::Stored(w), &[outputs, inputs]) if inputs == width => Some((&**w, 0..outputs)),
        _ => None,
    });
    let stored: Vec<_> = stored.collect();
    if stored.len() < N || rows.prompt > 0 || !is_fused(x) {
        let each = weights.iter().map(|w| w.infer(x, rows));
        return array(each.collect::<Result<_>>()?);
    }
    let outs = with_f32(x, "infer", |x| Ok(products_of_few(&stored, x, rows.answer)))?;
    let outs = outs.into_iter().zip(&stored);
    let outs = outs
        .map(|(out, (_, outputs))| Tensor::from_vec(out, (rows.answer, outputs.len()), x.device()));
    array(outs.collect::<Result<_>>()?)
}

/// Calls `f` with the rows of `w`, which must be on the CPU and not adapted.
pub(crate) fn with_lines<R>(w: &Weight, f: impl FnOnce(Lines<'_>) -> Result<R>) -> Result<R> {
    match &w.numbers {
        Numbers::Stored(w) => f(Lines::Stored(w)),
        Numbers::Tensor(w) => {
            let w = w.contiguous()?;
            let (storage, layout) = w.storage_and_layout();
            match &*storage {
                Storage::Cpu(storage) => {
                    let numbers = operand(storage, layout, "infer")?;
                    f(Lines::Dense(numbers, w.dim(D::Minus1)?))
                }
                _ => bail!("infer: x is on the CPU but w is on {:?}", w.device()),
            }
        }
        Numbers::Adapted(_) => bail!("infer: an adapted matrix is none of its own"),
    }
}

fn array<const N: usize>(tensors: Vec<Tensor>) -> Result<[Tensor; N]> {
    let found = tensors.len();
    let wrong = |_| Error::msg(format!("infer: {found} products, not {N}"));
    tensors.try_into().map_err(wrong)
}
