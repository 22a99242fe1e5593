//! Rows that people wrote become a dataset in the run's folder, every row accounted for.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use avocet_data::rows;
use avocet_data::shard::{Kept, Recipe, Writer};
use avocet_train::eval::row_notes;
use serde_json::json;

use super::args::OnError;
use crate::ui::output;
use crate::ui::progress::Stage;

/// Wrong rows that are named; the ledger has all of them.
const MOST_NAMED: usize = 10;
/// The dataset's folder in the run's.
const DATA: &str = "data";

/// The dataset to learn from: `data` itself, or what is made of its rows in `run`.
///
/// Errors if there is nothing to learn, or a row is wrong and none may be.
pub fn dataset(data: &Path, run: &Path, on_error: OnError) -> Result<PathBuf> {
    let labelled = rows::table(data).is_none() && rows::is_labelled(data);
    let table = if labelled {
        Some(data.to_owned())
    } else {
        rows::table(data)
    };
    let Some(table) = table else {
        if !data.exists() {
            bail!("--data {}: no such folder or file", data.display());
        }
        rows::dataset(data).with_context(|| format!("--data {}", data.display()))?;
        return Ok(data.to_owned());
    };
    let folder = run.join(DATA);
    // As many pictures, or as long a table, as when the dataset was begun.
    let length = if labelled {
        rows::read(data)?.count() as u64
    } else {
        std::fs::metadata(&table)?.len()
    };
    let settings = json!({
        "table": table.canonicalize()?.display().to_string(),
        "bytes": length,
        "skips": on_error == OnError::Skip,
    });
    let mut writer = Writer::open(&folder, Recipe::new("finetune", "train", 0, settings))?;
    if writer.is_finished() {
        return Ok(folder);
    }
    let done = usize::try_from(writer.num_inputs())?;
    let source = table.display().to_string();
    let stage = Stage::begin("reading rows");
    let (mut wrong, mut repeated, mut empty) = (0, 0, 0);
    let mut passed_over = BTreeSet::new();
    for (index, row) in rows::read(data)?.enumerate().skip(done) {
        let line = row.as_ref().map_or_else(|error| error.line, |row| row.line);
        let input = format!("line {line}");
        if row.as_ref().is_err_and(|error| error.empty) {
            empty += 1;
            writer.reject(&input, "empty row")?;
            continue;
        }
        if let Ok(row) = &row {
            passed_over.extend(row.passed_over.iter().cloned());
        }
        let sample = row
            .map_err(|error| error.reason)
            .and_then(|row| row.sample(&source));
        match sample {
            Ok(sample) => {
                repeated += usize::from(writer.keep(&input, &[sample])? == Kept::Duplicate);
            }
            Err(reason) if on_error == OnError::Stop => {
                drop(writer);
                // What was begun would be taken for a run of its own.
                std::fs::remove_dir_all(&folder)?;
                bail!("{source}, {input}: {reason} (--on-error skip leaves such rows out)");
            }
            Err(reason) => {
                wrong += 1;
                if wrong <= MOST_NAMED {
                    output::note(&format!("left out: {source}, {input}: {reason}\n"));
                }
                writer.reject_with_detail(&input, "wrong row", &reason)?;
            }
        }
        stage.at(index as f64 + 1.0, 0.0);
    }
    stage.end();
    let manifest = writer.finish()?;
    let count = |number: usize, what: &str| match number {
        0 => String::new(),
        _ => format!(", {number} {what}"),
    };
    let (repeats, empty) = (count(repeated, "repeated"), count(empty, "empty"));
    output::note(&format!(
        "{} rows: {} to learn from, {wrong} wrong{repeats}{empty}; {} accounts for each\n",
        manifest.inputs,
        manifest.samples,
        folder.join("ledger.jsonl").display()
    ));
    for note in row_notes(data, 0, &passed_over) {
        output::note(&format!("{note}\n"));
    }
    if manifest.samples == 0 {
        bail!("{source}: there is nothing to learn from");
    }
    Ok(folder)
}
