//! The matrices of a product, over plain slices.

use half::bf16;

/// Numbers of a matrix that is read.
#[derive(Debug, Clone, Copy)]
pub enum Values<'a> {
    /// f32 numbers.
    F32(&'a [f32]),
    /// bfloat16 numbers, the upper halves of f32 ones.
    Bf16(&'a [bf16]),
}

impl<'a> Values<'a> {
    pub(crate) fn len(self) -> usize {
        match self {
            Self::F32(data) => data.len(),
            Self::Bf16(data) => data.len(),
        }
    }

    /// The elements `from..to`.
    pub fn slice(self, from: usize, to: usize) -> Self {
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

/// `bf16::to_f32` without its care for signalling NaN, which keeps it from being vectorised.
#[inline(always)]
pub(crate) fn widen(v: bf16) -> f32 {
    f32::from_bits(u32::from(v.to_bits()) << 16)
}

/// Where an element lies; `None` where no slice is as long.
fn last(row: usize, row_stride: usize, col: usize, col_stride: usize) -> Option<usize> {
    let row = row.checked_mul(row_stride)?;
    row.checked_add(col.checked_mul(col_stride)?)
}

/// A matrix read from a slice: element (i, j) is `data[i * row_stride + j * col_stride]`.
#[derive(Debug, Clone, Copy)]
pub struct MatRef<'a> {
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
    pub fn new(data: impl Into<Values<'a>>, rows: usize, cols: usize) -> Self {
        Self::strided(data, rows, cols, cols, 1)
    }

    /// A matrix with any strides.
    ///
    /// Panics if an element would lie outside `data`.
    pub fn strided(
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
                || last(rows - 1, row_stride, cols - 1, col_stride)
                    .is_some_and(|last| last < data.len()),
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
    ///
    /// Panics if there are fewer.
    pub fn rows(self, from: usize, to: usize) -> Self {
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
    ///
    /// Panics if there are fewer.
    pub fn cols(self, from: usize, to: usize) -> Self {
        self.transposed().rows(from, to).transposed()
    }

    /// The element (i, j), in f32.
    pub(crate) fn at(&self, i: usize, j: usize) -> f32 {
        let at = i * self.row_stride + j * self.col_stride;
        match self.data {
            Values::F32(data) => data[at],
            Values::Bf16(data) => data[at].to_f32(),
        }
    }

    /// Calls `f` with the same matrix in f32; only the bf16 form is copied.
    pub(crate) fn with_f32<R>(self, f: impl FnOnce(&[f32], Self) -> R) -> R {
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
pub struct MatMut<'a> {
    pub(crate) data: &'a mut [f32],
    pub(crate) rows: usize,
    pub(crate) cols: usize,
    pub(crate) row_stride: usize,
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
            rows == 0
                || cols == 0
                || last(rows - 1, row_stride, cols, 1).is_some_and(|end| end <= data.len()),
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
