//! Matrices that stay as a checkpoint stores them: f32, f16, bf16, or blocks of ggml.
//!
//! A [`StoredMatrix`] only borrows bytes, such as those of a memory map, and is never expanded as
//! a whole: products read its rows as they lie, a few at a time.

mod blocks;
mod format;
mod left;
mod matrix;
#[cfg(target_arch = "x86_64")]
mod order;
mod product;
#[cfg(target_arch = "x86_64")]
mod wide;

pub use format::StoredFormat;
pub use matrix::{StoredMatrix, StoredRows};
pub(crate) use product::{gradient, product, products_of_few};

#[cfg(test)]
pub(crate) mod tests;
