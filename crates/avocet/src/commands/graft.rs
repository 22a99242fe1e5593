//! `avocet graft` and `avocet upcycle`: models made of the files of others.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use avocet_checkpoint::{
    GraftOptions, ModelFiles, UpcycleOptions, graft as graft_models, upcycle as upcycle_model,
};
use avocet_model::ParameterCount;
use clap::Args;

use crate::input::model;
use crate::ui::output;

/// `avocet graft`.
#[derive(Debug, Args)]
pub struct GraftArgs {
    /// The text model.
    #[arg(long, value_name = "REF")]
    pub decoder: String,
    /// Whose eyes it gets: CLIP, SigLIP, the file of an EfficientNet-Lite, or a model that sees.
    #[arg(long, value_name = "REF")]
    pub vision: String,
    /// One new layer for N decoder layers; the largest divisor of their number up to 4 when absent.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..))]
    pub every: Option<u16>,
    /// Width of the new layers' feed-forward; the decoder's own when absent.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..))]
    pub ff_dim: Option<u16>,
    /// A new resampler that makes M latents of a picture.
    #[arg(long, value_name = "M", value_parser = clap::value_parser!(u16).range(1..))]
    pub latents: Option<u16>,
    /// Seed of the new layers' values.
    #[arg(long, value_name = "S", default_value_t = 0)]
    pub seed: u64,
    /// The model folder to write.
    #[arg(short, long, value_name = "DIR")]
    pub output: PathBuf,
}

/// `avocet upcycle`.
#[derive(Debug, Args)]
pub struct UpcycleArgs {
    /// The dense model.
    #[arg(long, value_name = "REF")]
    pub decoder: String,
    /// Number of experts, each the dense block.
    #[arg(long, value_name = "E", value_parser = clap::value_parser!(u16).range(1..))]
    pub experts: u16,
    /// Experts that each token visits.
    #[arg(long, value_name = "K", value_parser = clap::value_parser!(u16).range(1..))]
    pub top_k: u16,
    /// Seed of the routers' values.
    #[arg(long, value_name = "S", default_value_t = 0)]
    pub seed: u64,
    /// The model folder to write.
    #[arg(short, long, value_name = "DIR")]
    pub output: PathBuf,
}

/// Joins a decoder and a vision tower.
pub fn graft(args: &GraftArgs) -> Result<()> {
    let decoder = model::place(&args.decoder).context("--decoder")?;
    let vision = model::place(&args.vision).context("--vision")?;
    let options = GraftOptions {
        every: args.every.map(usize::from),
        latents: args.latents.map(usize::from),
        ff_dim: args.ff_dim.map(usize::from),
        seed: args.seed,
    };
    let written = graft_models(
        &model::part(&decoder),
        &model::part(&vision),
        &options,
        &args.output,
    )?;
    say(&args.output, &written)
}

/// Makes a dense decoder a mixture.
pub fn upcycle(args: &UpcycleArgs) -> Result<()> {
    let decoder = model::place(&args.decoder).context("--decoder")?;
    let options = UpcycleOptions {
        num_experts: usize::from(args.experts),
        top_k: usize::from(args.top_k),
        seed: args.seed,
    };
    let written = upcycle_model(&model::part(&decoder), &options, &args.output)?;
    say(&args.output, &written)
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
