//! Files of `torch.save` (`.pt`, `.bin`), read without executing anything.
//!
//! Such a file is a zip archive of stored members: a pickle that describes the tensors, and their
//! storages; before PyTorch 1.6, the pickle and the storages lay one behind another. The pickle is run by a machine that knows only what tensors in nested dicts, lists
//! and tuples need; whatever else it asks for is refused by name.

mod archive;
mod error;
mod file;
mod legacy;
mod machine;
mod names;
mod value;
mod view;

#[cfg(test)]
mod hostile;
#[cfg(test)]
mod tests;

pub use error::PickleError;
pub use file::{Pickle, PickledTensor};
pub use value::ElementType;
