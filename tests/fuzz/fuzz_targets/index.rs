//! The Parquet index of a dataset.

#![no_main]

use std::path::PathBuf;
use std::sync::LazyLock;

use avocet_data::Sample;
use avocet_data::shard::{Reader, Recipe, Writer};
use avocet_fuzz::{panics_may_be_caught, placed};
use libfuzzer_sys::fuzz_target;

/// A dataset of one text, with an index that is to be replaced.
static DATASET: LazyLock<PathBuf> = LazyLock::new(|| {
    let folder = placed("beside", b"").with_file_name("dataset");
    let recipe = Recipe::new("fuzz", "train", 1, serde_json::Value::Null);
    let mut writer = Writer::open(&folder, recipe).expect("a folder can be made");
    let sample = Sample::document(("text", "made up", "CC0-1.0"), "Once.").expect("a text");
    writer.keep("one", &[sample]).expect("is written");
    writer.finish().expect("is finished");
    folder
});

fuzz_target!(|data: &[u8]| {
    panics_may_be_caught();
    std::fs::write(DATASET.join("index.parquet"), data).expect("the folder takes a file");
    if let Ok(reader) = Reader::open(&DATASET) {
        let _ = reader.get(0);
    }
});
