//! `avocet train`: one stage or a list of stages.

use anyhow::{Result, bail};
use avocet_train::{TrainConfig, TrainOptions, stop_on_interrupt, train};

use crate::args::TrainArgs;
use crate::output;

/// Trains until the last stage is done; an interrupt saves a checkpoint and stops.
pub fn run(args: &TrainArgs) -> Result<()> {
    let config = TrainConfig::read(&args.config)?;
    let options = TrainOptions {
        resume: args.resume,
        stop: stop_on_interrupt()?,
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
