//! Matrix products over plain slices, the work below every operation of this crate.
//!
//! `C = A B` or `C += A B`, where A and B may be strided (so a transposed operand costs no copy)
//! and C has contiguous rows. A right operand that several products share is prepared once, as a
//! [`Right`].

use rayon::prelude::*;

use crate::precision::{Precision, product_precision};
#[cfg(target_arch = "x86_64")]
use panel::{Format, Panels};

#[cfg(target_arch = "x86_64")]
mod amx;
mod matrix;
#[cfg(target_arch = "x86_64")]
mod pairs;
#[cfg(target_arch = "x86_64")]
mod panel;
mod thin;
#[cfg(target_arch = "x86_64")]
mod tile;

pub(crate) use matrix::{MatMut, MatRef, Values};

/// Numbers of a right operand that one task of a thin product reads.
const THIN_ELEMENTS: usize = 1 << 16;
/// Right operands of fewer elements stay in f32: packing would cost more than it saves.
const MIN_BF16_ELEMENTS: usize = 1024;

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

/// Sets `c` to `a b` on the calling thread by the kernel of many rows, however many there are:
/// every row has the same sums. `b` must have contiguous rows or columns.
///
/// Panics if the shapes disagree.
pub(crate) fn product_of_many(c: MatMut<'_>, a: MatRef<'_>, b: MatRef<'_>) {
    check_shapes(&c, &a, &b);
    #[cfg(target_arch = "x86_64")]
    if panel::Single::available() {
        return Panels::<panel::Single>::pack(b, false).product(c, a, false);
    }
    // Others choose among kernels by the number of rows; this one does not.
    thin::product(c, a, b, false);
}

/// As [`product_of_many`], by the kernel of few rows.
pub(crate) fn product_of_few(c: MatMut<'_>, a: MatRef<'_>, b: MatRef<'_>) {
    check_shapes(&c, &a, &b);
    thin::product(c, a, b, false);
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
