//! Datasets on disk: tar shards, a Parquet index, a ledger and a manifest.
//!
//! ```text
//! flags/train-00000.tar    samples: ID.json, ID.0.png, ... one after another (WebDataset)
//!       index.parquet      id, shard, offset, length, sha256, kind, text, source, licence
//!       ledger.jsonl       a line per input: kept (with sample names) or rejected (and why)
//!       manifest.json      the recipe, counts, sizes and hashes; written last
//! ```

mod index;
mod manifest;
mod part;
mod parts;
mod reader;
mod writer;

pub use manifest::{Manifest, Recipe, ShardInfo};
pub use reader::Reader;
pub use writer::{Kept, Writer};

#[cfg(test)]
mod tests;
