//! The tensors of a model as they lie in its files, whatever form the files have.

mod content;
mod number_type;
mod store;

pub(crate) use content::Origin;
pub use number_type::{NumberType, StoredTensor};
pub(crate) use store::{Store, weight_map};
