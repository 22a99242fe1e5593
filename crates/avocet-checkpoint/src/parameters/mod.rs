//! The parameters of a network, out of stored tensors: which rows of which tensors make one, what an
//! adapter adds to it, and how the network is handed them.

mod adapter;
mod recipe;
mod stored;
mod wanted;

pub use adapter::{Adapter, LORA, LoraScale, factor_shapes};
pub(crate) use adapter::{Tuned, is_factor};
pub(crate) use recipe::{DifferenceKind, Numbers, Recipe, Recipes, Section, cols};
pub(crate) use stored::{Account, Copied, StoredParameters};
pub(crate) use wanted::{Wanted, sensitive, wanted};
