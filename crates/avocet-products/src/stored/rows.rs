//! Rows as they are stored.

use std::fmt;
use std::sync::Arc;

use super::error::StoredError;
use super::format::Run;
use super::formats::StoredFormat;

/// Rows of a matrix that lie one after another in some bytes, at any alignment.
#[derive(Clone)]
pub struct StoredRows {
    pub(super) bytes: Arc<dyn AsRef<[u8]> + Send + Sync>,
    pub(super) offset: usize,
    pub(super) rows: usize,
    pub(super) cols: usize,
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
    ) -> Result<Self, StoredError> {
        let block = format.block_len();
        if !cols.is_multiple_of(block) {
            return Err(StoredError::PartialBlocks {
                cols,
                block,
                format,
            });
        }
        let there = (*bytes).as_ref().len();
        let row_bytes = (cols / block).checked_mul(format.block_bytes());
        let end = row_bytes
            .and_then(|row| row.checked_mul(rows))
            .and_then(|all| all.checked_add(offset));
        let (Some(row_bytes), Some(end)) = (row_bytes, end) else {
            return Err(StoredError::TooMany {
                rows,
                cols,
                format,
                offset,
            });
        };
        if end > there {
            return Err(StoredError::Outside {
                rows,
                cols,
                format,
                offset,
                end,
                bytes: there,
            });
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

    /// Rows `from..to` as they lie.
    pub(super) fn run(&self, from: usize, to: usize) -> Run<'_> {
        let bytes = self.offset + from * self.row_bytes..self.offset + to * self.row_bytes;
        Run {
            format: self.format.kernels(),
            bytes: &(*self.bytes).as_ref()[bytes],
            row_bytes: self.row_bytes,
            rows: to - from,
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
