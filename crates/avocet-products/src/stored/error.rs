//! What can be wrong with stored rows.

use super::formats::StoredFormat;

/// Why rows or a matrix are refused.
#[derive(Debug, thiserror::Error)]
pub enum StoredError {
    /// A row would end inside a block.
    #[error("stored rows: {cols} columns are not whole blocks of {block}, as {format:?} is")]
    PartialBlocks {
        /// Numbers of a row.
        cols: usize,
        /// Numbers of a block.
        block: usize,
        /// The format of the rows.
        format: StoredFormat,
    },
    /// The rows' bytes cannot be counted.
    #[error("stored rows: {rows} x {cols} of {format:?} from byte {offset} are too many")]
    TooMany {
        /// Rows that were asked for.
        rows: usize,
        /// Numbers of a row.
        cols: usize,
        /// The format of the rows.
        format: StoredFormat,
        /// Where the first begins.
        offset: usize,
    },
    /// The rows do not lie inside their bytes.
    #[error(
        "stored rows: {rows} x {cols} of {format:?} from byte {offset} end at byte {end} of {bytes}"
    )]
    Outside {
        /// Rows that were asked for.
        rows: usize,
        /// Numbers of a row.
        cols: usize,
        /// The format of the rows.
        format: StoredFormat,
        /// Where the first begins.
        offset: usize,
        /// Where the last would end.
        end: usize,
        /// How many bytes there are.
        bytes: usize,
    },
    /// A matrix has at least its columns as a dimension.
    #[error("stored matrix: a shape without dimensions")]
    NoDimensions,
    /// The numbers cannot be counted.
    #[error("stored matrix: a shape of {shape:?} is too large")]
    TooLarge {
        /// The shape that was asked for.
        shape: Vec<usize>,
    },
    /// Rows of another width than the matrix.
    #[error("stored matrix: part {part} has {cols} columns, the shape {shape:?} {expected}")]
    Width {
        /// Which of the parts.
        part: usize,
        /// Numbers of its rows.
        cols: usize,
        /// The shape that was asked for.
        shape: Vec<usize>,
        /// Numbers of a row of that shape.
        expected: usize,
    },
    /// More or fewer rows than the matrix.
    #[error("stored matrix: parts of {rows} rows, but a shape of {shape:?}")]
    Rows {
        /// Rows of all parts.
        rows: usize,
        /// The shape that was asked for.
        shape: Vec<usize>,
    },
}
