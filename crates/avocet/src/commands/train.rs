//! `avocet train`: one stage or a list of stages.

use std::path::PathBuf;

use anyhow::{Result, bail};
use avocet_fetch::Sources;
use avocet_train::{TrainConfig, TrainOptions, stop_on_interrupt, train};
use clap::Args;

use crate::args::input;
use crate::granted;
use crate::ui::output;

/// `avocet train`.
#[derive(Debug, Args)]
pub struct TrainArgs {
    /// One stage or a list of stages.
    #[arg(value_name = "CONFIG.toml", value_parser = input(), required_unless_present = "schema")]
    pub config: Option<PathBuf>,
    /// Go on from the newest whole checkpoint of the run.
    #[arg(long)]
    pub resume: bool,
    /// Print the JSON schema of such a file, for editors, and do nothing else.
    #[arg(long, conflicts_with = "config")]
    pub schema: bool,
}

/// How a place begins that is in a source of the manifest: `source:NAME/PATH`.
const SOURCE: &str = "source:";

/// Puts the folders of sources, out of the cache or fetched, in the place of their names.
fn fetch_sources(config: &mut TrainConfig) -> Result<()> {
    let inits = config.stages.iter_mut().flat_map(|stage| &mut stage.init);
    for init in inits {
        let Some(place) = init
            .from
            .to_str()
            .and_then(|from| from.strip_prefix(SOURCE))
        else {
            continue;
        };
        let (name, member) = place.split_once('/').unwrap_or((place, ""));
        init.from = Sources::open(None)?.folder(name)?.join(member);
    }
    Ok(())
}

/// Trains until the last stage is done; an interrupt saves a checkpoint and stops.
pub fn run(args: &TrainArgs) -> Result<()> {
    let Some(config) = &args.config else {
        return output::print(&format!("{:#}\n", TrainConfig::schema()));
    };
    granted::keep_freed_memory();
    let mut config = TrainConfig::read(config)?;
    fetch_sources(&mut config)?;
    let options = TrainOptions {
        resume: args.resume,
        stop: stop_on_interrupt()?,
        ..TrainOptions::default()
    };
    let outcome = train(&config, &options)?;
    if !outcome.finished {
        bail!(
            "stopped at step {}, saved in {}; --resume goes on from there",
            outcome.step,
            outcome.folder.display()
        );
    }
    output::print(&format!("{}\n", outcome.folder.display()))
}
