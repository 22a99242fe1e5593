//! The pipeline: the numbers of a set's inputs to questions, and in order into shards.

use std::io::Write;
use std::path::PathBuf;

use avocet_data::shard::Manifest;
use avocet_fetch::Sources;
use pipeline::{Outcome, RunArgs, Split, in_order};
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;
use rayon::ThreadPool;
use serde_json::json;
use sha2::{Digest, Sha256};

use crate::args::Args;
use crate::asked::{Made, Maker};
use crate::error::OtherHandsError;
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
                // Nobody is left to tell when stderr is closed.
                let _ = writeln!(std::io::stderr(), "left out: {error}");
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
        let mut rng = rng(run.seed, &input);
        outcome(maker.make(*index, &mut rng)?, input)
    };
    in_order(writer, mine, (pool, AT_ONCE), name, make)
}

/// The random state of one input, from the run's seed, the set and the number.
fn rng(seed: u64, input: &str) -> ChaCha8Rng {
    ChaCha8Rng::from_seed(Sha256::digest(format!("{seed}/other-hands/{input}")).into())
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
