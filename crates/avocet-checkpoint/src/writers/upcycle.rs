//! A dense decoder as a mixture of experts.

use super::place::{PartSource, check_output};
use super::save::save_composite;
use crate::composite::{Kind, PartList, draw, mixture, upcycled};
use crate::error::{CheckpointError, Result};
use crate::files::ModelFiles;
use crate::layout::{CONFIG, name_of};
use avocet_config::{MoeConfig, Routing};
use avocet_model::Init;
use std::path::Path;

/// Standard deviation of a new router (arXiv:2212.05055).
const ROUTER: Init = Init::Normal { stdev: 0.02 };

/// How a dense decoder becomes a mixture.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct UpcycleOptions {
    /// Number of experts.
    pub num_experts: usize,
    /// Experts that each token visits.
    pub top_k: usize,
    /// Seed of the routers' values.
    pub seed: u64,
}

/// Makes every feed-forward block of a decoder a mixture whose experts are all that block (Sparse
/// upcycling, arXiv:2212.05055), and writes the model to `output`, which must not hold files yet.
///
/// The weights of the experts that a token visits sum to 1, so the model computes what the dense
/// one did, but for rounding. The decoder's files are linked or copied as they are.
///
/// Errors, before anything is written, if the decoder has experts already, its feed-forward is
/// not SwiGLU, or its files are damaged.
pub fn upcycle(
    decoder: &PartSource<'_>,
    options: &UpcycleOptions,
    output: &Path,
) -> Result<ModelFiles> {
    check_output(output)?;
    let files = decoder.open()?;
    files.check()?;
    let asked = MoeConfig {
        num_experts: options.num_experts,
        top_k: options.top_k,
        expert_dim: 0,
        capacity_factor: None,
        loss_free_bias: false,
        routing: Routing::Renormalized,
        shared_dim: None,
    };
    let mut config = mixture(&files, asked)?;
    config.name = name_of(output);
    config
        .validate()
        .map_err(|source| CheckpointError::Config {
            path: output.join(CONFIG),
            source,
        })?;
    let joined = upcycled(output, &config, files)?;
    let tensors = draw(&joined, options.seed, |_| ROUTER)?;
    let list = PartList {
        kind: Kind::Upcycle,
        decoder: decoder.place(output, "decoder")?,
        vision: None,
    };
    save_composite(output, &config, &list, &tensors)
}
