//! Products of dense matrices.
//!
//! `C = A B` or `C += A B`, where A and B may be strided (so a transposed operand costs no copy)
//! and C has contiguous rows. A right operand that several products share is prepared once, as a
//! [`Right`].

use rayon::prelude::*;

use crate::kernels::{Kernels, Packed};
use crate::level::Level;
use crate::matrix::{MatMut, MatRef};
use crate::precision::Precision;
use crate::thin;

/// Numbers of a right operand that one task of a thin product reads.
const THIN_ELEMENTS: usize = 1 << 16;
/// Right operands of fewer elements stay in f32: packing would cost more than it saves.
pub(crate) const MIN_BF16_ELEMENTS: usize = 1024;

/// A right operand made ready for several products.
pub struct Right<'a> {
    depth: usize,
    cols: usize,
    kernels: &'static Kernels,
    form: Form<'a>,
}

enum Form<'a> {
    Plain(MatRef<'a>),
    Packed(Box<dyn Packed>),
}

impl<'a> Right<'a> {
    /// Prepares `b` on the calling thread, for products with about `rows` rows in all that read
    /// their operands in `precision`.
    pub fn prepare(b: MatRef<'a>, rows: usize, precision: Precision) -> Self {
        Self::new(Level::current().kernels(), b, rows, precision, false)
    }

    /// As [`prepare`](Self::prepare), on all threads.
    pub fn prepare_parallel(b: MatRef<'a>, rows: usize, precision: Precision) -> Self {
        Self::new(Level::current().kernels(), b, rows, precision, true)
    }

    pub(crate) fn new(
        kernels: &'static Kernels,
        b: MatRef<'a>,
        rows: usize,
        precision: Precision,
        parallel: bool,
    ) -> Self {
        let many = rows > thin::MAX_ROWS;
        let large = b.rows.saturating_mul(b.cols) >= MIN_BF16_ELEMENTS;
        let bf16 = kernels
            .pack_bf16
            .filter(|_| precision == Precision::Bf16 && many && large);
        let pack = bf16.or(kernels.pack_f32.filter(|_| many || !thin::suits(&b)));
        Self {
            depth: b.rows,
            cols: b.cols,
            kernels,
            form: match pack {
                Some(pack) => Form::Packed(pack(b, parallel)),
                None => Form::Plain(b),
            },
        }
    }

    /// Sets `c` to `a b`, or adds `a b` to it, on the calling thread.
    ///
    /// Panics if the shapes disagree.
    pub fn product(&self, c: MatMut<'_>, a: MatRef<'_>, accumulate: bool) {
        check_shapes(&c, &a, (self.depth, self.cols));
        self.multiply(c, a, accumulate);
    }

    /// As [`product`](Self::product), of shapes that agree.
    fn multiply(&self, c: MatMut<'_>, a: MatRef<'_>, accumulate: bool) {
        if c.rows == 0 || c.cols == 0 {
            return;
        }
        if self.depth == 0 {
            if !accumulate {
                let rows = c.data.chunks_mut(c.row_stride).take(c.rows);
                rows.for_each(|row| row[..c.cols].fill(0.0));
            }
            return;
        }
        match &self.form {
            Form::Packed(b) => b.product(c, a, accumulate),
            Form::Plain(b) if c.rows <= thin::MAX_ROWS && thin::suits(b) => {
                thin::product(self.kernels, c, a, *b, accumulate);
            }
            Form::Plain(b) => f32_product(c, a, *b, accumulate),
        }
    }
}

/// Rows of C that one task computes, of a product with `rows` rows: by the shape alone, so that
/// results do not depend on the threads, and about an even number of tasks.
fn chunk_rows(rows: usize) -> usize {
    let tasks = 2 * rows.div_ceil(256).max(1);
    rows.div_ceil(tasks).next_multiple_of(32)
}

/// Sets `c` to `a b`, or adds `a b` to it, on all threads, with operands read in `precision`.
///
/// Panics if the shapes disagree.
pub fn product(
    c: MatMut<'_>,
    a: MatRef<'_>,
    b: MatRef<'_>,
    accumulate: bool,
    precision: Precision,
) {
    product_by(Level::current().kernels(), c, a, b, accumulate, precision);
}

