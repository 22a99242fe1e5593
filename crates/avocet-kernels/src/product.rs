//! Matrix products over plain slices, the work below every operation of this crate.
//!
//! `C = A B` or `C += A B`, where A and B may be strided (so a transposed operand costs no copy)
//! and C has contiguous rows.

use rayon::prelude::*;

/// Rows of C that one task computes; fixed, so that results do not depend on the threads.
const CHUNK_ROWS: usize = 256;

/// A matrix read from a slice: element (i, j) is `data[i * row_stride + j * col_stride]`.
#[derive(Debug, Clone, Copy)]
pub struct MatRef<'a> {
    data: &'a [f32],
    rows: usize,
    cols: usize,
    row_stride: usize,
    col_stride: usize,
}

impl<'a> MatRef<'a> {
    /// A row-major matrix that fills `data`.
    ///
    /// Panics if `data` is shorter than `rows * cols`.
    pub fn new(data: &'a [f32], rows: usize, cols: usize) -> Self {
        Self::strided(data, rows, cols, cols, 1)
    }

    /// A matrix with any strides.
    ///
    /// Panics if an element would lie outside `data`.
    pub fn strided(
        data: &'a [f32],
        rows: usize,
        cols: usize,
        row_stride: usize,
        col_stride: usize,
    ) -> Self {
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
    pub fn transposed(self) -> Self {
        Self {
            rows: self.cols,
            cols: self.rows,
            row_stride: self.col_stride,
            col_stride: self.row_stride,
            ..self
        }
    }

    /// Rows `from..to`.
    pub fn rows(self, from: usize, to: usize) -> Self {
        assert!(
            from <= to && to <= self.rows,
            "rows {from}..{to} of {}",
            self.rows
        );
        let start = (from * self.row_stride).min(self.data.len());
        Self {
            data: &self.data[start..],
            rows: to - from,
            ..self
        }
    }
}

/// A matrix written to a slice: element (i, j) is `data[i * row_stride + j]`.
#[derive(Debug)]
pub struct MatMut<'a> {
    data: &'a mut [f32],
    rows: usize,
    cols: usize,
    row_stride: usize,
}

impl<'a> MatMut<'a> {
    /// A row-major matrix that fills `data`.
    ///
    /// Panics if `data` is shorter than `rows * cols`.
    pub fn new(data: &'a mut [f32], rows: usize, cols: usize) -> Self {
        Self::strided(data, rows, cols, cols)
    }

    /// A matrix whose rows are `row_stride` apart.
    ///
    /// Panics if rows overlap or an element would lie outside `data`.
    pub fn strided(data: &'a mut [f32], rows: usize, cols: usize, row_stride: usize) -> Self {
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

/// Sets `c` to `a b`, or adds `a b` to it, on all threads.
///
/// Panics if the shapes disagree.
pub fn product(c: MatMut<'_>, a: MatRef<'_>, b: MatRef<'_>, accumulate: bool) {
    check_shapes(&c, &a, &b);
    if c.rows <= CHUNK_ROWS || c.cols == 0 {
        return product_sequential(c, a, b, accumulate);
    }
    let MatMut {
        data,
        rows,
        cols,
        row_stride,
    } = c;
    data.par_chunks_mut(CHUNK_ROWS * row_stride)
        .enumerate()
        .for_each(|(i, chunk)| {
            let from = i * CHUNK_ROWS;
            if from < rows {
                let to = rows.min(from + CHUNK_ROWS);
                let c = MatMut::strided(chunk, to - from, cols, row_stride);
                product_sequential(c, a.rows(from, to), b, accumulate);
            }
        });
}

/// As [`product`], on the calling thread alone: for use inside a loop that is already parallel.
///
/// Panics if the shapes disagree.
pub fn product_sequential(c: MatMut<'_>, a: MatRef<'_>, b: MatRef<'_>, accumulate: bool) {
    check_shapes(&c, &a, &b);
    // SAFETY: the constructors of `MatRef` and `MatMut` checked that every element lies inside
    // its slice, `check_shapes` that the shapes agree, and `c` is borrowed exclusively.
    unsafe {
        gemm::gemm(
            c.rows,
            c.cols,
            a.cols,
            c.data.as_mut_ptr(),
            1,
            c.row_stride as isize,
            accumulate,
            a.data.as_ptr(),
            a.col_stride as isize,
            a.row_stride as isize,
            b.data.as_ptr(),
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
        let b = MatRef::new(&b, n, k).transposed();
        product(MatMut::new(&mut c, m, n), MatRef::new(&a, m, k), b, true);
        for i in 0..m {
            for j in 0..n {
                let expected: f32 = (0..k)
                    .map(|p| a[i * k + p] * b.data[j * k + p])
                    .sum::<f32>()
                    + 1.0;
                assert_eq!(c[i * n + j], expected);
            }
        }
    }
}
