//! Matrix products over plain slices, dense and stored, on all threads.
//!
//! The work below every operation of the network: `C = A B` of strided matrices in f32 or bf16,
//! products with rows as a checkpoint stores them, and the elementwise functions beside them. It
//! knows no tensor.
//!
//! Results never depend on the number of threads: work is cut by the shape alone, and sums are
//! added in a fixed order.

#[cfg(target_arch = "x86_64")]
mod amx;
#[cfg(target_arch = "x86_64")]
mod avx512;
mod dense;
mod kernels;
mod lanes;
mod level;
mod limits;
mod matrix;
mod portable;
mod precision;
mod rowwise;
pub mod simd;
pub mod stored;
mod table;
mod thin;

pub use dense::{Right, product, product_sequential};
pub use lanes::{LANES, add_lanes};
pub use level::{Level, UnknownLevel};
pub use limits::{memory_bandwidth, product_peak, product_speed};
pub use matrix::{MatMut, MatRef, Values};
pub use precision::Precision;
pub use rowwise::Lines;
