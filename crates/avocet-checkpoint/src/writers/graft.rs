//! A decoder that is given another model's eyes.

use super::place::{PartSource, check_output};
use super::save::save_composite;
use crate::composite::{Kind, PartList, VisionFiles, VisionShape, draw, grafted, grafted_shape};
use crate::error::{CheckpointError, Result};
use crate::files::ModelFiles;
use crate::layout::{CONFIG, name_of};
use avocet_config::{
    CrossAttentionConfig, DecoderConfig, FeedForwardKind, ModelConfig, NormKind, ResamplerConfig,
    WithoutImage,
};
use std::path::Path;

/// Layers of a new resampler.
const RESAMPLER_LAYERS: usize = 2;
/// Width of a new resampler's heads behind a tower that has none.
const RESAMPLER_HEAD: usize = 64;
/// Most decoder layers for one cross-attention layer, if nothing is asked for.
const MOST_BETWEEN: usize = 4;

/// How a decoder is given eyes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct GraftOptions {
    /// One cross-attention layer for so many decoder layers, whose number it must divide; absent,
    /// the largest that does up to 4.
    pub every: Option<usize>,
    /// Latents that a new resampler makes of an image; absent, text attends to what the vision
    /// part hands on.
    pub latents: Option<usize>,
    /// Width of the new layers' feed-forward; absent, the decoder's own.
    pub ff_dim: Option<usize>,
    /// Seed of the new layers' values.
    pub seed: u64,
}

/// Joins a decoder and a vision tower by new gated cross-attention layers, whose gates are closed
/// (Flamingo, arXiv:2204.14198), and writes the model to `output`, which must not hold files yet.
///
/// Texts without images have the decoder's own logits to the last bit. The parts' files are linked
/// or copied as they are.
///
/// Errors, before anything is written, if the decoder sees images already, the vision part sees
/// none, or their files are damaged.
pub fn graft(
    decoder: &PartSource<'_>,
    vision: &PartSource<'_>,
    options: &GraftOptions,
    output: &Path,
) -> Result<ModelFiles> {
    check_output(output)?;
    vision.check_whole()?;
    let decoder_files = decoder.open()?;
    decoder_files.check()?;
    let vision_files = match *vision {
        PartSource::Path(path) => VisionFiles::open(path)?,
        carried => VisionFiles::of(carried.open()?)?,
    };
    vision_files.builder()?;
    let every = options.every.unwrap_or_else(|| {
        let layers = decoder_files.config().decoder.num_layers;
        let divides = |every: &usize| layers.is_multiple_of(*every);
        (1..=MOST_BETWEEN).rev().find(divides).unwrap_or(1)
    });
    let asked = ModelConfig {
        name: name_of(output),
        decoder: decoder_files.config.decoder.clone(),
        cross_attention: Some(cross_attention(
            &decoder_files.config.decoder,
            every,
            options.ff_dim,
        )),
        vision: None,
        clip: None,
        tiled_vision: None,
        efficient_net: None,
        concepts: None,
        resampler: match options.latents {
            Some(latents) => Some(resampler(vision_files.shape(), latents)),
            None => vision_files.resampler().cloned(),
        },
        confidence: None,
    };
    let config = grafted_shape(&decoder_files, &vision_files, asked)?;
    config
        .validate()
        .map_err(|source| CheckpointError::Config {
            path: output.join(CONFIG),
            source,
        })?;
    let new_resampler = options.latents.is_some();
    let joined = grafted(output, &config, decoder_files, vision_files, new_resampler)?;
    let tensors = draw(&joined, options.seed, |init| init)?;
    let list = PartList {
        kind: Kind::Graft,
        decoder: decoder.place(output, "decoder")?,
        vision: Some(vision.place(output, "vision")?),
    };
    save_composite(output, &config, &list, &tensors)
}

fn cross_attention(
    decoder: &DecoderConfig,
    every: usize,
    ff_dim: Option<usize>,
) -> CrossAttentionConfig {
    let experts = decoder.moe.as_ref();
    let visited = experts.map(|moe| moe.top_k.saturating_mul(moe.expert_dim));
    CrossAttentionConfig {
        every: Some(every),
        before: None,
        num_heads: decoder.num_heads,
        num_kv_heads: decoder.num_kv_heads,
        head_dim: decoder.head_dim,
        ff_dim: ff_dim.or(decoder.ff_dim).or(visited).unwrap_or(decoder.dim),
        initial_gate: 0.0,
        norm: NormKind::Rms,
        norm_eps: None,
        latent_norm: true,
        qk_norm: false,
        ff: FeedForwardKind::SwiGlu,
        vector_gates: false,
        without_image: WithoutImage::FeedForward,
    }
}

fn resampler(tower: &VisionShape, num_latents: usize) -> ResamplerConfig {
    let (num_heads, ff_dim, head_dim) = match tower {
        VisionShape::Native(tower) => (tower.num_heads, tower.ff_dim, None),
        VisionShape::Clip(tower) => (tower.num_heads, tower.ff_dim, None),
        // What it hands on is wider than itself.
        VisionShape::Tiled(tower) => {
            let width = tower.dim.checked_div(tower.num_heads);
            (tower.num_heads, tower.ff_dim, width)
        }
        // It has no heads; a convolution's width is no guide for a feed-forward.
        VisionShape::EfficientNet(tower) => {
            let heads = tower.head_dim.div_ceil(RESAMPLER_HEAD);
            (heads, tower.head_dim, Some(RESAMPLER_HEAD))
        }
    };
    ResamplerConfig {
        num_latents,
        num_layers: RESAMPLER_LAYERS,
        num_heads,
        ff_dim,
        head_dim,
        norm: NormKind::Rms,
        norm_eps: None,
        qk_norm: false,
        ff: FeedForwardKind::SwiGlu,
    }
}
