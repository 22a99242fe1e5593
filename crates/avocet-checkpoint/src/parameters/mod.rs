//! The parameters of a network, out of stored tensors: which rows of which tensors make one, what an
//! adapter adds to it, and how the network is handed them.

mod adapter;
mod mapping;
mod stored;

pub use adapter::{Adapter, LORA, LoraScale, factor_shapes};
pub(crate) use adapter::{AdapterWeights, is_factor};
pub(crate) use mapping::{DifferenceKind, Numbers, Section, WeightMapping, WeightMappings, cols};
pub(crate) use stored::{Account, Copied, StoredParameters};
