//! Matrices that stay as a checkpoint stores them: f32, f16, bf16, or blocks of ggml.
//!
//! A [`StoredMatrix`] only borrows bytes, such as those of a memory map, and is never expanded as
//! a whole: products read its rows as they lie, a few at a time.
//!
//! A format is a file below `formats/`; a new one is named in [`StoredFormat`] besides.

mod error;
pub(crate) mod format;
pub(crate) mod formats;
// Only levels with AVX-512 read more of x than its numbers.
#[cfg_attr(not(target_arch = "x86_64"), allow(dead_code))]
pub(crate) mod left;
mod matrix;
mod multiply;
#[cfg_attr(not(target_arch = "x86_64"), allow(dead_code))]
pub(crate) mod order;
mod random;
mod rows;

pub use error::StoredError;
pub use formats::StoredFormat;
pub use matrix::StoredMatrix;
pub(crate) use multiply::products_of_few_by;
pub use multiply::{gradient, product, products_of_few};
pub use rows::StoredRows;

#[cfg(test)]
mod tests;