fn product_by(
    kernels: &'static Kernels,
    c: MatMut<'_>,
    a: MatRef<'_>,
    b: MatRef<'_>,
    accumulate: bool,
    precision: Precision,
) {
    check_shapes(&c, &a, (b.rows, b.cols));
    let chunk_rows = chunk_rows(c.rows);
    if c.rows <= thin::MAX_ROWS && thin::suits(&b) && b.rows * b.cols > 2 * THIN_ELEMENTS {
        return thin_product(kernels, c, a, b, accumulate);
    }
    if c.rows <= chunk_rows || c.cols == 0 {
        let right = Right::new(kernels, b, c.rows, precision, false);
        return right.multiply(c, a, accumulate);
    }
    let right = Right::new(kernels, b, c.rows, precision, true);
    let MatMut {
        data,
        rows,
        cols,
        row_stride,
    } = c;
    data.par_chunks_mut(chunk_rows * row_stride)
        .enumerate()
        .for_each(|(i, chunk)| {
            let from = i * chunk_rows;
            if from < rows {
                let to = rows.min(from + chunk_rows);
                let c = MatMut::strided(chunk, to - from, cols, row_stride);
                right.multiply(c, a.rows(from, to), accumulate);
            }
        });
}

/// A product of few rows, cut into runs of columns.
fn thin_product(kernels: &Kernels, c: MatMut<'_>, a: MatRef<'_>, b: MatRef<'_>, accumulate: bool) {
    // Short runs of lines that lie far apart would waste most of what memory delivers.
    let shortest = if b.row_stride == 1 { 16 } else { 512 };
    let cols_each = (THIN_ELEMENTS / b.rows.max(1))
        .next_multiple_of(16)
        .max(shortest);
    let starts: Vec<usize> = (0..c.cols).step_by(cols_each).collect();
    let parts: Vec<Vec<f32>> = starts
        .par_iter()
        .map(|&from| {
            let to = c.cols.min(from + cols_each);
            let mut part = vec![0.0; c.rows * (to - from)];
            let out = MatMut::new(&mut part, c.rows, to - from);
            thin::product(kernels, out, a, b.cols(from, to), false);
            part
        })
        .collect();
    for (from, part) in starts.into_iter().zip(parts) {
        let cols = part.len() / c.rows.max(1);
        for (i, part) in part.chunks_exact(cols.max(1)).enumerate() {
            let out = &mut c.data[i * c.row_stride + from..][..cols];
            for (out, part) in out.iter_mut().zip(part) {
                *out = if accumulate { *out + part } else { *part };
            }
        }
    }
}

/// As [`product`], on the calling thread alone: for use inside a loop that is already parallel.
///
/// Panics if the shapes disagree.
pub fn product_sequential(
    c: MatMut<'_>,
    a: MatRef<'_>,
    b: MatRef<'_>,
    accumulate: bool,
    precision: Precision,
) {
    Right::prepare(b, c.rows, precision).product(c, a, accumulate);
}

fn f32_product(c: MatMut<'_>, a: MatRef<'_>, b: MatRef<'_>, accumulate: bool) {
    a.with_f32(|a_data, a| {
        b.with_f32(|b_data, b| {
            // SAFETY: the constructors of `MatRef` and `MatMut` checked that every element lies
            // inside its slice, the caller that the shapes agree, and `c` is borrowed exclusively.
            unsafe {
                gemm::gemm(
                    c.rows,
                    c.cols,
                    a.cols,
                    c.data.as_mut_ptr(),
                    1,
                    c.row_stride as isize,
                    accumulate,
                    a_data.as_ptr(),
                    a.col_stride as isize,
                    a.row_stride as isize,
                    b_data.as_ptr(),
                    b.col_stride as isize,
                    b.row_stride as isize,
                    1.0,
                    1.0,
                    false,
                    false,
                    false,
                    gemm::Parallelism::None,
                );
            }
        });
    });
}

fn check_shapes(c: &MatMut<'_>, a: &MatRef<'_>, (depth, cols): (usize, usize)) {
    assert!(
        a.rows == c.rows && cols == c.cols && a.cols == depth,
        "product of {} x {} and {depth} x {cols} into {} x {}",
        a.rows,
        a.cols,
        c.rows,
        c.cols
    );
}

#[cfg(test)]
mod tests;
