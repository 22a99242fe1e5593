//! GGUF, the files of llama.cpp: metadata and tensors, most of them in blocks of small integers.
//!
//! - [`Gguf`]: opens a file of version 2 or 3; nothing of it is believed before it is checked.
//! - [`GgmlType`]: the number types, and how many bytes their blocks take.
//! - [`quantize`]: makes blocks out of numbers.
//! - [`write_gguf`]: writes a file.

mod cursor;
pub(crate) mod dequantize;
mod error;
mod file;
mod ggml_type;
mod metadata;
mod quantize;
mod split;
mod value;
mod write;

#[cfg(test)]
mod hostile;
#[cfg(test)]
mod tests;

pub use error::{GgufError, Problem};
pub use file::{Gguf, GgufTensor};
pub use ggml_type::GgmlType;
pub(crate) use metadata::Metadata;
pub use quantize::{QuantizeError, quantize};
pub(crate) use split::{SPLIT_KEYS, open_all, part_paths};
pub use value::{Array, Value};
pub use write::write_gguf;
