//! Models written: from tensors, from other models, at random.

mod export;
mod graft;
mod place;
mod quantise;
mod random;
mod save;
mod upcycle;

pub use graft::{GraftOptions, graft};
pub use place::{PartSource, place_base};
pub use quantise::{BlockCount, BlockFormat};
pub use random::save_random;
pub use save::{WeightFormat, save};
pub use upcycle::{UpcycleOptions, upcycle};
