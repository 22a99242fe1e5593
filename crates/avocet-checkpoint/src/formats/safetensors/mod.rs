//! Safetensors files: a header that says where each tensor lies, and their bytes.

mod error;
mod file;
mod header;

pub use error::HeaderError;
pub(crate) use file::Safetensors;
pub use header::StoredType;
