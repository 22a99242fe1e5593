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

pub mod product;

pub use product::{MatMut, MatRef, product, product_sequential};
