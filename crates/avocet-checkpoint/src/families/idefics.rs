//! IDEFICS-1 (`HuggingFaceM4/idefics-9b`, `-80b`, and their instruct forms).

use super::decoders;
use super::family::{Family, decoder_alone};
use super::fields::Fields;
use super::names;
use super::vision::{CLIP_MEAN, CLIP_STD, activation, normalisation};
use crate::error::Result;
use crate::interface::{Interface, PromptFamily, Speech};
use crate::layout::{PREPROCESSOR, name_of};
use crate::tensors::Store;
use avocet_config::{
    ClipConfig, CrossAttentionConfig, FeedForwardKind, ModelConfig, NormKind, ResamplerConfig,
    WithoutImage,
};
use avocet_media::{Filter, Fit, ImageProcessor};
use std::path::Path;

/// The model in `folder`. Early revisions keep the towers' settings flat with a prefix, later ones
/// nest them.
pub(super) fn read(folder: &Path, fields: &Fields) -> Result<Family> {
    let store = Store::folder(folder)?;
    let mut decoder = decoders::llama(fields)?;
    // The extra tokens lie in tensors of their own, and there can be more than the file says.
    let rows = |names: [&str; 2]| {
        let rows = names.iter().filter_map(|name| store.get(name));
        rows.filter_map(|tensor| tensor.shape.first())
            .sum::<usize>()
    };
    decoder.vocab_size = rows([
        "model.embed_tokens.weight",
        "model.embed_tokens.additional_embedding.weight",
    ])
    .max(1);
    let outputs = rows(["lm_head.weight", "lm_head.additional_fc.weight"]).max(1);
    decoder.head_size = (outputs != decoder.vocab_size).then_some(outputs);
    let clip = vision(fields)?;
    let cross = cross_attention(fields, &decoder)?;
    let resampler = resampler(fields, &clip)?;
    let preprocessor = Fields::read_if_there(&folder.join(PREPROCESSOR))?;
    let (mean, std) = normalisation(preprocessor.as_ref(), (CLIP_MEAN, CLIP_STD))?;
    let processor = ImageProcessor::Square {
        side: clip.image_size,
        patch_size: clip.patch_size,
        fit: Fit::Stretch,
        filter: Filter::Bicubic,
        mean,
        std,
    };
    Ok(Family {
        name: "IDEFICS",
        config: ModelConfig {
            cross_attention: Some(cross),
            clip: Some(clip),
            resampler,
            ..decoder_alone(name_of(folder), decoder)
        },
        store,
        names: [names::IDEFICS, names::LLAMA].concat(),
        interface: Interface {
            processor: Some(processor),
            speech: Speech::hub(folder, PromptFamily::Idefics, fields.ids("eos_token_id")?),
        },
    })
}

fn vision(fields: &Fields) -> Result<ClipConfig> {
    let nested = fields.inner("vision_config")?;
    let size = |new: &str, old: &str, default: usize| -> Result<usize> {
        match &nested {
            Some(inner) => inner.width_or(new, default),
            None => fields.width_or(old, default),
        }
    };
    let dim = size("embed_dim", "vision_embed_dim", 768)?;
    let (ff, eps) = match &nested {
        Some(inner) => (
            activation(inner, "hidden_act", "gelu")?,
            inner.number_or("layer_norm_eps", 1e-5)?,
        ),
        None => (FeedForwardKind::Gelu, 1e-5),
    };
    Ok(ClipConfig {
        image_size: size("image_size", "vision_image_size", 224)?,
        patch_size: size("patch_size", "vision_patch_size", 14)?,
        dim,
        num_layers: size("num_hidden_layers", "vision_num_hidden_layers", 32)?,
        num_heads: size("num_attention_heads", "vision_num_attention_heads", 16)?,
        ff_dim: size("intermediate_size", "vision_intermediate_size", 5120)?,
        norm_eps: eps,
        ff,
        patch_bias: false,
        class_token: true,
        keep_class: true,
        pre_norm: true,
        post_norm: false,
    })
}

fn cross_attention(
    fields: &Fields,
    decoder: &avocet_config::DecoderConfig,
) -> Result<CrossAttentionConfig> {
    let interval = fields.size_or("cross_layer_interval", 1)?;
    if interval == 0 {
        return Err(fields.refuse("cross_layer_interval", "is 0"));
    }
    let vector_gates = match fields.text_or("alpha_type", "float")?.as_str() {
        "float" => false,
        "vector" => true,
        other => {
            let reason = format!("is {other:?}; float and vector are computed");
            return Err(fields.refuse("alpha_type", reason));
        }
    };
    Ok(CrossAttentionConfig {
        every: None,
        before: Some((0..decoder.num_layers).step_by(interval).collect()),
        num_heads: decoder.num_heads,
        num_kv_heads: decoder.num_heads,
        head_dim: decoder.head_dim,
        ff_dim: decoder.ff_dim.unwrap_or(0),
        initial_gate: 0.0,
        norm: NormKind::Rms,
        norm_eps: None,
        latent_norm: false,
        qk_norm: fields.flag_or("qk_layer_norms", false)?,
        ff: FeedForwardKind::SwiGlu,
        vector_gates,
        without_image: WithoutImage::FeedForward,
    })
}

fn resampler(fields: &Fields, clip: &ClipConfig) -> Result<Option<ResamplerConfig>> {
    let nested = fields.inner("perceiver_config")?;
    let settings = nested.as_ref().unwrap_or(fields);
    let used = fields.flag_or("use_resampler", settings.flag_or("use_resampler", false)?)?;
    if !used {
        return Ok(None);
    }
    Ok(Some(ResamplerConfig {
        num_latents: settings.size_or("resampler_n_latents", 64)?,
        num_layers: settings.size_or("resampler_depth", 6)?,
        num_heads: settings.size_or("resampler_n_heads", 16)?,
        ff_dim: 4 * clip.dim,
        head_dim: Some(settings.size_or("resampler_head_dim", 96)?),
        norm: NormKind::Layer,
        norm_eps: Some(1e-5),
        qk_norm: settings.flag_or("qk_layer_norms_perceiver", false)?,
        ff: FeedForwardKind::Relu,
    }))
}
