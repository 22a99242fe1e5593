//! Products whose rows have the same bits whatever rows are beside them.
//!
//! [`product`](crate::product) chooses among kernels by the number of rows, and each kernel has an
//! order of sums of its own. Here the caller chooses, once for a row and whatever stands beside it.

use std::ops::Range;

use rayon::prelude::*;

use crate::dense::MIN_BF16_ELEMENTS;
use crate::kernels::Kernels;
use crate::level::Level;
use crate::matrix::{MatMut, MatRef, Values};
use crate::precision::Precision;
use crate::stored::{StoredMatrix, products_of_few_by};
use crate::thin;

/// Numbers of a matrix that one task multiplies.
const TASK_NUMBERS: usize = 1 << 16;

/// Rows that others are multiplied with: of one matrix, or of a stack of them.
#[derive(Debug, Clone, Copy)]
pub enum Lines<'a> {
    /// Numbers in memory, row after row, and their width.
    Dense(Values<'a>, usize),
    /// Rows as a checkpoint stores them.
    Stored(&'a StoredMatrix),
}

impl Lines<'_> {
    /// `x w^T` for `num_rows` rows `x` and the rows `outputs` of this, row after row, on all
    /// threads, by the kernel of many rows however many there are. Operands are read in
    /// `precision`.
    ///
    /// Panics if `x` has another width, or there are no such rows.
    pub fn product_of_many(
        self,
        outputs: Range<usize>,
        x: &[f32],
        num_rows: usize,
        precision: Precision,
    ) -> Vec<f32> {
        let kernels = Level::current().kernels();
        self.product_of_many_by(kernels, outputs, x, num_rows, precision)
    }

    /// As [`product_of_many`](Self::product_of_many) by the kernel of few rows, which reads
    /// operands as they are.
    ///
    /// Panics as it does.
    pub fn product_of_few(self, outputs: Range<usize>, x: &[f32], num_rows: usize) -> Vec<f32> {
        self.product_of_few_by(Level::current().kernels(), outputs, x, num_rows)
    }

    fn product_of_many_by(
        self,
        kernels: &'static Kernels,
        outputs: Range<usize>,
        x: &[f32],
        num_rows: usize,
        precision: Precision,
    ) -> Vec<f32> {
        let large = outputs.len().saturating_mul(self.width()) >= MIN_BF16_ELEMENTS;
        let bf16 = kernels
            .pack_bf16
            .filter(|_| precision == Precision::Bf16 && large);
        let pack = bf16.or(kernels.pack_f32);
        let multiply = |c: MatMut<'_>, a: MatRef<'_>, b: MatRef<'_>| match pack {
            Some(pack) => pack(b, false).product(c, a, false),
            // Without packing many rows are products of the crate `gemm`, which chooses among
            // kernels by their number; this one does not.
            None => thin::product(kernels, c, a, b, false),
        };
        self.in_tasks(kernels, outputs, x, num_rows, multiply)
    }

    fn product_of_few_by(
        self,
        kernels: &'static Kernels,
        outputs: Range<usize>,
        x: &[f32],
        num_rows: usize,
    ) -> Vec<f32> {
        if let Self::Stored(w) = self {
            return products_of_few_by(kernels, &[(w, outputs)], x, num_rows).swap_remove(0);
        }
        let multiply = |c: MatMut<'_>, a: MatRef<'_>, b: MatRef<'_>| {
            thin::product(kernels, c, a, b, false);
        };
        self.in_tasks(kernels, outputs, x, num_rows, multiply)
    }

    fn width(self) -> usize {
        match self {
            Self::Dense(_, width) => width,
            Self::Stored(w) => w.cols,
        }
    }

    fn in_tasks(
        self,
        kernels: &Kernels,
        outputs: Range<usize>,
        x: &[f32],
        num_rows: usize,
        multiply: impl Fn(MatMut<'_>, MatRef<'_>, MatRef<'_>) + Sync,
    ) -> Vec<f32> {
        let width = self.width();
        assert!(x.len() == num_rows * width, "the width of x");
        let mut out = vec![0.0; num_rows * outputs.len()];
        if out.is_empty() || width == 0 {
            return out;
        }
        let x = MatRef::new(x, num_rows, width);
        let run = |task: Range<usize>| {
            let mut numbers = Vec::new();
            let values = match self {
                Self::Dense(values, _) => values.slice(task.start * width, task.end * width),
                Self::Stored(w) => {
                    numbers.resize(task.len() * width, 0.0);
                    w.widen_here(kernels, task.clone(), &mut numbers);
                    Values::F32(&numbers)
                }
            };
            let w = MatRef::new(values, task.len(), width).transposed();
            let mut part = vec![0.0; num_rows * task.len()];
            multiply(MatMut::new(&mut part, num_rows, task.len()), x, w);
            part
        };
        let each = (TASK_NUMBERS / width).next_multiple_of(32).max(32);
        if outputs.len() <= 2 * each && num_rows == 1 {
            return run(outputs);
        }
        let starts: Vec<usize> = outputs.clone().step_by(each).collect();
        let part = |&from: &usize| run(from..outputs.end.min(from + each));
        let parts: Vec<Vec<f32>> = starts.par_iter().map(part).collect();
        for (row, out) in out.chunks_exact_mut(outputs.len()).enumerate() {
            for (from, part) in starts.iter().zip(&parts) {
                let (from, width) = (from - outputs.start, part.len() / num_rows);
                out[from..from + width].copy_from_slice(&part[row * width..][..width]);
            }
        }
        out
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stored::{StoredError, StoredFormat, StoredRows};

    /// Rows of x, some that follow one another among them, and how wide they are.
    const ROWS: usize = 37;
    const SOME: [(usize, usize); 4] = [(0, 1), (5, 2), (11, 17), (0, ROWS)];
    /// More than one panel at every level, and no whole number of them.
    const WIDTH: usize = 1280;
    /// More than two tasks, the last of them of a few rows.
    const OUTPUTS: usize = 261;

    fn numbers(count: usize, seed: usize) -> Vec<f32> {
        let number = |i: usize| (i * 7919 + seed * 104_729) % 1009;
        (0..count).map(|i| number(i) as f32 / 500.0 - 1.0).collect()
    }

    #[test]
    fn a_row_has_the_same_bits_alone_and_among_others_at_every_level() -> Result<(), StoredError> {
        let (x, dense) = (numbers(ROWS * WIDTH, 1), numbers(OUTPUTS * WIDTH, 2));
        let stored = StoredRows::random(StoredFormat::Q4K, OUTPUTS, WIDTH, 3)?;
        let stored = StoredMatrix::new(&[OUTPUTS, WIDTH], vec![stored])?;
        let bits = |numbers: &[f32]| numbers.iter().map(|v| v.to_bits()).collect::<Vec<_>>();
        for level in Level::available() {
            for w in [Lines::Dense((&dense).into(), WIDTH), Lines::Stored(&stored)] {
                for precision in [None, Some(Precision::F32), Some(Precision::Bf16)] {
                    let kernels = level.kernels();
                    let product = |x: &[f32], num_rows| match precision {
                        Some(precision) => {
                            w.product_of_many_by(kernels, 0..OUTPUTS, x, num_rows, precision)
                        }
                        None => w.product_of_few_by(kernels, 0..OUTPUTS, x, num_rows),
                    };
                    let all = product(&x, ROWS);
                    for (from, count) in SOME {
                        let some = product(&x[from * WIDTH..][..count * WIDTH], count);
                        let expected = &all[from * OUTPUTS..][..count * OUTPUTS];
                        assert!(
                            bits(&some) == bits(expected),
                            "{level:?}, {precision:?}, {count} rows from {from}"
                        );
                    }
                }
            }
        }
        Ok(())
    }
}
