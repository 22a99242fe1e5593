//! Training data on disk and on its way into a batch.
//!
//! - [`Sample`]: pictures, a conversation or document, and where they come from.
//! - [`shard::Writer`]: samples into tar shards, resumable, every input accounted for.
//! - [`shard::Reader`]: any sample of a finished dataset, checked as it is read.
//!
//! Never sees a model.

mod atomic;
mod digest;
mod error;
mod sample;
pub mod shard;
mod ustar;

pub use error::{DataError, SampleError};
pub use sample::{Content, Sample, Truth};
