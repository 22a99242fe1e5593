//! Matrices made of stored rows.

use std::fmt;
use std::ops::Range;

use rayon::prelude::*;

use super::error::StoredError;
use super::format::Run;
use super::left::Needs;
use super::rows::StoredRows;
use crate::kernels::Kernels;
use crate::level::Level;

/// Numbers that one task widens, in whole rows.
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
    pub(crate) cols: usize,
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
        assert_eq!(out.len(), self.cols, "the width of a row");
        self.widen_here(Level::current().kernels(), index..index + 1, out);
    }

    /// All numbers, row after row.
    pub fn numbers(&self) -> Vec<f32> {
        let mut numbers = vec![0.0; self.rows * self.cols];
        self.widen(Level::current().kernels(), 0..self.rows, &mut numbers);
        numbers
    }

    /// Writes the numbers of some rows, on all threads.
    pub(super) fn widen(&self, kernels: &Kernels, rows: Range<usize>, out: &mut [f32]) {
        if self.cols == 0 {
            return;
        }
        let each = TASK_NUMBERS.div_ceil(self.cols);
        out.par_chunks_mut(each * self.cols)
            .enumerate()
            .for_each(|(i, out)| {
                let from = rows.start + i * each;
                self.widen_here(kernels, from..from + out.len() / self.cols, out);
            });
    }

    /// Writes the numbers of some rows, on the calling thread.
    pub(crate) fn widen_here(&self, kernels: &Kernels, rows: Range<usize>, out: &mut [f32]) {
        let mut outs = out.chunks_exact_mut(self.cols.max(1));
        for run in self.runs(rows) {
            let widen = (kernels.rows)(run.format).widen;
            let rows = run.bytes.chunks_exact(run.row_bytes.max(1));
            rows.zip(&mut outs).for_each(|(row, out)| widen(row, out));
        }
    }

    /// What products with some rows need of x.
    pub(super) fn needs(
        &self,
        kernels: &Kernels,
        rows: &Range<usize>,
    ) -> impl Iterator<Item = Needs> {
        self.runs(rows.clone())
            .map(|run| (kernels.rows)(run.format).needs)
    }

    /// The stored rows of a range, run by run.
    pub(super) fn runs(&self, rows: Range<usize>) -> impl Iterator<Item = Run<'_>> {
        let Range { start: top, end } = rows;
        assert!(end <= self.rows, "row {end} of {}", self.rows);
        let first = self
            .starts
            .partition_point(|&start| start <= top)
            .saturating_sub(1);
        let parts = self.parts.iter().zip(&self.starts).skip(first);
        parts
            .take_while(move |(_, start)| **start < end)
            .map(move |(part, start)| {
                part.run(top.saturating_sub(*start), part.rows.min(end - start))
            })
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
