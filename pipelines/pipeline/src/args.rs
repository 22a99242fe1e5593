//! What every run of a pipeline is asked for, and what follows from it.

use std::ops::Range;
use std::path::PathBuf;

use avocet_data::DataError;
use avocet_data::shard::{Recipe, Writer, part_folder};
use clap::builder::TypedValueParser;
use serde_json::Value;

use crate::split::Split;

/// The arguments that all pipelines have.
#[derive(Debug, Clone, clap::Args)]
pub struct RunArgs {
    /// The dataset folder; a run that was stopped goes on there.
    #[arg(short, long, value_name = "DIR")]
    pub output: PathBuf,
    /// Seed of what is drawn at random; kept with the dataset.
    #[arg(long, value_name = "S", default_value_t = 0)]
    pub seed: u64,
    /// Which of the parallel runs this is.
    #[arg(long, value_name = "R", default_value_t = 0)]
    pub rank: usize,
    /// How many parallel runs there are; each writes OUTPUT/part-R-of-N.
    #[arg(long, value_name = "N", default_value_t = 1)]
    pub world: usize,
    /// A shard is closed once it has this many MiB.
    #[arg(long = "shard-mib", value_name = "N", default_value = "64", value_parser = mebibytes())]
    pub shard_bytes: u64,
}

fn mebibytes() -> impl TypedValueParser<Value = u64> {
    clap::value_parser!(u64)
        .range(1..=65_536)
        .map(|count| count << 20)
}

/// The runs are numbered from 0 to one less than their number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("--rank is {rank}, but must be below --world, which is {world}")]
pub struct RankError {
    /// Number of this run.
    pub rank: usize,
    /// How many there are.
    pub world: usize,
}

impl RunArgs {
    /// Errors if there is no run of that number.
    pub fn check(&self) -> Result<(), RankError> {
        let (rank, world) = (self.rank, self.world);
        if rank < world {
            Ok(())
        } else {
            Err(RankError { rank, world })
        }
    }

    /// Which of `count` inputs are this run's: neighbours, so that the samples of the ranks laid
    /// one after another are those of a single run.
    pub fn share(&self, count: usize) -> Range<usize> {
        let start = |rank: usize| (count as u128 * rank as u128 / self.world as u128) as usize;
        start(self.rank)..start(self.rank + 1)
    }

    /// Begins this run's part of the dataset that `pipeline` makes, or goes on with it; `settings`
    /// are all that its bytes depend on beside these arguments.
    ///
    /// Errors if the folder was begun with another recipe, is being written, or is damaged.
    pub fn open(
        &self,
        pipeline: &str,
        split: Split,
        mut settings: Value,
    ) -> Result<Writer, DataError> {
        settings["rank"] = self.rank.into();
        settings["world"] = self.world.into();
        let recipe = Recipe {
            shard_bytes: self.shard_bytes,
            ..Recipe::new(pipeline, split.name(), self.seed, settings)
        };
        let folder = match self.world {
            1 => self.output.clone(),
            world => part_folder(&self.output, self.rank, world),
        };
        Writer::open(&folder, recipe)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(rank: usize, world: usize) -> RunArgs {
        RunArgs {
            output: "out".into(),
            seed: 0,
            rank,
            world,
            shard_bytes: 1 << 20,
        }
    }

    #[test]
    fn the_ranks_have_every_input_once() {
        for (count, world) in [(0, 3), (7, 3), (100, 4), (3, 8)] {
            let shares = (0..world).flat_map(|rank| run(rank, world).share(count));
            assert_eq!(shares.collect::<Vec<_>>(), (0..count).collect::<Vec<_>>());
        }
    }

    #[test]
    fn a_rank_beyond_the_world_is_refused() {
        assert_eq!(run(1, 2).check(), Ok(()));
        let error = run(2, 2).check().unwrap_err().to_string();
        assert_eq!(error, "--rank is 2, but must be below --world, which is 2");
    }
}
