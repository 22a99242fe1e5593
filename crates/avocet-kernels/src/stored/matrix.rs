//! Matrices made of stored rows.

use std::fmt;
use std::ops::Range;
use std::sync::Arc;

use candle_core::{Device, Result, Tensor, bail};
use rayon::prelude::*;

use super::blocks;
use super::format::{Row, Run, StoredFormat};
#[cfg(target_arch = "x86_64")]
use super::wide;

/// Numbers that one task dequantises, in whole rows.
pub(super) const TASK_NUMBERS: usize = 1 << 16;

/// Rows of a matrix that lie one after another in some bytes, at any alignment.
#[derive(Clone)]
pub struct StoredRows {
    pub(super) bytes: Arc<dyn AsRef<[u8]> + Send + Sync>,
    pub(super) offset: usize,
    pub(super) rows: usize,
    cols: usize,
    pub(super) format: StoredFormat,
    pub(super) row_bytes: usize,
}

impl StoredRows {
    /// `rows` rows of `cols` numbers, the first of which begins at byte `offset`.
    ///
    /// Errors if rows are not whole blocks or do not lie inside `bytes`.
    pub fn new(
        bytes: Arc<dyn AsRef<[u8]> + Send + Sync>,
        offset: usize,
        rows: usize,
        cols: usize,
        format: StoredFormat,
    ) -> Result<Self> {
        let block = format.block_len();
        if !cols.is_multiple_of(block) {
            bail!("stored rows: {cols} columns are not whole blocks of {block}, as {format:?} is");
        }
        let there = (*bytes).as_ref().len();
        let row_bytes = (cols / block).checked_mul(format.block_bytes());
        let end = row_bytes
            .and_then(|row| row.checked_mul(rows))
            .and_then(|all| all.checked_add(offset));
        let (Some(row_bytes), Some(end)) = (row_bytes, end) else {
            bail!("stored rows: {rows} x {cols} of {format:?} from byte {offset} are too many");
        };
        if end > there {
            bail!(
                "stored rows: {rows} x {cols} of {format:?} from byte {offset} end at byte {end} \
                 of {there}"
            );
        }
        Ok(Self {
            bytes,
            offset,
            rows,
            cols,
            format,
            row_bytes,
        })
    }

    fn row(&self, row: usize) -> Row<'_> {
        let from = self.offset + row * self.row_bytes;
        Row {
            format: self.format,
            bytes: &(*self.bytes).as_ref()[from..from + self.row_bytes],
        }
    }
}

impl fmt::Debug for StoredRows {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StoredRows")
            .field("offset", &self.offset)
            .field("rows", &self.rows)
            .field("cols", &self.cols)
            .field("format", &self.format)
            .finish_non_exhaustive()
    }
}

impl Row<'_> {
    /// Writes the row's numbers. Panics unless `out` is as long as the row.
    pub(super) fn dequantise(self, out: &mut [f32]) {
        #[cfg(target_arch = "x86_64")]
        if wide::available() {
            return wide::dequantise(self, out);
        }
        blocks::dequantise(self.format, self.bytes, out);
    }
}

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
    pub fn new(shape: &[usize], parts: Vec<StoredRows>) -> Result<Self> {
        let Some((&cols, outer)) = shape.split_last() else {
            bail!("stored matrix: a shape without dimensions");
        };
        let product = |dims: &[usize]| dims.iter().try_fold(1usize, |n, &d| n.checked_mul(d));
        let (Some(rows), Some(_)) = (product(outer), product(shape)) else {
            bail!("stored matrix: a shape of {shape:?} is too large");
        };
        let mut there = 0usize;
        let mut starts = Vec::with_capacity(parts.len());
        let parts: Vec<_> = parts.into_iter().filter(|part| part.rows > 0).collect();
        for (i, part) in parts.iter().enumerate() {
            if part.cols != cols {
                bail!(
                    "stored matrix: part {i} has {} columns, the shape {shape:?} {cols}",
                    part.cols
                );
            }
            starts.push(there);
            there = there.saturating_add(part.rows);
        }
        if there != rows {
            bail!("stored matrix: parts of {there} rows, but a shape of {shape:?}");
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
    /// Errors if there is no such row or `out` has another width.
    pub fn row(&self, index: usize, out: &mut [f32]) -> Result<()> {
        if index >= self.rows {
            bail!("stored matrix: row {index} of {}", self.rows);
        }
        if out.len() != self.cols {
            bail!(
                "stored matrix: a row of {} into {} numbers",
                self.cols,
                out.len()
            );
        }
        self.stored_row(index).dequantise(out);
        Ok(())
    }

    /// All numbers, as an f32 tensor of the matrix's shape.
    ///
    /// Errors if the device cannot hold it.
    pub fn to_tensor(&self, device: &Device) -> Result<Tensor> {
        let mut numbers = vec![0.0; self.rows * self.cols];
        self.dequantise(0..self.rows, &mut numbers);
        Tensor::from_vec(numbers, self.shape.as_slice(), device)
    }

    /// Writes the numbers of some rows, on all threads.
    pub(crate) fn dequantise(&self, rows: Range<usize>, out: &mut [f32]) {
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
