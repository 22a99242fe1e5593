//! What is in a dataset, for people: counts, and a page that shows samples.

mod counts;
mod page;

use std::collections::BTreeMap;
use std::fmt::{self, Display};

use serde::Serialize;

use crate::shard::Reader;

pub use page::contact_sheet;

/// Counts of a dataset.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Summary {
    /// Folder of the dataset.
    pub dataset: String,
    /// Pipeline that made it.
    pub pipeline: String,
    /// Samples.
    pub samples: u64,
    /// Pictures.
    pub images: u64,
    /// Shards.
    pub shards: u64,
    /// Bytes of all shards.
    pub bytes: u64,
    /// Inputs seen by the pipeline.
    pub inputs: u64,
    /// Inputs kept.
    pub kept: u64,
    /// Inputs rejected, by reason.
    pub rejected: BTreeMap<String, u64>,
    /// Samples of each task.
    pub kinds: BTreeMap<String, u64>,
    /// Samples of each source; those from places in one file count together.
    pub sources: BTreeMap<String, u64>,
    /// Samples under each licence.
    pub licences: BTreeMap<String, u64>,
}

impl Summary {
    /// Counts what the index of a dataset says.
    pub fn of(reader: &Reader) -> Self {
        let count = |word: &dyn Fn(usize) -> String| {
            let mut counts = BTreeMap::new();
            (0..reader.len()).for_each(|i| *counts.entry(word(i)).or_default() += 1);
            counts
        };
        let mut summary = Self {
            dataset: reader.folder().display().to_string(),
            pipeline: String::new(),
            samples: reader.len() as u64,
            images: 0,
            shards: 0,
            bytes: 0,
            inputs: 0,
            kept: 0,
            rejected: BTreeMap::new(),
            kinds: count(&|i| reader.kind(i).to_string()),
            sources: count(&|i| document(reader.source(i)).to_owned()),
            licences: count(&|i| reader.licence(i).to_string()),
        };
        for manifest in reader.manifests() {
            summary.pipeline.clone_from(&manifest.recipe.pipeline);
            summary.images += manifest.images;
            summary.shards += manifest.shards.len() as u64;
            summary.bytes += manifest.shards.iter().map(|shard| shard.bytes).sum::<u64>();
            summary.inputs += manifest.inputs;
            summary.kept += manifest.kept;
            for (reason, count) in &manifest.rejected {
                *summary.rejected.entry(reason.clone()).or_default() += count;
            }
        }
        summary
    }
}

/// Most lines of one kind of count for people; JSON has them all.
const MOST_LINES: usize = 10;

impl Display for Summary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{} (made by {})", self.dataset, self.pipeline)?;
        writeln!(
            f,
            "{} samples with {} images in {} shards, {} bytes",
            self.samples, self.images, self.shards, self.bytes
        )?;
        writeln!(f, "{} inputs, {} kept", self.inputs, self.kept)?;
        for (title, counts) in [
            ("rejected", &self.rejected),
            ("kind", &self.kinds),
            ("source", &self.sources),
            ("licence", &self.licences),
        ] {
            let mut most: Vec<_> = counts.iter().collect();
            most.sort_by_key(|&(name, &count)| (std::cmp::Reverse(count), name));
            let (shown, rest) = most.split_at(most.len().min(MOST_LINES));
            for (name, count) in shown {
                writeln!(f, "{title:>10}  {count:>9}  {name}")?;
            }
            if !rest.is_empty() {
                let sum: u64 = rest.iter().map(|(_, count)| **count).sum();
                writeln!(f, "{title:>10}  {sum:>9}  {} others", rest.len())?;
            }
        }
        Ok(())
    }
}

/// The source without the place in it, such as the seconds of a film.
fn document(source: &str) -> &str {
    source.split('#').next().unwrap_or(source)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Sample;
    use crate::shard::{Recipe, Writer};

    #[test]
    fn people_are_shown_the_most_frequent_sources_and_the_sum_of_the_rest() {
        let dir = tempfile::tempdir().unwrap();
        let recipe = Recipe::new("test", "train", 1, serde_json::json!(null));
        let mut writer = Writer::open(dir.path(), recipe).unwrap();
        for n in 0..14u8 {
            let source = format!("source-{:02}#t={n}", n.min(11));
            let from = ("line", source.as_str(), "CC0-1.0");
            let sample = Sample::document(from, &format!("text {n}")).unwrap();
            writer.keep(&n.to_string(), &[sample]).unwrap();
        }
        writer.finish().unwrap();
        let text = Summary::of(&Reader::open(dir.path()).unwrap()).to_string();
        assert!(
            text.contains("    source          3  source-11\n"),
            "{text}"
        );
        assert!(text.contains("    source          2  2 others\n"), "{text}");
        assert_eq!(text.matches("source-").count(), 10);
    }
}
