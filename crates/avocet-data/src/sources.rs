//! Datasets that another one is made from: opened together, told apart, and read in order.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use rayon::ThreadPool;
use rayon::prelude::*;
use serde_json::{Value, json};

use crate::DataError;
use crate::shard::{Reader, Recipe, Stored};

/// Samples read at once, at most.
const AT_ONCE: usize = 1024;
/// Bytes read at once, unless a single sample is larger.
const BYTES_AT_ONCE: u64 = 32 << 20;

/// How a dataset made from others is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Layout {
    /// A shard is closed once it has this many bytes; when absent as in the sources if they
    /// agree, else 64 MiB.
    pub shard_bytes: Option<u64>,
    /// Threads; 0 for one a core. The bytes written do not depend on it.
    pub jobs: usize,
}

impl Layout {
    pub(crate) fn pool(&self) -> Result<ThreadPool, DataError> {
        rayon::ThreadPoolBuilder::new()
            .num_threads(self.jobs)
            .build()
            .map_err(|error| DataError::Threads(error.to_string()))
    }
}

/// Is told what is done and how much there is to do.
pub type OnProgress<'a> = &'a dyn Fn(u64, u64);

/// Several datasets in the order given.
pub(crate) struct Datasets {
    readers: Vec<Reader>,
    /// A short name of each by which its samples are told apart; empty if there is only one.
    labels: Vec<String>,
}

/// A sample of [`Datasets`]: which dataset, and which of its samples.
pub(crate) type Address = (usize, usize);

impl Datasets {
    /// Opens the datasets in `folders`, from which one in `output` is to be made.
    ///
    /// Errors if there is none, one cannot be read, or `output` is one of them.
    pub(crate) fn open(folders: &[PathBuf], output: &Path) -> Result<Self, DataError> {
        if folders.is_empty() {
            return Err(DataError::option("DATASET", "at least one is needed"));
        }
        let mut readers = Vec::new();
        for folder in folders {
            if let (Ok(folder), Ok(output)) = (folder.canonicalize(), output.canonicalize())
                && folder == output
            {
                return Err(DataError::broken(&output, "is both input and output"));
            }
            let reader = Reader::open(folder)?;
            reader
                .parts()
                .iter()
                .try_for_each(|part| part.verify_lists())?;
            readers.push(reader);
        }
        let labels = labels(folders);
        Ok(Self { readers, labels })
    }

    pub(crate) fn readers(&self) -> &[Reader] {
        &self.readers
    }

    /// Samples of all of them.
    pub(crate) fn len(&self) -> usize {
        self.readers.iter().map(Reader::len).sum()
    }

    /// The samples of all, one dataset after another.
    pub(crate) fn addresses(&self) -> impl Iterator<Item = Address> {
        let of = |(source, reader): (usize, &Reader)| {
            (0..reader.len()).map(move |sample| (source, sample))
        };
        self.readers.iter().enumerate().flat_map(of)
    }

    /// What the ledger calls something of a dataset: its own name, told apart from the others'.
    pub(crate) fn name(&self, source: usize, own: &str) -> String {
        match self.labels[source].as_str() {
            "" => own.to_string(),
            label => format!("{label}/{own}"),
        }
    }

    /// What the ledger calls a sample.
    pub(crate) fn sample_name(&self, (source, sample): Address) -> String {
        self.name(source, &self.readers[source].id(sample))
    }

