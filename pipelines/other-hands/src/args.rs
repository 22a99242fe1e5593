//! What the pipeline is asked for.

use std::path::PathBuf;

use clap::builder::{PossibleValuesParser, TypedValueParser};
use pipeline::RunArgs;

use crate::sets::Set;

/// `avocet data other-hands`.
#[derive(Debug, Clone, clap::Args)]
pub struct Args {
    /// A set by its name, or `all`; may be given several times.
    #[arg(long = "set", value_name = "NAME", required = true, value_parser = sets())]
    pub sets: Vec<Sets>,
    /// What every pipeline is asked for; each set is a dataset of its own, OUTPUT/NAME/test.
    #[command(flatten)]
    pub run: RunArgs,
    /// Inputs of each set: pictures, or pages with several questions.
    #[arg(long, value_name = "N", default_value_t = 200)]
    pub count: usize,
    /// Threads for what needs no browser; 0 for one a core. The bytes written do not depend on it.
    #[arg(long, default_value_t = 0)]
    pub jobs: usize,
    /// A list of what can be fetched, instead of avocet's own.
    #[arg(long, value_name = "FILE")]
    pub manifest: Option<PathBuf>,
}

/// One set, or every one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sets {
    /// This one.
    One(Set),
    /// Every one whose tools are on the machine.
    All,
}

fn sets() -> impl TypedValueParser<Value = Sets> {
    let names = Set::ALL.iter().map(|set| set.name()).chain(["all"]);
    PossibleValuesParser::new(names).map(|name| {
        let found = Set::ALL.into_iter().find(|set| set.name() == name);
        found.map_or(Sets::All, Sets::One)
    })
}

impl Args {
    /// The sets asked for, each once and in their order.
    pub(crate) fn chosen(&self) -> Vec<Set> {
        let asked = |set: &Set| self.asks_all() || self.sets.contains(&Sets::One(*set));
        Set::ALL.into_iter().filter(asked).collect()
    }

    /// Whether whatever can be made here is to be made.
    pub(crate) fn asks_all(&self) -> bool {
        self.sets.contains(&Sets::All)
    }
}
