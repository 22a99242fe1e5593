//! The pipeline: the numbers of a set's inputs to questions, and in order into shards.

use std::path::PathBuf;

use avocet_data::shard::Manifest;
use avocet_fetch::Sources;
use pipeline::{Outcome, RunArgs, Split, in_order, say};
use rayon::ThreadPool;
use serde_json::json;

use crate::args::Args;
use crate::asked::{Made, Maker};
use crate::error::OtherHandsError;
use crate::order::random;
use crate::sets::{self, Set};

/// Inputs made at once before they are written.
const AT_ONCE: usize = 32;

/// Makes the datasets, or the rest of those that were begun; of `all` those whose tools are here.
/// Gives each with its folder.
///
/// Errors if a package cannot be fetched or is not what it should be, a tool is missing that a set
/// asked for by name is made with, or a dataset cannot be written.
pub fn make(args: &Args) -> Result<Vec<(PathBuf, Manifest)>, OtherHandsError> {
    args.run.check()?;
    let sources = Sources::open(args.manifest.as_deref())?;
    let pool = rayon::ThreadPoolBuilder::new()
        .num_threads(args.jobs)
        .build()?;
    let mut made = Vec::new();
    for set in args.chosen() {
        let folder = args.run.output.join(set.name()).join(Split::Test.name());
        let run = RunArgs {
            output: folder.clone(),
            ..args.run.clone()
        };
        let maker = sets::open(set, args.run.seed, &sources);
        match maker
            .and_then(|maker| write(set, maker.as_ref(), args.count, (&run, &sources), &pool))
        {
            Err(error) if args.asks_all() && error.is_missing_tool() => {
                say(&format!("left out: {error}"));
            }
            manifest => made.push((folder, manifest?)),
        }
    }
    Ok(made)
}

/// Makes the inputs of a set that are not yet accounted for and writes them in order.
fn write(
    set: Set,
    maker: &dyn Maker,
    count: usize,
    (run, sources): (&RunArgs, &Sources),
    pool: &ThreadPool,
) -> Result<Manifest, OtherHandsError> {
    let mut settings = json!({"set": set.name(), "count": count, "tool": maker.tool()});
    sources.record(&mut settings);
    let writer = run.open("other-hands", Split::Test, settings)?;
    let inputs: Vec<usize> = (0..count.min(maker.len())).collect();
    let mine = &inputs[run.share(inputs.len())];
    let name = |index: &usize| format!("{}/{index:05}", set.name());
    let make = |index: &usize| {
        let input = name(index);
        let mut rng = random(run.seed, &input);
        outcome(maker.make(*index, &mut rng)?, input)
    };
    in_order(writer, mine, (pool, AT_ONCE), name, make)
}