    /// The recipe of a dataset that `pipeline` makes from these: what they say of themselves is
    /// kept in its settings.
    pub(crate) fn recipe(&self, pipeline: &str, mut settings: Value, layout: &Layout) -> Recipe {
        let part = |part: &crate::shard::PartOfReader| {
            let manifest = &part.manifest;
            json!({
                "recipe": manifest.recipe, "inputs": manifest.inputs, "samples": manifest.samples,
                "index_sha256": manifest.index_sha256, "ledger_sha256": manifest.ledger_sha256,
            })
        };
        let sources = self
            .readers
            .iter()
            .zip(&self.labels)
            .map(|(reader, label)| {
                let parts: Vec<Value> = reader.parts().iter().map(part).collect();
                json!({"dataset": label, "parts": parts})
            });
        settings["sources"] = sources.collect();
        let recipes = || {
            let manifests = self.readers.iter().flat_map(Reader::manifests);
            manifests.map(|manifest| &manifest.recipe)
        };
        let split = shared(recipes().map(|recipe| recipe.split.as_str())).unwrap_or("all");
        let seed = shared(recipes().map(|recipe| recipe.seed)).unwrap_or(0);
        let recipe = Recipe::new(pipeline, split, seed, settings);
        let bytes = layout
            .shard_bytes
            .or_else(|| shared(recipes().map(|recipe| recipe.shard_bytes)));
        Recipe {
            shard_bytes: bytes.unwrap_or(recipe.shard_bytes),
            ..recipe
        }
    }

    /// Hands all samples of `addresses` to `each`, in order and some at a time, after `look` saw
    /// each of them on one of the pool's threads.
    pub(crate) fn read<T: Send>(
        &self,
        pool: &ThreadPool,
        addresses: impl Iterator<Item = Address>,
        look: impl Fn(Stored) -> T + Sync,
        mut each: impl FnMut(Address, T) -> Result<(), DataError>,
    ) -> Result<(), DataError> {
        let mut addresses = addresses.peekable();
        while addresses.peek().is_some() {
            let (mut some, mut bytes) = (Vec::new(), 0);
            while some.len() < AT_ONCE && bytes < BYTES_AT_ONCE {
                let Some((source, sample)) = addresses.next() else {
                    break;
                };
                bytes += self.readers[source].sample_bytes(sample);
                some.push((source, sample));
            }
            let seen: Vec<T> = pool.install(|| {
                let read =
                    |&(source, sample): &Address| self.readers[source].stored(sample).map(&look);
                some.par_iter().map(read).collect::<Result<_, _>>()
            })?;
            some.into_iter()
                .zip(seen)
                .try_for_each(|(address, seen)| each(address, seen))?;
        }
        Ok(())
    }
}

/// The value that all have, if there is one.
fn shared<T: PartialEq>(mut values: impl Iterator<Item = T>) -> Option<T> {
    let first = values.next()?;
    values.all(|value| value == first).then_some(first)
}

/// As many last names of each path as tell them all apart, then numbers; nothing for a single one.
fn labels(paths: &[PathBuf]) -> Vec<String> {
    if paths.len() < 2 {
        return vec![String::new(); paths.len()];
    }
    let names = |path: &PathBuf| -> Vec<String> {
        let path = path.canonicalize().unwrap_or_else(|_| path.clone());
        let names = path.iter().map(|name| name.to_string_lossy().into_owned());
        names.filter(|name| name != "/").collect()
    };
    let names: Vec<Vec<String>> = paths.iter().map(names).collect();
    let longest = names.iter().map(Vec::len).max().unwrap_or(1);
    let last = |count: usize| -> Vec<String> {
        let label = |names: &Vec<String>| names[names.len().saturating_sub(count)..].join("/");
        names.iter().map(label).collect()
    };
    let distinct =
        |labels: &Vec<String>| labels.iter().collect::<BTreeSet<_>>().len() == labels.len();
    (1..=longest).map(last).find(distinct).unwrap_or_else(|| {
        let numbered = last(1).into_iter().enumerate();
        numbered
            .map(|(number, label)| format!("{label}#{}", number + 1))
            .collect()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_are_short_and_tell_datasets_apart() {
        let of = |paths: &[&str]| labels(&paths.iter().map(PathBuf::from).collect::<Vec<_>>());
        assert_eq!(of(&["/nowhere/a"]), [""]);
        assert_eq!(of(&["/nowhere/a", "/nowhere/b"]), ["a", "b"]);
        assert_eq!(
            of(&["/nowhere/a/train", "/nowhere/b/train"]),
            ["a/train", "b/train"]
        );
        assert_eq!(of(&["/nowhere/a", "/nowhere/a"]), ["a#1", "a#2"]);
    }
}
