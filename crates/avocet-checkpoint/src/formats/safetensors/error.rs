//! What can be wrong with the header of a safetensors file.

/// What is wrong with the header of a safetensors file.
#[derive(Debug, PartialEq, thiserror::Error)]
pub enum HeaderError {
    /// Fewer bytes than the length of the header takes.
    #[error("{bytes} bytes, too short for the length of a header")]
    TooShort {
        /// Length of the file.
        bytes: usize,
    },
    /// The header would end beyond the file, or is longer than any we accept.
    #[error(
        "a header of {header} bytes does not fit; {available} follow, at most {limit} are read"
    )]
    HeaderLength {
        /// Length that the file states.
        header: u64,
        /// Bytes after that statement.
        available: usize,
        /// Longest accepted.
        limit: usize,
    },
    /// The header is not the JSON that it should be.
    #[error("header: {0}")]
    Json(String),
    /// A name appears twice.
    #[error("tensor {name:?} appears twice")]
    Duplicate {
        /// The name.
        name: String,
    },
    /// The number type is not one of those that models here have.
    #[error("tensor {name:?}: dtype {dtype:?} is not supported")]
    Dtype {
        /// The tensor.
        name: String,
        /// As the file says.
        dtype: String,
    },
    /// The shape's product is no size that memory can have.
    #[error("tensor {name:?}: shape {shape:?} overflows")]
    Overflow {
        /// The tensor.
        name: String,
        /// As the file says.
        shape: Vec<u64>,
    },
    /// The shape takes another number of bytes than the offsets enclose.
    #[error("tensor {name:?}: shape takes {wanted} bytes, but data_offsets {start}..{end}")]
    Size {
        /// The tensor.
        name: String,
        /// Bytes of its shape.
        wanted: usize,
        /// First byte after the header.
        start: u64,
        /// Byte after the last.
        end: u64,
    },
    /// The offsets end beyond the data.
    #[error(
        "tensor {name:?}: data_offsets {start}..{end}, but there are {available} bytes of data"
    )]
    Range {
        /// The tensor.
        name: String,
        /// First byte.
        start: u64,
        /// Byte after the last.
        end: u64,
        /// Bytes of data in the file.
        available: usize,
    },
    /// The tensor does not begin where the one before ends.
    #[error("tensor {name:?}: begins at {start}, but the one before it ends at {expected}")]
    NotAdjacent {
        /// The tensor.
        name: String,
        /// Where it begins.
        start: usize,
        /// Where it should.
        expected: usize,
    },
    /// Bytes at the end belong to no tensor.
    #[error("the last tensor ends at {end}, but there are {available} bytes of data")]
    Leftover {
        /// Where the last tensor ends.
        end: usize,
        /// Bytes of data in the file.
        available: usize,
    },
}