fn outcome(made: Made, input: String) -> Result<Outcome, OtherHandsError> {
    Ok(match made {
        Made::Unfit(reason) => Outcome::Rejected(reason),
        Made::Asked(asked) => {
            let samples = asked.into_iter().map(|one| one.sample());
            let samples: Result<Vec<_>, _> = samples.collect();
            Outcome::Samples(samples.map_err(|cause| OtherHandsError::Sample { input, cause })?)
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::emoji::Emoji;
    use crate::fixture::{self, Fixture};
    use crate::flags::Flags;
    use crate::photographs::Photographs;
    use crate::unknowable::Unknowable;
    use avocet_data::Sample;
    use avocet_data::shard::Reader;
    use std::collections::BTreeMap;
    use std::fs;
    use std::path::Path;

    /// Every set that is made of packages alone.
    fn makers(fixture: &Fixture, seed: u64) -> Vec<(Set, Box<dyn Maker>)> {
        let rng = &mut random(seed, "order");
        let (emoji, names) = (&fixture.emoji, &fixture.countries);
        let flags = [fixture.flags.clone()];
        let photographs = Photographs::load(&fixture.gcompris, rng).unwrap();
        let unknowable = Unknowable::load(&fixture.gcompris, &fixture.manual, rng).unwrap();
        vec![
            (Set::Photographs, Box::new(photographs)),
            (
                Set::EmojiOpenmoji,
                Box::new(Emoji::of_icons(&fixture.icons, emoji, rng).unwrap()),
            ),
            (
                Set::EmojiNoto,
                Box::new(Emoji::of_files(emoji, rng).unwrap()),
            ),
            (
                Set::Flags,
                Box::new(Flags::of_files(&flags, names, rng).unwrap()),
            ),
            (
                Set::FlagsWaving,
                Box::new(Flags::waving(emoji, names, rng).unwrap()),
            ),
            (Set::Unknowable, Box::new(unknowable)),
        ]
    }

    fn run(output: &Path, (rank, world): (usize, usize)) -> RunArgs {
        RunArgs {
            output: output.to_owned(),
            seed: 3,
            rank,
            world,
            shard_bytes: 64 << 20,
        }
    }

    fn made(set: Set, maker: &dyn Maker, run: &RunArgs, jobs: usize) -> Manifest {
        let sources = Sources::open(None).unwrap();
        let pool = rayon::ThreadPoolBuilder::new().num_threads(jobs);
        write(set, maker, 9, (run, &sources), &pool.build().unwrap()).unwrap()
    }

    fn files(folder: &Path) -> BTreeMap<String, Vec<u8>> {
        let entries = fs::read_dir(folder).unwrap().flatten();
        let file = |entry: fs::DirEntry| {
            let name = entry.file_name().to_string_lossy().into_owned();
            entry
                .path()
                .is_file()
                .then(|| (name, fs::read(entry.path()).unwrap()))
        };
        entries.filter_map(file).collect()
    }

    /// The ids of all samples, each once: what repeats another is dropped where parts are joined.
    fn ids(samples: impl IntoIterator<Item = Sample>) -> Vec<String> {
        let mut ids = Vec::new();
        for sample in samples {
            if !ids.contains(&sample.id) {
                ids.push(sample.id);
            }
        }
        ids
    }

    fn samples(folder: &Path) -> Vec<Sample> {
        let reader = Reader::open(folder).unwrap();
        (0..reader.len())
            .map(|index| reader.get(index).unwrap())
            .collect()
    }

    #[test]
    fn the_same_seed_gives_the_same_bytes_on_any_number_of_threads() {
        let fixture = fixture::packages();
        let folder = tempfile::tempdir().unwrap();
        let (one, other) = (makers(&fixture, 3), makers(&fixture, 3));
        for ((set, maker), (_, again)) in one.iter().zip(&other) {
            let at = |name: &str| folder.path().join(set.name()).join(name);
            let manifest = made(*set, maker.as_ref(), &run(&at("a"), (0, 1)), 1);
            let rejected: u64 = manifest.rejected.values().sum();
            assert_eq!(manifest.inputs, manifest.kept + rejected);
            assert_eq!(manifest.inputs as usize, maker.len().min(9));
            assert!(manifest.kept > 0, "{}", set.name());
            made(*set, again.as_ref(), &run(&at("b"), (0, 1)), 2);
            assert!(files(&at("a")) == files(&at("b")), "{}", set.name());
        }
    }

    #[test]
    fn ranks_laid_one_after_another_are_the_single_run() {
        let fixture = fixture::packages();
        let folder = tempfile::tempdir().unwrap();
        for (set, maker) in makers(&fixture, 3) {
            let (whole, shared) = (folder.path().join("whole"), folder.path().join("shared"));
            let (whole, shared) = (whole.join(set.name()), shared.join(set.name()));
            made(set, maker.as_ref(), &run(&whole, (0, 1)), 1);
            let mut parts = Vec::new();
            for rank in 0..2 {
                made(set, maker.as_ref(), &run(&shared, (rank, 2)), 1);
                parts.extend(samples(&shared.join(format!("part-{rank}-of-2"))));
            }
            assert_eq!(ids(parts), ids(samples(&whole)), "{}", set.name());
        }
    }

    #[test]
    fn synonyms_reach_the_samples() {
        let fixture = fixture::packages();
        let folder = tempfile::tempdir().unwrap();
        let (set, maker) = makers(&fixture, 3).swap_remove(0);
        made(set, maker.as_ref(), &run(folder.path(), (0, 1)), 1);
        let also = |sample: &Sample| sample.also_right.contains(&"sledgehammer".to_owned());
        assert!(samples(folder.path()).iter().any(also));
    }
}
