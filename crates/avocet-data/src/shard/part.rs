//! What is known of one closed shard until the dataset is finished.
//!
//! A part is written after its shard and is what makes the shard count: a shard without a part
//! was cut short and is written again.

use serde::{Deserialize, Serialize};

use super::manifest::ShardInfo;

/// Folder of the parts, removed when the dataset is finished.
pub(crate) const PARTS: &str = ".parts";

/// A sample's line in the index.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Row {
    pub id: String,
    pub offset: u64,
    pub length: u64,
    pub sha256: String,
    pub kind: String,
    pub text: String,
    pub source: String,
    pub licence: String,
}

/// What became of one input.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Outcome {
    /// Names of the samples it gave.
    Kept(Vec<String>),
    /// Why it gave none.
    Rejected(String),
}

/// A line of the ledger.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct LedgerLine {
    pub input: String,
    #[serde(flatten)]
    pub outcome: Outcome,
    /// Of a duplicate, the name of the sample it repeats.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub of: Option<String>,
}

/// One closed shard with its rows and the ledger lines of the inputs that went into it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Part {
    /// Absent when every input was rejected.
    pub shard: Option<ShardInfo>,
    pub images: u64,
    pub rows: Vec<Row>,
    pub ledger: Vec<LedgerLine>,
}

/// File name of the part of that number.
pub(crate) fn part_name(number: usize) -> String {
    format!("{number:05}.json")
}
