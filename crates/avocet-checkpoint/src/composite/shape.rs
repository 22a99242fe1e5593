//! The shapes of models made of parts.

use super::join::image_token;
use super::vision::{VisionFiles, VisionShape};
use crate::error::{CheckpointError, Result};
use crate::files::ModelFiles;
use avocet_config::{FeedForwardKind, ModelConfig, MoeConfig};

/// The shape of the whole: `asked`, with the decoder and the vision tower that the parts make.
///
/// Errors if the decoder sees images already.
pub(crate) fn grafted_shape(
    decoder: &ModelFiles,
    vision: &VisionFiles,
    asked: ModelConfig,
) -> Result<ModelConfig> {
    let part = &decoder.config;
    if part.sees() || part.cross_attention.is_some() {
        let reason = "sees images already: a decoder of texts alone can be given eyes";
        return Err(CheckpointError::parts(&decoder.path, reason));
    }
    let mut whole = part.decoder.clone();
    if image_token(decoder).is_some() {
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
        efficient_net: None,
        concepts: None,
        ..asked
    };
    match vision.shape.clone() {
        VisionShape::Native(tower) => config.vision = Some(tower),
        VisionShape::Clip(tower) => config.clip = Some(tower),
        VisionShape::Tiled(tower) => config.tiled_vision = Some(tower),
        VisionShape::EfficientNet(tower) => config.efficient_net = Some(tower),
    }
    Ok(config)
}

/// The shape of the whole: every feed-forward block of the decoder as a mixture of `asked`.
///
/// Errors if it has experts already, or blocks that experts are not.
pub(crate) fn mixture(decoder: &ModelFiles, asked: MoeConfig) -> Result<ModelConfig> {
    let refuse = |reason: &str| CheckpointError::parts(&decoder.path, reason);
    let mut config = decoder.config.clone();
    let (None, Some(width)) = (&config.decoder.moe, config.decoder.ff_dim) else {
        return Err(refuse("has experts already"));
    };
    if config.decoder.ff != FeedForwardKind::SwiGlu {
        let reason = "has feed-forward blocks of another kind than SwiGLU, which experts are";
        return Err(refuse(reason));
    }
    config.decoder.ff_dim = None;
    config.decoder.moe = Some(MoeConfig {
        expert_dim: width,
        ..asked
    });
    Ok(config)
}

/// The first part of two shapes that differs, names aside.
pub(super) fn first_difference(a: &ModelConfig, b: &ModelConfig) -> Option<&'static str> {
    let same = [
        ("[decoder]", a.decoder == b.decoder),
        ("[cross_attention]", a.cross_attention == b.cross_attention),
        ("[vision]", a.vision == b.vision),
        ("[clip]", a.clip == b.clip),
        ("[tiled_vision]", a.tiled_vision == b.tiled_vision),
        ("[efficient_net]", a.efficient_net == b.efficient_net),
        ("[resampler]", a.resampler == b.resampler),
    ];
    same.into_iter()
        .find(|(_, same)| !same)
        .map(|(field, _)| field)
}
