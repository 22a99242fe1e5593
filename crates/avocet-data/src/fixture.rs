//! Datasets for tests, and the interruption of what is made from them.

use std::collections::BTreeMap;
use std::fs;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::PathBuf;

use avocet_media::Picture;
use tempfile::TempDir;

use crate::shard::{Manifest, Reader, Recipe, Writer};
use crate::{OnProgress, Sample};

/// A folder of datasets that goes away with the test.
pub(crate) struct Folder(TempDir);

impl Folder {
    pub(crate) fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    pub(crate) fn at(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    /// Every file below a folder.
    pub(crate) fn files(&self, name: &str) -> BTreeMap<String, Vec<u8>> {
        let mut files = BTreeMap::new();
        let mut folders = vec![self.at(name)];
        while let Some(folder) = folders.pop() {
            for entry in fs::read_dir(folder).unwrap() {
                let path = entry.unwrap().path();
                if path.is_dir() {
                    folders.push(path);
                } else {
                    let own = path.strip_prefix(self.at(name)).unwrap();
                    files.insert(own.display().to_string(), fs::read(&path).unwrap());
                }
            }
        }
        files
    }

    /// Writes a dataset with one input a sample.
    pub(crate) fn dataset(&self, name: &str, samples: &[Sample]) -> PathBuf {
        let mut recipe = Recipe::new("test", "train", 1, serde_json::json!({}));
        recipe.shard_bytes = 20_000;
        let mut writer = Writer::open(&self.at(name), recipe).unwrap();
        for (n, sample) in samples.iter().enumerate() {
            writer
                .keep(&n.to_string(), std::slice::from_ref(sample))
                .unwrap();
        }
        writer.finish().unwrap();
        self.at(name)
    }

    /// Names of the samples of a dataset, in order.
    pub(crate) fn ids(&self, name: &str) -> Vec<String> {
        let reader = Reader::open(&self.at(name)).unwrap();
        (0..reader.len()).map(|index| reader.id(index)).collect()
    }

    /// What the ledger says of an input: why it was rejected, and because of what.
    pub(crate) fn rejection(&self, name: &str, input: &str) -> Option<(String, String)> {
        let ledger = fs::read_to_string(self.at(name).join("ledger.jsonl")).unwrap();
        let lines = ledger.lines();
        let mut lines = lines.map(|line| serde_json::from_str::<serde_json::Value>(line).unwrap());
        let line = lines.find(|line| line["input"] == input).unwrap();
        let text = |field: &str| Some(line[field].as_str()?.to_string());
        Some((text("rejected")?, text("of").unwrap_or_default()))
    }
}

/// Runs something that is ended, as if killed, once it tells that much progress.
pub(crate) fn killed_at<T>(
    progress: u64,
    run: impl Fn(OnProgress<'_>) -> Result<T, crate::DataError>,
) {
    let stop = |done: u64, _| assert!(done < progress, "killed");
    let _ = catch_unwind(AssertUnwindSafe(|| run(&stop)));
}

/// A picture of smooth shapes, another for each seed.
pub(crate) fn drawing(seed: u64, width: usize, height: usize) -> Picture {
    let wave = |k: u64, u: f64, v: f64| {
        let a = (seed * 7 + k * 3) % 11;
        let b = (seed * 5 + k * 13 + 1) % 7;
        ((a as f64 + 1.0) * u * 3.0 + (b as f64) * v * 4.0 + (seed * k % 17) as f64).sin()
    };
    let mut rgb = Vec::new();
    for y in 0..height {
        for x in 0..width {
            let (u, v) = (
                (x as f64 + 0.5) / width as f64,
                (y as f64 + 0.5) / height as f64,
            );
            for c in 0..3 {
                let value = wave(1, u, v) + wave(2, v, u) + 0.4 * wave(3 + c, u, v);
                rgb.push((110.0 + 40.0 * value) as u8);
            }
        }
    }
    Picture::from_rgb(width, height, rgb).unwrap()
}

/// The parts of a division and what they say.
pub(crate) fn samples_of(manifests: &[Manifest]) -> Vec<u64> {
    manifests.iter().map(|manifest| manifest.samples).collect()
}
