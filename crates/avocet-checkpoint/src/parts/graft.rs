//! A decoder that is given another model's eyes.

use super::join::{self, Joined};
use super::place::{self, PartSource};
use super::vision::{VisionFiles, VisionShape};
use super::{Kind, PARTS, PartList, Result, refuse};
use crate::error::CheckpointError;
use crate::families;
use crate::files::{CONFIG, ModelFiles, WEIGHTS};
use crate::save;
use avocet_model::{
    CrossAttentionConfig, DecoderConfig, FeedForwardKind, ModelConfig, NormKind, ResamplerConfig,
    WithoutImage,
};
use candle_core::Tensor;
use std::collections::BTreeMap;
use std::path::Path;

/// Layers of a new resampler.
const RESAMPLER_LAYERS: usize = 2;
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
    place::check_output(output)?;
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
        name: families::name_of(output),
        decoder: decoder_files.config.decoder.clone(),
        cross_attention: Some(cross_attention(
            &decoder_files.config.decoder,
            every,
            options.ff_dim,
        )),
        vision: None,
        clip: None,
        tiled_vision: None,
        resampler: match options.latents {
            Some(latents) => Some(resampler(&vision_files.shape, latents)),
            None => vision_files.resampler.clone(),
        },
    };
    let config = shape(&decoder_files, &vision_files, asked)?;
    config
        .validate()
        .map_err(|source| CheckpointError::Config {
            path: output.join(CONFIG),
            source,
        })?;
    let new_resampler = options.latents.is_some();
    let joined = join::grafted(output, &config, decoder_files, vision_files, new_resampler)?;
    let tensors = joined.draw(options.seed, |_, init| init)?;
    let list = PartList {
        kind: Kind::Graft,
        decoder: decoder.place(output, "decoder")?,
        vision: Some(vision.place(output, "vision")?),
    };
    write(output, joined, &list, &tensors)
}

/// Writes what is not of a part, opens the whole and checks it.
pub(super) fn write(
    output: &Path,
    joined: Joined,
    list: &PartList,
    tensors: &BTreeMap<String, Tensor>,
) -> Result<ModelFiles> {
    let weights = output.join(WEIGHTS);
    let bytes =
        safetensors::serialize(tensors, None).map_err(|error| CheckpointError::Unwritable {
            path: weights.clone(),
            reason: error.to_string(),
        })?;
    let (parts, config) = (list.to_toml()?, joined.config().to_toml());
    let files = [
        (weights, bytes.as_slice()),
        (output.join(PARTS), parts.as_bytes()),
        (output.join(CONFIG), config.as_bytes()),
    ];
    save::write_all(output, &files)?;
    let written = ModelFiles::open(output)?;
    written.check()?;
    Ok(written)
}

/// The shape of the whole: `asked`, with the decoder and the vision tower that the parts make.
///
/// Errors if the decoder sees images already.
pub(super) fn shape(
    decoder: &ModelFiles,
    vision: &VisionFiles,
    asked: ModelConfig,
) -> Result<ModelConfig> {
    let part = &decoder.config;
    if part.sees() || part.cross_attention.is_some() {
        let reason = "sees images already: a decoder of texts alone can be given eyes";
        return Err(refuse(&decoder.path, reason.into()));
    }
    let mut whole = part.decoder.clone();
    if join::image_token(decoder).is_some() {
        // One more row, which stands for an image and is never predicted.
        whole.head_size = Some(whole.num_outputs());
        whole.vocab_size += 1;
        whole.tied_embeddings = false;
    }
    let mut config = ModelConfig {
        decoder: whole,
        vision: None,
        clip: None,
        tiled_vision: None,
        ..asked
    };
    match vision.shape.clone() {
        VisionShape::Native(tower) => config.vision = Some(tower),
        VisionShape::Clip(tower) => config.clip = Some(tower),
        VisionShape::Tiled(tower) => config.tiled_vision = Some(tower),
    }
    Ok(config)
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
