//! Datasets on disk: tar shards, a Parquet index, a ledger and a manifest.
//!
//! ```text
//! flags/train-00000.tar    samples: ID.json, ID.0.png, ... one after another (WebDataset)
//!       index.parquet      id, shard, offset, length, sha256, kind, text, source, licence
//!       ledger.jsonl       a line per input: kept (with sample names) or rejected (and why)
//!       manifest.json      the recipe, counts, sizes and hashes; written last
//! ```

mod index;
pub(crate) mod ledger;
mod manifest;
mod part;
mod parts;
mod reader;
mod writer;

pub use manifest::{Manifest, Recipe, ShardInfo};
pub(crate) use part::{LedgerLine, Outcome};
pub use parts::part_folder;
pub(crate) use reader::PartOfReader;
pub use reader::{Reader, Stored};
pub use writer::{Kept, Writer, abandon};

#[cfg(test)]
mod tests;
