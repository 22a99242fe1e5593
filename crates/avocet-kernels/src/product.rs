//! Matrix products over plain slices, the work below every operation of this crate.
//!
//! `C = A B` or `C += A B`, where A and B may be strided (so a transposed operand costs no copy)
//! and C has contiguous rows. A right operand that several products share is prepared once, as a
//! [`Right`].

use candle_core::{CpuStorage, Layout, Result, bail};
use half::bf16;
use rayon::prelude::*;

use crate::precision::{Precision, product_precision};
#[cfg(target_arch = "x86_64")]
use panel::{Format, Panels};

#[cfg(target_arch = "x86_64")]
mod amx;
#[cfg(target_arch = "x86_64")]
mod pairs;
#[cfg(target_arch = "x86_64")]
mod panel;
mod thin;
#[cfg(target_arch = "x86_64")]
mod tile;

/// Numbers of a right operand that one task of a thin product reads.
const THIN_ELEMENTS: usize = 1 << 16;
/// Right operands of fewer elements stay in f32: packing would cost more than it saves.
const MIN_BF16_ELEMENTS: usize = 1024;

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

    /// Columns `from..to`.
    pub(crate) fn cols(self, from: usize, to: usize) -> Self {
        self.transposed().rows(from, to).transposed()
    }

    /// The element (i, j), in f32.
    fn at(&self, i: usize, j: usize) -> f32 {
        let at = i * self.row_stride + j * self.col_stride;
        match self.data {
            Values::F32(data) => data[at],
            Values::Bf16(data) => data[at].to_f32(),
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
pub(crate) enum Right<'a> {
    /// As it is.
    Plain(MatRef<'a>),
    /// As bfloat16 tiles.
    #[cfg(target_arch = "x86_64")]
    Tiles(amx::Tiles),
    /// As groups of columns in f32 for AVX-512.
    #[cfg(target_arch = "x86_64")]
    Panels(panel::Panels<panel::Single>),
    /// As groups of columns in bfloat16 for AVX-512.
    #[cfg(target_arch = "x86_64")]
    Pairs(panel::Panels<pairs::Pairs>),
}

impl<'a> Right<'a> {
    /// Prepares `b` on the calling thread, for products with about `rows` rows in all.
    pub(crate) fn prepare(b: MatRef<'a>, rows: usize) -> Self {
        Self::prepare_on(b, rows, false)
    }

    /// Prepares `b` on all threads, for products with about `rows` rows in all.
    pub(crate) fn prepare_parallel(b: MatRef<'a>, rows: usize) -> Self {
        Self::prepare_on(b, rows, true)
    }

    fn prepare_on(b: MatRef<'a>, rows: usize, parallel: bool) -> Self {
        #[cfg(target_arch = "x86_64")]
        if product_precision() == Precision::Bf16
            && rows > thin::MAX_ROWS
            && b.rows.saturating_mul(b.cols) >= MIN_BF16_ELEMENTS
        {
            if amx::available() {
                return Self::Tiles(amx::Tiles::pack(b, parallel));
            }
            if pairs::Pairs::available() {
                return Self::Pairs(Panels::pack(b, parallel));
            }
        }
        #[cfg(target_arch = "x86_64")]
        if (rows > thin::MAX_ROWS || !thin::suits(&b)) && panel::Single::available() {
            return Self::Panels(Panels::pack(b, parallel));
        }
        Self::Plain(b)
    }

    /// Sets `c` to `a b`, or adds `a b` to it, on the calling thread.
    ///
    /// Panics if the shapes disagree.
    pub(crate) fn product(&self, c: MatMut<'_>, a: MatRef<'_>, accumulate: bool) {
        match self {
            Self::Plain(b) => {
                check_shapes(&c, &a, b);
                if c.rows <= thin::MAX_ROWS && thin::suits(b) {
                    thin::product(c, a, *b, accumulate);
                } else {
                    f32_product(c, a, *b, accumulate);
                }
            }
            #[cfg(target_arch = "x86_64")]
            Self::Tiles(tiles) => tiles.product(c, a, accumulate),
            #[cfg(target_arch = "x86_64")]
            Self::Panels(panels) => panels.product(c, a, accumulate),
            #[cfg(target_arch = "x86_64")]
            Self::Pairs(pairs) => pairs.product(c, a, accumulate),
        }
    }
}

/// Rows of C that one task computes, of a product with `rows` rows: by the shape alone, so that
/// results do not depend on the threads, and about an even number of tasks.
fn chunk_rows(rows: usize) -> usize {
    let tasks = 2 * rows.div_ceil(256).max(1);
    rows.div_ceil(tasks).next_multiple_of(32)
}

/// Sets `c` to `a b`, or adds `a b` to it, on all threads.
///
/// Panics if the shapes disagree.
pub(crate) fn product(c: MatMut<'_>, a: MatRef<'_>, b: MatRef<'_>, accumulate: bool) {
    check_shapes(&c, &a, &b);
    let chunk_rows = chunk_rows(c.rows);
    if c.rows <= thin::MAX_ROWS && thin::suits(&b) && b.rows * b.cols > 2 * THIN_ELEMENTS {
        return thin_product(c, a, b, accumulate);
    }
    if c.rows <= chunk_rows || c.cols == 0 {
        return product_sequential(c, a, b, accumulate);
    }
    let right = Right::prepare_parallel(b, c.rows);
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

/// A product of few rows, cut into runs of columns.
fn thin_product(c: MatMut<'_>, a: MatRef<'_>, b: MatRef<'_>, accumulate: bool) {
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
            thin::product(out, a, b.cols(from, to), false);
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
mod tests;
