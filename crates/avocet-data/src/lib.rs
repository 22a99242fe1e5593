//! Training data on disk and on its way into a batch.
//!
//! - [`Sample`]: pictures, a conversation or document, and where they come from.
//! - [`shard::Writer`]: samples into tar shards, resumable, every input accounted for.
//! - [`shard::Reader`]: any sample of a finished dataset, checked as it is read.
//! - [`merge`], [`split`], [`dedup`]: datasets made from others.
//! - [`rows`]: questions that people write themselves, in a table beside their pictures.
//! - [`Mixture`]: the seeded, resumable order over several datasets.
//! - [`Batch`]: samples as the packed rows of a training step.
//! - [`inspect`]: what is in a dataset, for people.
//! - [`Loader`]: all of these as a stream of batches.
//!
//! Never sees a model.

mod augment;
mod batch;
mod content;
mod dedup;
mod digest;
mod error;
#[cfg(test)]
mod fixture;
mod hold_out;
pub mod inspect;
mod loader;
mod made;
mod merge;
mod mix;
pub mod rows;
mod sample;
pub mod shard;
mod sources;
mod split;
mod ustar;

pub use augment::Augment;
pub use batch::{Batch, BatchShape, Prepared, Showing};
pub use content::Content;
pub use dedup::{DedupOptions, Match, OptOut, dedup};
pub use error::{DataError, SampleError};
pub use hold_out::{held_out, hold_out};
pub use loader::{BatchSize, Loader, LoaderSource};
pub use made::{Made, MadeSamples, MakeSample, Recognise, Samples};
pub use merge::merge;
pub use mix::{Draw, Mixture, MixtureError, MixtureSource, Position, Progress, SourceReport};
pub use sample::{Piece, Sample, Truth};
pub use sources::{Layout, OnProgress};
pub use split::{SplitBy, SplitOptions, SplitPart, split};
