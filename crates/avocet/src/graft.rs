//! `avocet graft` and `avocet upcycle`: models made of the files of others.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use avocet_checkpoint::{
    GraftOptions, ModelFiles, PartSource, UpcycleOptions, graft as graft_models,
    upcycle as upcycle_model,
};
use avocet_model::ParameterCount;

use crate::args::{GraftArgs, UpcycleArgs};
use crate::{embedded, models, output};

/// Joins a decoder and a vision tower.
pub fn graft(args: &GraftArgs) -> Result<()> {
    let decoder = models::place(&args.decoder).context("--decoder")?;
    let vision = models::place(&args.vision).context("--vision")?;
    let options = GraftOptions {
        every: args.every.map(usize::from),
        latents: args.latents.map(usize::from),
        ff_dim: args.ff_dim.map(usize::from),
        seed: args.seed,
    };
    let written = graft_models(&source(&decoder), &source(&vision), &options, &args.output)?;
    say(&args.output, &written)
}

/// Makes a dense decoder a mixture.
pub fn upcycle(args: &UpcycleArgs) -> Result<()> {
    let decoder = models::place(&args.decoder).context("--decoder")?;
    let options = UpcycleOptions {
        num_experts: usize::from(args.experts),
        top_k: usize::from(args.top_k),
        seed: args.seed,
    };
    let written = upcycle_model(&source(&decoder), &options, &args.output)?;
    say(&args.output, &written)
}

fn source(place: &Option<PathBuf>) -> PartSource<'_> {
    match place {
        Some(path) => PartSource::Path(path),
        None => embedded::part(),
    }
}

fn say(folder: &Path, written: &ModelFiles) -> Result<()> {
    let count = ParameterCount::of(written.config())?;
    output::print(&format!(
        "{}: {} parameters, {} of them met by a text token\n",
        folder.display(),
        output::count(count.total),
        output::count(count.active)
    ))
}
