//! Fused, differentiable operations for Avocet's towers.
//!
//! Each operation takes candle tensors. On the CPU it is one custom op with a hand-written
//! backward; on any other device it is composed from differentiable candle ops, and those
//! composed forms are also what the tests compare against.
//!
//! Shapes: S packed rows, D width, H heads, K head width, E experts, F feed-forward width,
//! V vocabulary, I and O the inputs and outputs of a linear layer.
//!
//! Results never depend on the number of threads: work is cut into chunks of fixed size.

mod embedding;
mod gate;
#[cfg(test)]
mod gradient_check;
mod norm;
pub mod product;
mod ranges;
mod rope;
mod simd;
mod slices;

pub use embedding::embedding;
pub use gate::gated_add;
pub use norm::{layer_norm, rms_norm};
pub use product::{MatMut, MatRef, product, product_sequential};
pub use ranges::KeyRanges;
pub use rope::{RopeAngles, rope};
