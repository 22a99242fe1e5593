//! What a recogniser's classes are called: the table of a model's folder, and how a network is
//! shown what was recognised.

mod shown;
mod table;

pub use shown::{Concepts, Posterior};
pub use table::{Class, ConceptTable};
