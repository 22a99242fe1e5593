//! Several datasets, or the parts of one made by several processes, become one.
//!
//! Ledgers are laid one after another and samples follow them, so that the parts of a run give
//! the shards, index and ledger that a single process would have written.

use std::ops::Range;
use std::path::{Path, PathBuf};

use rayon::ThreadPool;
use rayon::prelude::*;
use serde_json::json;

use crate::DataError;
use crate::shard::ledger::Ledger;
use crate::shard::{LedgerLine, Manifest, Outcome, PartOfReader, Reader, Stored, Writer};
use crate::sources::{Datasets, Layout, OnProgress};

/// Ledger lines and bytes that are handled at once, unless a single line has more.
const LINES_AT_ONCE: usize = 1024;
const BYTES_AT_ONCE: u64 = 32 << 20;

/// Joins the datasets in `folders` to one in `output`, or goes on with what was begun there.
///
/// Bytes of samples are copied as they are. A sample that an earlier dataset has already is left
/// out, and an input that has no other is rejected in the ledger as a duplicate. Needs about 150
/// bytes of memory a sample.
///
/// Errors if a dataset is damaged, or `output` cannot be written.
pub fn merge(
    folders: &[PathBuf],
    output: &Path,
    layout: &Layout,
    progress: OnProgress<'_>,
) -> Result<Manifest, DataError> {
    let datasets = Datasets::open(folders, output)?;
    let recipe = datasets.recipe("merge", json!({}), layout);
    let writer = Writer::open(output, recipe)?;
    if writer.is_finished() {
        return writer.finish();
    }
    let inputs = datasets.readers().iter().flat_map(Reader::manifests);
    let mut merging = Merging {
        pool: layout.pool()?,
        skipped: 0,
        done: writer.num_inputs(),
        inputs: inputs.map(|manifest| manifest.inputs).sum(),
        writer,
        progress,
    };
    for (source, reader) in datasets.readers().iter().enumerate() {
        let name = |input: &str| datasets.name(source, input);
        for part in reader.parts() {
            merging.part(reader, part, &name)?;
        }
    }
    merging.writer.finish()
}

struct Merging<'a> {
    writer: Writer,
    pool: ThreadPool,
    /// Inputs passed over because an earlier run wrote them.
    skipped: u64,
    /// Inputs that an earlier run wrote.
    done: u64,
    inputs: u64,
    progress: OnProgress<'a>,
}

impl Merging<'_> {
    fn part(
        &mut self,
        reader: &Reader,
        part: &PartOfReader,
        name: &dyn Fn(&str) -> String,
    ) -> Result<(), DataError> {
        let mut ledger = Ledger::open(&part.folder)?;
        let mut next = part.samples.start;
        let (mut waiting, mut bytes) = (Vec::new(), 0);
        while let Some(line) = ledger.next() {
            let mut line = line?;
            let samples = samples_of(&line, reader, next..part.samples.end)
                .map_err(|reason| ledger.broken(reason))?;
            next = samples.end;
            if self.skipped < self.done {
                self.skipped += 1;
                continue;
            }
            line.input = name(&line.input);
            bytes += samples.clone().map(|i| reader.sample_bytes(i)).sum::<u64>();
            waiting.push((line, samples));
            if waiting.len() >= LINES_AT_ONCE || bytes >= BYTES_AT_ONCE {
                self.write(reader, std::mem::take(&mut waiting))?;
                bytes = 0;
            }
        }
        self.write(reader, waiting)?;
        if next != part.samples.end {
            let (named, found) = (next - part.samples.start, part.samples.len());
            return Err(ledger.broken(format!(
                "the ledger ends after {named} samples, the index has {found}"
            )));
        }
        Ok(())
    }

    fn write(
        &mut self,
        reader: &Reader,
        lines: Vec<(LedgerLine, Range<usize>)>,
    ) -> Result<(), DataError> {
        let indices: Vec<usize> = lines.iter().flat_map(|(_, range)| range.clone()).collect();
        let stored: Vec<Stored> = self.pool.install(|| {
            let stored = indices.par_iter().map(|&index| reader.stored(index));
            stored.collect::<Result<_, _>>()
        })?;
        let mut rest = &stored[..];
        for (line, range) in lines {
            let (samples, after) = rest.split_at(range.len());
            rest = after;
            match line.outcome {
                Outcome::Kept(_) => drop(self.writer.copy(&line.input, samples)?),
                Outcome::Rejected(_) => self.writer.repeat(line)?,
            }
            (self.progress)(self.writer.num_inputs(), self.inputs);
        }
        Ok(())
    }
}

