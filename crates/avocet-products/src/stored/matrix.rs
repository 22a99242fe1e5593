//! Matrices made of stored rows.

use std::fmt;
use std::ops::Range;

use rayon::prelude::*;

use super::error::StoredError;
use super::format::{Row, Run, StoredFormat};
use super::rows::StoredRows;

/// Numbers that one task dequantises, in whole rows.
pub(super) const TASK_NUMBERS: usize = 1 << 16;

/// A matrix made of runs of rows put one below another, maybe of several formats, seen under a
/// shape such as (O, I), or (E, 2F, D) for a stack of experts.
#[derive(Clone)]
pub struct StoredMatrix {
    shape: Vec<usize>,
    parts: Vec<StoredRows>,
    /// The first row of each part.
    starts: Vec<usize>,
    rows: usize,
    pub(super) cols: usize,
}

impl StoredMatrix {
    /// `parts` one below another; the last dimension of `shape` is their width, the others are
    /// their rows.
    ///
    /// Errors if widths or the number of rows disagree.
    pub fn new(shape: &[usize], parts: Vec<StoredRows>) -> Result<Self, StoredError> {
        let Some((&cols, outer)) = shape.split_last() else {
            return Err(StoredError::NoDimensions);
        };
        let product = |dims: &[usize]| dims.iter().try_fold(1usize, |n, &d| n.checked_mul(d));
        let (Some(rows), Some(_)) = (product(outer), product(shape)) else {
            return Err(StoredError::TooLarge {
                shape: shape.to_vec(),
            });
        };
        let mut there = 0usize;
        let mut starts = Vec::with_capacity(parts.len());
        let parts: Vec<_> = parts.into_iter().filter(|part| part.rows > 0).collect();
        for (i, part) in parts.iter().enumerate() {
            if part.cols != cols {
                return Err(StoredError::Width {
                    part: i,
                    cols: part.cols,
                    shape: shape.to_vec(),
                    expected: cols,
                });
            }
            starts.push(there);
            there = there.saturating_add(part.rows);
        }
        if there != rows {
            return Err(StoredError::Rows {
                rows: there,
                shape: shape.to_vec(),
            });
        }
        Ok(Self {
            shape: shape.to_vec(),
            parts,
            starts,
            rows,
            cols,
        })
    }

    /// The shape it is seen under.
    pub fn shape(&self) -> &[usize] {
        &self.shape
    }

    /// Bytes that its rows take as they are stored.
    pub fn num_bytes(&self) -> usize {
        let sizes = self.parts.iter().map(|part| part.rows * part.row_bytes);
        sizes.sum()
    }

    /// Writes the numbers of row `index`, counted over all dimensions but the last.
    ///
    /// Panics if there is no such row or `out` has another width.
    pub fn row(&self, index: usize, out: &mut [f32]) {
        assert!(index < self.rows, "row {index} of {}", self.rows);
        self.stored_row(index).dequantise(out);
    }

    /// All numbers, row after row.
    pub fn numbers(&self) -> Vec<f32> {
        let mut numbers = vec![0.0; self.rows * self.cols];
        self.dequantise(0..self.rows, &mut numbers);
        numbers
    }

    /// Writes the numbers of some rows, on all threads.
    pub(super) fn dequantise(&self, rows: Range<usize>, out: &mut [f32]) {
        if self.cols == 0 {
            return;
        }
        let each = TASK_NUMBERS.div_ceil(self.cols);
        out.par_chunks_mut(each * self.cols)
            .enumerate()
            .for_each(|(i, out)| {
                let from = rows.start + i * each;
                for (i, out) in out.chunks_exact_mut(self.cols).enumerate() {
                    self.stored_row(from + i).dequantise(out);
                }
            });
    }

    /// The format of each part that holds some of the rows.
    pub(super) fn formats(&self, rows: &Range<usize>) -> impl Iterator<Item = StoredFormat> {
        let parts = self.parts.iter().zip(&self.starts);
        parts
            .filter(|(part, start)| **start < rows.end && rows.start < **start + part.rows)
            .map(|(part, _)| part.format)
    }

    /// The stored rows of a range, run by run.
    pub(super) fn runs(&self, rows: Range<usize>) -> impl Iterator<Item = Run<'_>> {
        let Range { start: top, end } = rows;
        let first = self
            .starts
            .partition_point(|&start| start <= top)
            .saturating_sub(1);
        let parts = self.parts.iter().zip(&self.starts).skip(first);
        parts
            .take_while(move |(_, start)| **start < end)
            .map(move |(part, start)| {
                let from = top.saturating_sub(*start);
                let to = part.rows.min(end - start);
                let all = part.offset + from * part.row_bytes..part.offset + to * part.row_bytes;
                Run {
                    format: part.format,
                    bytes: &(*part.bytes).as_ref()[all],
                    row_bytes: part.row_bytes,
                    rows: to - from,
                }
            })
    }

    pub(super) fn stored_row(&self, row: usize) -> Row<'_> {
        let part = self.starts.partition_point(|&start| start <= row) - 1;
        self.parts[part].row(row - self.starts[part])
    }
}

impl fmt::Debug for StoredMatrix {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StoredMatrix")
            .field("shape", &self.shape)
            .field("num_bytes", &self.num_bytes())
            .field("num_parts", &self.parts.len())
            .finish()
    }
}
