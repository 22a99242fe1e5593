//! What a dataset says about itself: the recipe it was made by, and what came out.

use std::collections::BTreeMap;
use std::path::Path;

use serde::{Deserialize, Serialize};

use crate::DataError;
use crate::ustar::name_is_plain;

/// Name of the file whose presence says that a dataset is finished.
pub(crate) const MANIFEST: &str = "manifest.json";
/// Name of the Parquet index.
pub(crate) const INDEX: &str = "index.parquet";
/// Name of the ledger.
pub(crate) const LEDGER: &str = "ledger.jsonl";
/// Version of the layout described in this module.
const FORMAT: u32 = 1;

/// Everything that decides the bytes of a dataset.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Recipe {
    /// The pipeline that makes it, such as `named-pictures`.
    pub pipeline: String,
    /// Start of the shards' file names, such as `train`.
    pub split: String,
    /// Seed of everything drawn at random.
    pub seed: u64,
    /// The pipeline's own settings; a run with other settings is not a resumption.
    pub settings: serde_json::Value,
    /// A shard is closed once it has this many bytes.
    pub shard_bytes: u64,
}

impl Recipe {
    /// A recipe with shards of 64 MiB.
    pub fn new(pipeline: &str, split: &str, seed: u64, settings: serde_json::Value) -> Self {
        let (pipeline, split) = (pipeline.to_string(), split.to_string());
        Self {
            pipeline,
            split,
            seed,
            settings,
            shard_bytes: 64 << 20,
        }
    }
}

/// One finished shard.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ShardInfo {
    /// File name within the dataset.
    pub file: String,
    /// Length of the file.
    pub bytes: u64,
    /// Samples in it.
    pub samples: u64,
    /// SHA-256 of the file.
    pub sha256: String,
}

/// What a finished dataset contains.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Manifest {
    /// Version of the layout.
    pub format: u32,
    /// How it was made.
    pub recipe: Recipe,
    /// Inputs seen; `kept` and the numbers of `rejected` add up to it.
    pub inputs: u64,
    /// Inputs that gave at least one sample.
    pub kept: u64,
    /// Inputs that gave none, by reason.
    pub rejected: BTreeMap<String, u64>,
    /// Samples.
    pub samples: u64,
    /// Pictures in all samples.
    pub images: u64,
    /// Shards, in order.
    pub shards: Vec<ShardInfo>,
    /// SHA-256 of the index.
    pub index_sha256: String,
    /// SHA-256 of the ledger.
    pub ledger_sha256: String,
}

impl Manifest {
    pub(crate) fn empty(recipe: Recipe) -> Self {
        Self {
            format: FORMAT,
            recipe,
            inputs: 0,
            kept: 0,
            rejected: BTreeMap::new(),
            samples: 0,
            images: 0,
            shards: Vec::new(),
            index_sha256: String::new(),
            ledger_sha256: String::new(),
        }
    }

    /// What became of the inputs, for people: a line on the dataset in `folder`, and one for each
    /// reason to reject.
    pub fn summary(&self, folder: &Path) -> String {
        let rejected: u64 = self.rejected.values().sum();
        let mut text = format!(
            "{}: {} samples; {} inputs = {} kept + {rejected} rejected\n",
            folder.display(),
            self.samples,
            self.inputs,
            self.kept
        );
        for (reason, count) in &self.rejected {
            text.push_str(&format!("  {count} rejected: {reason}\n"));
        }
        text
    }

    /// Reads and checks the manifest at `path`.
    pub(crate) fn read(path: &Path) -> Result<Self, DataError> {
        let bytes = std::fs::read(path).map_err(DataError::io(path))?;
        let manifest: Self =
            serde_json::from_slice(&bytes).map_err(|e| DataError::broken(path, e))?;
        manifest
            .check()
            .map_err(|reason| DataError::broken(path, reason))?;
        Ok(manifest)
    }

    fn check(&self) -> Result<(), String> {
        if self.format != FORMAT {
            return Err(format!(
                "field `format` is {}, this program reads {FORMAT}",
                self.format
            ));
        }
        for shard in &self.shards {
            if !name_is_plain(&shard.file) {
                return Err(format!(
                    "field `shards`: {:?} is not a plain file name",
                    shard.file
                ));
            }
        }
        let in_shards = self
            .shards
            .iter()
            .fold(0u64, |n, s| n.saturating_add(s.samples));
        if in_shards != self.samples {
            return Err(format!(
                "`samples` is {}, the shards have {in_shards}",
                self.samples
            ));
        }
        let rejected = self
            .rejected
            .values()
            .fold(0u64, |n, &r| n.saturating_add(r));
        if self.kept.saturating_add(rejected) != self.inputs {
            return Err(format!(
                "{} inputs, but {} kept and {rejected} rejected",
                self.inputs, self.kept
            ));
        }
        Ok(())
    }
}
