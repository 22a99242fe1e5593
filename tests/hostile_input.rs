//! Damaged model folders and datasets: refused or used, never a panic.

use std::fs;
use std::ops::ControlFlow;
use std::path::Path;

use anyhow::{Context, Result};
use avocet_checkpoint::{CONFIG, ModelFiles, TOKENIZER, WEIGHTS};
use avocet_data::shard::{Reader, Recipe, Writer};
use avocet_data::{Content, Sample};
use avocet_infer::{Engine, SamplingOptions};
use avocet_text::Turn;
use sha2::{Digest, Sha256};
use tempfile::TempDir;

use crate::tiny_model;

/// A fixed sequence of numbers (SplitMix64).
pub struct Numbers(pub u64);

impl Numbers {
    pub fn below(&mut self, limit: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((mixed ^ (mixed >> 31)) % limit.max(1) as u64) as usize
    }

    /// Cuts, flips, repeats or removes a part of `bytes`.
    pub fn damage(&mut self, bytes: &mut Vec<u8>) {
        let at = self.below(bytes.len());
        let end = (at + 1 + self.below(40)).min(bytes.len());
        match self.below(5) {
            0 => bytes.truncate(at),
            1 => bytes[at] = self.below(256) as u8,
            2 => bytes[at] ^= 1 << self.below(8),
            3 => drop(bytes.drain(at..end)),
            _ => {
                let part = bytes[at..end].to_vec();
                bytes.splice(at..at, part);
            }
        }
    }
}

fn answer(folder: &Path) -> Result<String> {
    let engine = Engine::load(&ModelFiles::open(folder)?)?;
    let turns = [Turn::user("what is this?")];
    let options = SamplingOptions::greedy(2);
    Ok(engine
        .answer(&[], &turns, &options, |_| ControlFlow::Continue(()))?
        .text)
}

#[test]
fn a_damaged_model_folder_answers_or_is_refused_by_name() -> Result<()> {
    let folder = tiny_model::folder()?;
    let mut numbers = Numbers(3);
    let (mut answered, mut refused) = (0, 0);
    for name in [CONFIG, WEIGHTS, TOKENIZER] {
        let path = folder.path().join(name);
        let whole = fs::read(&path)?;
        for _ in 0..600 {
            let mut bytes = whole.clone();
            numbers.damage(&mut bytes);
            fs::write(&path, &bytes)?;
            match answer(folder.path()) {
                Ok(_) => answered += 1,
                Err(error) => {
                    refused += 1;
                    assert!(!format!("{error:#}").is_empty());
                }
            }
        }
        fs::write(&path, &whole)?;
    }
    answer(folder.path()).context("the folder is whole again")?;
    assert!(
        answered > 50 && refused > 500,
        "{answered} answered, {refused} refused"
    );
    Ok(())
}

#[test]
fn a_damaged_dataset_is_noticed() -> Result<()> {
    let folder = TempDir::new()?;
    let recipe = Recipe::new("made-up", "train", 1, serde_json::Value::Null);
    let mut writer = Writer::open(folder.path(), recipe)?;
    for number in 0..20 {
        let content = Content::text(format!("text number {number}"));
        let sample = Sample::new("text", "made-up", "CC0-1.0", Vec::new(), content)?;
        writer.keep(&format!("input {number}"), &[sample])?;
    }
    writer.finish()?;
    let names: Vec<_> = fs::read_dir(folder.path())?
        .map(|e| Ok(e?.path()))
        .collect::<Result<_>>()?;
    let mut numbers = Numbers(5);
    for path in names {
        let whole = fs::read(&path)?;
        for _ in 0..100 {
            let mut bytes = whole.clone();
            numbers.damage(&mut bytes);
            let changed = bytes != whole;
            fs::write(&path, &bytes)?;
            let verified = read_whole(folder.path());
            let is_manifest = path.ends_with("manifest.json");
            // The manifest is what the others are held against; its own prose may vary.
            assert!(
                verified.is_err() || !changed || is_manifest,
                "{}",
                path.display()
            );
        }
        fs::write(&path, &whole)?;
    }
    read_whole(folder.path())
}

/// Reads every sample of a dataset and holds its files against its manifest.
fn read_whole(folder: &Path) -> Result<()> {
    let reader = Reader::open(folder)?;
    let manifest = reader.manifests().next().context("a manifest")?;
    let lists = [
        ("index.parquet", &manifest.index_sha256),
        ("ledger.jsonl", &manifest.ledger_sha256),
    ];
    let shards = manifest
        .shards
        .iter()
        .map(|shard| (shard.file.as_str(), &shard.sha256));
    for (file, wanted) in shards.chain(lists) {
        let found = Sha256::digest(fs::read(folder.join(file))?);
        let found: String = found.iter().map(|byte| format!("{byte:02x}")).collect();
        anyhow::ensure!(found == *wanted, "{file}");
    }
    for index in 0..reader.len() {
        reader.get(index)?;
    }
    Ok(())
}
