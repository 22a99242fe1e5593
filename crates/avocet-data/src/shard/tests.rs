//! What a dataset on disk promises: same bytes after any interruption, nothing lost or doubled,
//! damage noticed.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use avocet_text::Turn;

use super::*;
use crate::{Sample, Truth};

const FROM: (&str, &str, &str) = ("vqa", "made-up", "CC0-1.0");

fn recipe() -> Recipe {
    let mut recipe = Recipe::new("test", "train", 7, serde_json::json!({"size": 3}));
    recipe.shard_bytes = 20_000;
    recipe
}

/// Input `n`: every seventh is rejected, every eleventh repeats an earlier one.
fn sample(n: usize) -> Sample {
    let n = if n % 11 == 10 { n - 10 } else { n };
    let image = (0..500 + n * 13 % 900).map(|i| (i * n) as u8).collect();
    let truth = Some(Truth::Name(format!("thing {n}")));
    Sample::question(
        FROM,
        image,
        truth,
        "What?",
        Turn::assistant(format!("thing {n}")),
    )
    .unwrap()
}

fn feed(writer: &mut Writer, to: usize) {
    for n in writer.num_inputs() as usize..to {
        if n % 7 == 6 {
            writer
                .reject(&format!("input {n}"), "every seventh")
                .unwrap();
        } else {
            writer.keep(&format!("input {n}"), &[sample(n)]).unwrap();
        }
    }
}

fn files(folder: &Path) -> BTreeMap<String, Vec<u8>> {
    let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap());
    let name = |e: &fs::DirEntry| e.file_name().into_string().unwrap();
    entries
        .map(|e| (name(&e), fs::read(e.path()).unwrap()))
        .collect()
}

fn make(folder: &Path, inputs: usize) -> Manifest {
    let mut writer = Writer::open(folder, recipe()).unwrap();
    feed(&mut writer, inputs);
    writer.finish().unwrap()
}

#[test]
fn every_sample_comes_back_and_the_ledger_adds_up() {
    let dir = tempfile::tempdir().unwrap();
    let manifest = make(dir.path(), 100);
    assert_eq!(manifest.inputs, 100);
    assert_eq!(manifest.kept + manifest.rejected.values().sum::<u64>(), 100);
    assert_eq!(manifest.rejected.len(), 2, "{:?}", manifest.rejected);
    assert!(manifest.shards.len() > 3);
    let ledger = fs::read_to_string(dir.path().join("ledger.jsonl")).unwrap();
    assert_eq!(ledger.lines().count(), 100);
    assert_eq!(ledger.matches("\"kept\"").count() as u64, manifest.kept);

    let reader = Reader::open(dir.path()).unwrap();
    assert_eq!(reader.len() as u64, manifest.samples);
    let kept: Vec<Sample> = (0..100)
        .filter(|n| n % 7 != 6 && n % 11 != 10)
        .map(sample)
        .collect();
    // An input that repeats a rejected one is new.
    let found: Vec<Sample> = (0..reader.len()).map(|i| reader.get(i).unwrap()).collect();
    assert!(kept.iter().all(|s| found.contains(s)));
    assert_eq!(reader.find(&kept[5].id), Some(5));
    assert_eq!((reader.kind(3), reader.source(3), reader.licence(3)), FROM);
    assert!(
        reader
            .get(reader.len())
            .unwrap_err()
            .to_string()
            .contains("there is no sample")
    );
    reader.verify().unwrap();
}

#[test]
fn any_interruption_ends_with_the_same_bytes() {
    let whole = tempfile::tempdir().unwrap();
    make(whole.path(), 60);
    let expected = files(whole.path());
    for stop in [0, 1, 13, 14, 29, 44, 59, 60] {
        let dir = tempfile::tempdir().unwrap();
        for at in [stop / 2, stop] {
            // Dropped without `finish`, as a killed process leaves it.
            let mut writer = Writer::open(dir.path(), recipe()).unwrap();
            feed(&mut writer, at);
        }
        fs::write(dir.path().join("train-00009.tar.k1ll3d.partial"), b"half").unwrap();
        make(dir.path(), 60);
        assert_eq!(files(dir.path()), expected, "stopped at {stop}");
    }
}

#[test]
fn scratch_outlives_a_kill_and_goes_with_the_finish() {
    let dir = tempfile::tempdir().unwrap();
    let mut writer = Writer::open(dir.path(), recipe()).unwrap();
    fs::write(writer.scratch().unwrap().join("heard"), b"words").unwrap();
    feed(&mut writer, 30);
    // Dropped without `finish`, as a killed process leaves it.
    drop(writer);
    let writer = Writer::open(dir.path(), recipe()).unwrap();
    let kept = writer.scratch().unwrap().join("heard");
    assert_eq!(fs::read(&kept).unwrap(), b"words");
    drop(writer);
    make(dir.path(), 30);
    assert!(!kept.exists());
}