/// Which samples a ledger line speaks of: the next ones of the index, by the same names.
fn samples_of(
    line: &LedgerLine,
    reader: &Reader,
    left: Range<usize>,
) -> Result<Range<usize>, String> {
    let names: &[String] = match &line.outcome {
        Outcome::Kept(names) => names,
        Outcome::Rejected(_) => &[],
    };
    for (number, name) in names.iter().enumerate() {
        let index = left.start + number;
        let found = match index < left.end {
            true => reader.id(index),
            false => "no more samples".to_string(),
        };
        if found != *name {
            return Err(format!("keeps {name} where the index has {found}"));
        }
    }
    Ok(left.start..left.start + names.len())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixture::{Folder, killed_at};
    use crate::shard::Recipe;
    use crate::{Sample, Truth};
    use avocet_text::Turn;
    use std::fs;

    const FROM: (&str, &str, &str) = ("vqa", "made-up", "CC0-1.0");

    /// Input `n` gives up to three samples; some inputs are rejected, some repeat earlier ones.
    fn input(writer: &mut Writer, n: usize) {
        let n = if n % 11 == 10 { n / 2 } else { n };
        let sample = |part: usize| {
            let image = (0..300 + n * 13 % 900)
                .map(|i| (i * n + part) as u8)
                .collect();
            let truth = Some(Truth::Name(format!("thing {n}")));
            Sample::question(FROM, image, truth, "What?", Turn::assistant("that")).unwrap()
        };
        match n % 7 {
            6 => writer.reject(&format!("in/{n}"), "every seventh").unwrap(),
            k => {
                let samples: Vec<Sample> = (0..1 + k % 3).map(sample).collect();
                writer.keep(&format!("in/{n}"), &samples).unwrap();
            }
        }
    }

    fn run(folder: &Path, inputs: Range<usize>, settings: serde_json::Value) {
        let mut recipe = Recipe::new("test", "train", 7, settings);
        recipe.shard_bytes = 20_000;
        let mut writer = Writer::open(folder, recipe).unwrap();
        inputs.for_each(|n| input(&mut writer, n));
        writer.finish().unwrap();
    }

    fn parts(folder: &Folder, name: &str, world: usize, inputs: usize) -> PathBuf {
        for rank in 0..world {
            let part = folder.at(name).join(format!("part-{rank}-of-{world}"));
            let share = inputs * rank / world..inputs * (rank + 1) / world;
            run(&part, share, json!({"rank": rank}));
        }
        folder.at(name)
    }

    fn merged(folders: &[PathBuf], output: &Path, jobs: usize) -> Result<Manifest, DataError> {
        let layout = Layout {
            jobs,
            ..Layout::default()
        };
        merge(folders, output, &layout, &|_, _| {})
    }

    #[test]
    fn the_parts_of_a_run_give_the_bytes_of_a_single_one() {
        let folder = Folder::new();
        run(&folder.at("single"), 0..90, json!({}));
        let parts = parts(&folder, "parts", 4, 90);
        let manifest = merged(&[parts], &folder.at("out"), 2).unwrap();
        let mut expected = folder.files("single");
        expected.remove("manifest.json");
        let mut found = folder.files("out");
        found.remove("manifest.json");
        assert!(
            expected
                .keys()
                .filter(|name| name.ends_with(".tar"))
                .count()
                > 3
        );
        assert_eq!(found, expected);
        assert_eq!((manifest.inputs, manifest.recipe.seed), (90, 7));
        let sources = &manifest.recipe.settings["sources"][0]["parts"];
        assert_eq!(sources[3]["recipe"]["settings"]["rank"], 3);
        Reader::open(&folder.at("out")).unwrap().verify().unwrap();
    }

    #[test]
    fn what_an_earlier_dataset_has_is_left_out_and_the_ledger_adds_up() {
        let folder = Folder::new();
        run(&folder.at("a"), 0..40, json!({}));
        run(&folder.at("b"), 20..60, json!({}));
        let folders = [folder.at("a"), folder.at("b")];
        let manifest = merged(&folders, &folder.at("out"), 1).unwrap();
        assert_eq!(manifest.inputs, 80);
        assert_eq!(manifest.kept + manifest.rejected.values().sum::<u64>(), 80);
        run(&folder.at("all"), 0..60, json!({}));
        let ids = |name: &str| {
            let reader = Reader::open(&folder.at(name)).unwrap();
            let mut ids: Vec<String> = (0..reader.len()).map(|i| reader.id(i)).collect();
            ids.sort();
            ids
        };
        assert_eq!(ids("out"), ids("all"));
        let ledger = fs::read_to_string(folder.at("out").join("ledger.jsonl")).unwrap();
        let line = ledger.lines().find(|line| line.contains("\"b/in/22\""));
        let line: LedgerLine = serde_json::from_str(line.unwrap()).unwrap();
        assert!(matches!(&line.outcome, Outcome::Rejected(why) if why.contains("duplicate")));
        assert!(ids("a").contains(&line.of.unwrap()));
    }

    #[test]
    fn a_merge_killed_at_any_point_ends_with_the_same_bytes_on_any_number_of_threads() {
        let folder = Folder::new();
        let folders = [parts(&folder, "a", 3, 50), parts(&folder, "b", 2, 70)];
        merged(&folders, &folder.at("whole"), 1).unwrap();
        for stop in [1, 30, 49, 50, 51, 100, 120] {
            let output = folder.at(&format!("killed-{stop}"));
            for at in [stop / 2, stop] {
                killed_at(at, |progress| {
                    merge(&folders, &output, &Layout::default(), progress)
                });
            }
            merged(&folders, &output, 2).unwrap();
            let name = format!("killed-{stop}");
            assert_eq!(folder.files(&name), folder.files("whole"), "{name}");
        }
    }

    #[test]
    fn damage_is_named_and_nothing_is_finished() {
        for (file, word) in [
            ("train-00001.tar", "train-00001.tar"),
            ("ledger.jsonl", "ledger.jsonl"),
            ("index.parquet", "index.parquet"),
        ] {
            let folder = Folder::new();
            run(&folder.at("a"), 0..40, json!({}));
            let path = folder.at("a").join(file);
            let mut bytes = fs::read(&path).unwrap();
            let middle = bytes.len() / 2;
            bytes[middle] ^= 1;
            fs::write(&path, bytes).unwrap();
            let error = merged(&[folder.at("a")], &folder.at("out"), 2).unwrap_err();
            assert!(error.to_string().contains(word), "{error}");
            assert!(!folder.at("out").join("manifest.json").exists());
        }
        let folder = Folder::new();
        run(&folder.at("a"), 0..9, json!({}));
        let error = merged(&[folder.at("a")], &folder.at("a"), 1).unwrap_err();
        assert!(
            error.to_string().contains("both input and output"),
            "{error}"
        );
        let error = merged(&[folder.at("nowhere")], &folder.at("b"), 1).unwrap_err();
        assert!(error.to_string().contains("nowhere"), "{error}");
    }
}
