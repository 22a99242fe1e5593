//! Matrix products over plain slices, the work below every operation of this crate.
//!
//! `C = A B` or `C += A B`, where A and B may be strided (so a transposed operand costs no copy)
//! and C has contiguous rows. A right operand that several products share is prepared once, as a
//! [`Right`].

use candle_core::{CpuStorage, Layout, Result, bail};
use half::bf16;
use rayon::prelude::*;

/// Numbers of a matrix that is read.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Values<'a> {
    F32(&'a [f32]),
    Bf16(&'a [bf16]),
}

impl<'a> Values<'a> {
    /// The elements of a custom op's contiguous argument.
    ///
    /// Errors if the layout skips elements or the type is neither F32 nor BF16.
    pub(crate) fn of(storage: &'a CpuStorage, layout: &Layout, op: &'static str) -> Result<Self> {
        let Some((from, to)) = layout.contiguous_offsets() else {
            bail!(
                "{op}: an argument of shape {:?} is not contiguous",
                layout.shape()
            )
        };
        match storage {
            CpuStorage::F32(all) => Ok(Self::F32(&all[from..to])),
            CpuStorage::BF16(all) => Ok(Self::Bf16(&all[from..to])),
            _ => bail!("{op}: a weight is neither F32 nor BF16"),
        }
    }

    fn len(self) -> usize {
        match self {
            Self::F32(data) => data.len(),
            Self::Bf16(data) => data.len(),
        }
    }

    /// The elements `from..to`.
    pub(crate) fn slice(self, from: usize, to: usize) -> Self {
        match self {
            Self::F32(data) => Self::F32(&data[from..to]),
            Self::Bf16(data) => Self::Bf16(&data[from..to]),
        }
    }
}

impl<'a> From<&'a [f32]> for Values<'a> {
    fn from(data: &'a [f32]) -> Self {
        Self::F32(data)
    }
}

impl<'a> From<&'a Vec<f32>> for Values<'a> {
    fn from(data: &'a Vec<f32>) -> Self {
        Self::F32(data)
    }
}

impl<'a> From<&'a [bf16]> for Values<'a> {
    fn from(data: &'a [bf16]) -> Self {
        Self::Bf16(data)
    }
}

/// A matrix read from a slice: element (i, j) is `data[i * row_stride + j * col_stride]`.
#[derive(Debug, Clone, Copy)]
pub(crate) struct MatRef<'a> {
    pub(crate) data: Values<'a>,
    pub(crate) rows: usize,
    pub(crate) cols: usize,
    pub(crate) row_stride: usize,
    pub(crate) col_stride: usize,
}

impl<'a> MatRef<'a> {
    /// A row-major matrix that fills `data`.
    ///
    /// Panics if `data` is shorter than `rows * cols`.
    pub(crate) fn new(data: impl Into<Values<'a>>, rows: usize, cols: usize) -> Self {
        Self::strided(data, rows, cols, cols, 1)
    }

    /// A matrix with any strides.
    ///
    /// Panics if an element would lie outside `data`.
    pub(crate) fn strided(
        data: impl Into<Values<'a>>,
        rows: usize,
        cols: usize,
        row_stride: usize,
        col_stride: usize,
    ) -> Self {
        let data = data.into();
        assert!(
            rows == 0
                || cols == 0
                || (rows - 1) * row_stride + (cols - 1) * col_stride < data.len(),
            "a {rows} x {cols} matrix of strides {row_stride}, {col_stride} exceeds {} elements",
            data.len()
        );
        Self {
            data,
            rows,
            cols,
            row_stride,
            col_stride,
        }
    }

    /// The same elements with rows and columns exchanged.
    pub(crate) fn transposed(self) -> Self {
        Self {
            rows: self.cols,
            cols: self.rows,
            row_stride: self.col_stride,
            col_stride: self.row_stride,
            ..self
        }
    }

    /// Rows `from..to`.
    pub(crate) fn rows(self, from: usize, to: usize) -> Self {
        assert!(
            from <= to && to <= self.rows,
            "rows {from}..{to} of {}",
            self.rows
        );
        let start = (from * self.row_stride).min(self.data.len());
        Self {
            data: self.data.slice(start, self.data.len()),
            rows: to - from,
            ..self
        }
    }

    /// Calls `f` with the same matrix in f32; only the bf16 form is copied.
    fn with_f32<R>(self, f: impl FnOnce(&[f32], Self) -> R) -> R {
        match self.data {
            Values::F32(data) => f(data, self),
            Values::Bf16(data) => {
                let data: Vec<f32> = data.iter().map(|v| v.to_f32()).collect();
                f(&data, self)
            }
        }
    }
}

