//! Tables that people write: CSV, TSV, JSON lines and JSON, by the first byte.

#![no_main]

use avocet_data::rows;
use avocet_fuzz::placed;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let Some((kind, data)) = data.split_first() else {
        return;
    };
    let name = ["rows.csv", "rows.tsv", "rows.jsonl", "rows.json"][usize::from(kind % 4)];
    if let Ok(rows) = rows::read(&placed(name, data)) {
        rows.take(64).for_each(drop);
    }
});
