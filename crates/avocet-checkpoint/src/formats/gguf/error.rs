//! What can be wrong with a GGUF file.

use super::GgmlType;

/// A field of a GGUF file that is not as it should be.
#[derive(Debug, PartialEq, thiserror::Error)]
#[error("{field}, at byte {offset}: {problem}")]
pub struct GgufError {
    /// The field, with the key or the tensor it belongs to.
    pub field: String,
    /// Where it begins in the file.
    pub offset: usize,
    /// What is wrong with it.
    pub problem: Problem,
}

/// What is wrong with a field.
#[derive(Debug, PartialEq, thiserror::Error)]
pub enum Problem {
    /// The file ends within the field.
    #[error("takes {wanted} bytes, but {available} follow")]
    TooShort {
        /// Bytes of the field.
        wanted: u64,
        /// Bytes of the file from there on.
        available: usize,
    },
    /// A count or length is above what the file can hold or what is read.
    #[error("{found}, but at most {limit} can be")]
    TooMany {
        /// As the file says.
        found: u64,
        /// Largest accepted.
        limit: u64,
    },
    /// The file does not begin as GGUF files do.
    #[error("the file is no GGUF file")]
    Magic,
    /// The numbers have their high bytes first.
    #[error("big-endian files are not read")]
    BigEndian,
    /// Another version of the format.
    #[error("version {0} is not read; 2 and 3 are")]
    Version(u32),
    /// Bytes that are not text.
    #[error("is not UTF-8")]
    Text,
    /// A truth value that is neither 0 nor 1.
    #[error("a truth value is {0}, neither 0 nor 1")]
    Bool(u8),
    /// A type of metadata that does not exist.
    #[error("metadata type {0} is unknown")]
    ValueType(u32),
    /// A number type that does not exist.
    #[error("tensor type {0} is unknown")]
    TensorType(u32),
    /// The key or name stands in the file already.
    #[error("appears twice")]
    Duplicate,
    /// `general.alignment` is not a power of two within limits.
    #[error("must be a 32-bit power of two up to {limit}")]
    Alignment {
        /// Largest accepted.
        limit: u32,
    },
    /// The shape's product is no size that memory can have.
    #[error("dims {0:?} overflow")]
    Overflow(Vec<u64>),
    /// The innermost dimension does not hold whole blocks.
    #[error("{size} is no multiple of the {block} numbers of a block of {dtype}")]
    Block {
        /// The dimension.
        size: u64,
        /// Numbers of a block.
        block: usize,
        /// The number type.
        dtype: GgmlType,
    },
    /// The offset does not follow the alignment.
    #[error("{found} is no multiple of the alignment {alignment}")]
    Unaligned {
        /// As the file says.
        found: u64,
        /// The file's alignment.
        alignment: u64,
    },
    /// The tensor would end beyond the file.
    #[error("{bytes} bytes from {found} on, but there are {available} bytes of data")]
    Outside {
        /// As the file says, from the start of the data.
        found: u64,
        /// Bytes of the tensor.
        bytes: u64,
        /// Bytes of data in the file.
        available: usize,
    },
    /// Two tensors share bytes.
    #[error("shares bytes with tensor {0:?}")]
    Overlap(String),
    /// The number type is listed, but cannot be turned into numbers here.
    #[error("tensors of type {0} are not read")]
    Unsupported(GgmlType),
}