#[test]
fn truncated_leftovers_are_made_again() {
    let whole = tempfile::tempdir().unwrap();
    make(whole.path(), 60);
    let expected = files(whole.path());
    for damage in [
        "train-00001.tar",
        ".parts/00001.json",
        ".parts/00000.json",
        "train-00000.tar",
    ] {
        for keep in [0, 100] {
            let dir = tempfile::tempdir().unwrap();
            feed(&mut Writer::open(dir.path(), recipe()).unwrap(), 60);
            let path = dir.path().join(damage);
            let bytes = fs::read(&path).unwrap();
            fs::write(&path, &bytes[..keep]).unwrap();
            make(dir.path(), 60);
            assert_eq!(files(dir.path()), expected, "{damage} cut to {keep}");
        }
    }
}

#[test]
fn a_finished_dataset_is_left_alone_and_other_settings_are_refused() {
    let dir = tempfile::tempdir().unwrap();
    let manifest = make(dir.path(), 30);
    let before = files(dir.path());
    let writer = Writer::open(dir.path(), recipe()).unwrap();
    assert!(writer.is_finished());
    assert_eq!(writer.num_inputs(), 30);
    assert_eq!(writer.finish().unwrap(), manifest);
    assert_eq!(files(dir.path()), before);

    let mut other = recipe();
    other.seed = 8;
    let error = Writer::open(dir.path(), other).unwrap_err().to_string();
    assert!(
        error.contains("\"seed\":7") && error.contains("\"seed\":8"),
        "{error}"
    );
}

#[test]
fn two_writers_cannot_share_a_folder_and_an_unfinished_one_cannot_be_read() {
    let dir = tempfile::tempdir().unwrap();
    let writer = Writer::open(dir.path(), recipe()).unwrap();
    let error = Writer::open(dir.path(), recipe()).unwrap_err().to_string();
    assert!(error.contains("another process"), "{error}");
    drop(writer);
    let error = Reader::open(dir.path()).unwrap_err().to_string();
    assert!(error.contains("not finished"), "{error}");
}

#[test]
fn every_kind_of_damage_is_noticed() {
    let dir = tempfile::tempdir().unwrap();
    make(dir.path(), 40);
    let clean = files(dir.path());
    let mut state = 12345u64;
    for (name, bytes) in &clean {
        for _ in 0..40 {
            state = state
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1);
            let mut damaged = bytes.clone();
            let at = (state >> 33) as usize % damaged.len();
            if state & 1 == 0 && name != "manifest.json" {
                damaged[at] ^= 1 << (state >> 8 & 7);
            } else {
                damaged.truncate(at);
            }
            if &damaged == bytes {
                continue;
            }
            fs::write(dir.path().join(name), &damaged).unwrap();
            let outcome = Reader::open(dir.path()).and_then(|reader| reader.verify());
            // The manifest's last byte is a line break.
            assert!(
                outcome.is_err() || at + 1 == bytes.len(),
                "{name} damaged at {at}"
            );
        }
        fs::write(dir.path().join(name), bytes).unwrap();
    }
    Reader::open(dir.path()).unwrap().verify().unwrap();
}

#[test]
fn a_manifest_cannot_point_outside_its_folder() {
    let dir = tempfile::tempdir().unwrap();
    make(dir.path(), 10);
    let path = dir.path().join("manifest.json");
    let text = fs::read_to_string(&path).unwrap();
    fs::write(
        &path,
        text.replace("train-00000.tar", "../x/train-00000.tar"),
    )
    .unwrap();
    let error = Reader::open(dir.path()).unwrap_err().to_string();
    assert!(error.contains("plain file name"), "{error}");
}

#[test]
fn parts_made_by_several_processes_are_read_as_one_and_none_may_be_missing() {
    let dir = tempfile::tempdir().unwrap();
    for rank in 0..3 {
        let mut writer =
            Writer::open(&dir.path().join(format!("part-{rank}-of-3")), recipe()).unwrap();
        for n in (0..30).filter(|n| n % 3 == rank) {
            let text = format!("document {n}");
            writer
                .keep(&text, &[Sample::document(FROM, &text).unwrap()])
                .unwrap();
        }
        let error = Reader::open(dir.path()).unwrap_err().to_string();
        assert!(
            error.contains("of-3") && error.contains("not finished"),
            "{error}"
        );
        writer.finish().unwrap();
    }
    let reader = Reader::open(dir.path()).unwrap();
    assert_eq!(reader.len(), 30);
    assert_eq!(reader.manifests().count(), 3);
    assert_eq!(reader.get(12).unwrap().text(), "document 7");
    reader.verify().unwrap();
}

#[test]
fn an_empty_dataset_is_a_dataset() {
    let dir = tempfile::tempdir().unwrap();
    assert_eq!(make(dir.path(), 0).samples, 0);
    let reader = Reader::open(dir.path()).unwrap();
    assert!(reader.is_empty());
    reader.verify().unwrap();
}