/// A matrix written to a slice: element (i, j) is `data[i * row_stride + j]`.
#[derive(Debug)]
pub(crate) struct MatMut<'a> {
    pub(crate) data: &'a mut [f32],
    pub(crate) rows: usize,
    pub(crate) cols: usize,
    pub(crate) row_stride: usize,
}

impl<'a> MatMut<'a> {
    /// A row-major matrix that fills `data`.
    ///
    /// Panics if `data` is shorter than `rows * cols`.
    pub(crate) fn new(data: &'a mut [f32], rows: usize, cols: usize) -> Self {
        Self::strided(data, rows, cols, cols)
    }

    /// A matrix whose rows are `row_stride` apart.
    ///
    /// Panics if rows overlap or an element would lie outside `data`.
    pub(crate) fn strided(
        data: &'a mut [f32],
        rows: usize,
        cols: usize,
        row_stride: usize,
    ) -> Self {
        assert!(
            rows <= 1 || row_stride >= cols,
            "rows of {cols} at stride {row_stride} overlap"
        );
        assert!(
            rows == 0 || cols == 0 || (rows - 1) * row_stride + cols <= data.len(),
            "a {rows} x {cols} matrix of stride {row_stride} exceeds {} elements",
            data.len()
        );
        Self {
            data,
            rows,
            cols,
            row_stride,
        }
    }
}

/// A right operand made ready for several products.
pub(crate) struct Right<'a> {
    plain: MatRef<'a>,
}

impl<'a> Right<'a> {
    /// Prepares `b` for products with about `rows` rows in all.
    pub(crate) fn prepare(b: MatRef<'a>, _rows: usize) -> Self {
        Self { plain: b }
    }

    /// Sets `c` to `a b`, or adds `a b` to it, on the calling thread.
    ///
    /// Panics if the shapes disagree.
    pub(crate) fn product(&self, c: MatMut<'_>, a: MatRef<'_>, accumulate: bool) {
        check_shapes(&c, &a, &self.plain);
        f32_product(c, a, self.plain, accumulate);
    }
}

/// Rows of C that one task computes, of a product with `rows` rows: by the shape alone, so that
/// results do not depend on the threads.
fn chunk_rows(rows: usize) -> usize {
    rows.div_ceil(8).next_multiple_of(32).clamp(32, 256)
}

/// Sets `c` to `a b`, or adds `a b` to it, on all threads.
///
/// Panics if the shapes disagree.
pub(crate) fn product(c: MatMut<'_>, a: MatRef<'_>, b: MatRef<'_>, accumulate: bool) {
    check_shapes(&c, &a, &b);
    let right = Right::prepare(b, c.rows);
    let chunk_rows = chunk_rows(c.rows);
    if c.rows <= chunk_rows || c.cols == 0 {
        return right.product(c, a, accumulate);
    }
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
                right.product(c, a.rows(from, to), accumulate);
            }
        });
}

/// As [`product`], on the calling thread alone: for use inside a loop that is already parallel.
///
/// Panics if the shapes disagree.
pub(crate) fn product_sequential(c: MatMut<'_>, a: MatRef<'_>, b: MatRef<'_>, accumulate: bool) {
    Right::prepare(b, c.rows).product(c, a, accumulate);
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

fn check_shapes(c: &MatMut<'_>, a: &MatRef<'_>, b: &MatRef<'_>) {
    assert!(
        a.rows == c.rows && b.cols == c.cols && a.cols == b.rows,
        "product of {} x {} and {} x {} into {} x {}",
        a.rows,
        a.cols,
        b.rows,
        b.cols,
        c.rows,
        c.cols
    );
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_transposed_operand_gives_the_product_of_its_copy() {
        let (m, k, n) = (300, 5, 7);
        let a: Vec<f32> = (0..m * k).map(|i| (i % 13) as f32 - 6.0).collect();
        let b: Vec<f32> = (0..n * k).map(|i| (i % 11) as f32 - 5.0).collect();
        let mut c = vec![1.0; m * n];
        let transposed = MatRef::new(&b[..], n, k).transposed();
        product(
            MatMut::new(&mut c, m, n),
            MatRef::new(&a[..], m, k),
            transposed,
            true,
        );
        for i in 0..m {
            for j in 0..n {
                let expected: f32 = (0..k).map(|p| a[i * k + p] * b[j * k + p]).sum::<f32>() + 1.0;
                assert_eq!(c[i * n + j], expected);
            }
        }
    }
}
