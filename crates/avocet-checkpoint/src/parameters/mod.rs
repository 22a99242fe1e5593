//! The parameters of a network, out of stored tensors: which rows of which tensors make one, what an
//! adapter adds to it, and how the network is handed them.

mod adapter;
mod recipe;
mod stored;
mod wanted;

pub use adapter::{Adapter, LORA, LoraScale, factor_shapes};
pub(crate) use adapter::{Tuned, is_factor};
pub(crate) use recipe::{
    Account, DifferenceKind, Numbers, Recipe, Recipes, Section, account, cols,
};
pub(crate) use stored::{Copied, builder};
pub(crate) use wanted::{Wanted, sensitive, wanted};
