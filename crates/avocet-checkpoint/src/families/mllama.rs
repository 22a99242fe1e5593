//! Mllama (`meta-llama/Llama-3.2-11B-Vision-Instruct`, `-90B-`).

use super::decoders;
use super::family::{Family, decoder_alone};
use super::fields::Fields;
use super::names;
use super::rope;
use super::vision::{CLIP_MEAN, CLIP_STD, activation, normalisation};
use crate::error::Result;
use crate::interface::{Interface, PromptFamily, Speech};
use crate::layout::{PREPROCESSOR, name_of};
use crate::tensors::Store;
use avocet_config::{
    CrossAttentionConfig, DecoderConfig, FeedForwardKind, ModelConfig, NormKind, TiledVisionConfig,
    WithoutImage,
};
use avocet_media::{Filter, ImageProcessor};
use std::path::Path;

/// Where Llama-3.2-Vision has its cross-attention layers, if the file does not say.
const CROSS_LAYERS: [usize; 8] = [3, 8, 13, 18, 23, 28, 33, 38];

/// The model in `folder`.
pub(super) fn read(folder: &Path, fields: &Fields) -> Result<Family> {
    let text = fields.need_inner("text_config")?;
    let mut decoder = decoders::llama(&text)?;
    let mut cross_layers = text.sizes("cross_attention_layers")?;
    if cross_layers.is_empty() {
        cross_layers = CROSS_LAYERS.to_vec();
    }
    cross_layers.sort_unstable();
    cross_layers.dedup();
    let all_layers = decoder.num_layers;
    if cross_layers.last().is_some_and(|last| *last >= all_layers) {
        let reason = format!("{cross_layers:?}, but there are {all_layers} layers");
        return Err(text.refuse("cross_attention_layers", reason));
    }
    decoder.num_layers = all_layers - cross_layers.len();
    // The list counts both kinds of layers; ours, those of self-attention alone.
    let before = cross_layers.iter().enumerate().map(|(i, layer)| layer - i);
    let before: Vec<usize> = before.collect();
    let store = Store::folder(folder)?.renamed(|name| Some(renamed(name, &cross_layers)));
    let rows = |name: &str| store.get(name).and_then(|t| t.shape.first().copied());
    let outputs = rows("lm_head.weight").unwrap_or(decoder.vocab_size);
    decoder.vocab_size = rows("model.embed_tokens.weight").unwrap_or(decoder.vocab_size + 8);
    decoder.head_size = (outputs != decoder.vocab_size).then_some(outputs);
    decoder.norm_eps = text.number_or("rms_norm_eps", 1e-5)?;
    decoder.rope_theta = rope::theta(&text, 500_000.0)?;
    let tiled = vision(&fields.need_inner("vision_config")?, decoder.dim)?;
    let cross = cross_attention(&decoder, before);
    let processor = processor(folder, &tiled)?;
    let mut stops = fields.ids("eos_token_id")?;
    stops.extend(text.ids("eos_token_id")?);
    let prompt_family = PromptFamily::Mllama {
        image_token: match fields.ids("image_token_index")?[..] {
            [] => 128_256,
            [id] => id,
            _ => return Err(fields.refuse("image_token_index", "is more than one")),
        },
    };
    Ok(Family {
        name: "Mllama",
        config: ModelConfig {
            cross_attention: Some(cross),
            tiled_vision: Some(tiled),
            ..decoder_alone(name_of(folder), decoder)
        },
        store,
        names: [names::MLLAMA, names::LLAMA].concat(),
        interface: Interface {
            processor: Some(processor),
            speech: Speech::hub(folder, prompt_family, stops),
        },
    })
}

/// Brings both generations of names to one, and counts the two kinds of layers separately.
fn renamed(name: &str, cross_layers: &[usize]) -> String {
    let name = name
        .replace("model.language_model.", "language_model.model.")
        .replace("model.vision_model.", "vision_model.")
        .replace("model.multi_modal_projector.", "multi_modal_projector.");
    let name = name.strip_prefix("language_model.").unwrap_or(&name);
    let layer = name
        .strip_prefix("model.layers.")
        .and_then(|rest| rest.split_once('.'))
        .and_then(|(layer, rest)| Some((layer.parse::<usize>().ok()?, rest)));
    let Some((layer, rest)) = layer else {
        return name.to_owned();
    };
    match cross_layers.binary_search(&layer) {
        Ok(which) => format!("cross.{which}.{rest}"),
        Err(before) => format!("model.layers.{}.{rest}", layer - before),
    }
}

fn cross_attention(decoder: &DecoderConfig, before: Vec<usize>) -> CrossAttentionConfig {
    CrossAttentionConfig {
        every: None,
        before: Some(before),
        num_heads: decoder.num_heads,
        num_kv_heads: decoder.num_kv_heads,
        head_dim: decoder.head_dim,
        ff_dim: decoder.ff_dim.unwrap_or(0),
        initial_gate: 0.0,
        norm: NormKind::Rms,
        norm_eps: None,
        latent_norm: false,
        qk_norm: true,
        ff: FeedForwardKind::SwiGlu,
        vector_gates: false,
        without_image: WithoutImage::Everything,
    }
}

fn vision(fields: &Fields, output_dim: usize) -> Result<TiledVisionConfig> {
    let max_tiles = fields.size_or("max_num_tiles", 4)?;
    let mut arrangements = fields.pairs("supported_aspect_ratios")?;
    if arrangements.is_empty() {
        let most = max_tiles.min(64);
        let all = (1..=most).flat_map(|down| (1..=most).map(move |across| (down, across)));
        arrangements = all.filter(|(down, across)| down * across <= most).collect();
    }
    let named = fields.sizes("intermediate_layers_indices")?;
    Ok(TiledVisionConfig {
        image_size: fields.size_or("image_size", 448)?,
        patch_size: fields.size_or("patch_size", 14)?,
        max_tiles,
        dim: fields.size_or("hidden_size", 1280)?,
        num_layers: fields.size_or("num_hidden_layers", 32)?,
        num_global_layers: fields.size_or("num_global_layers", 8)?,
        num_heads: fields.size_or("attention_heads", 16)?,
        ff_dim: fields.size_or("intermediate_size", 5120)?,
        norm_eps: fields.number_or("norm_eps", 1e-5)?,
        ff: activation(fields, "hidden_act", "gelu")?,
        intermediate_layers: match named.is_empty() {
            true => vec![3, 7, 15, 23, 30],
            false => named,
        },
        arrangements,
        output_dim,
    })
}

fn processor(folder: &Path, tiled: &TiledVisionConfig) -> Result<ImageProcessor> {
    let preprocessor = Fields::read_if_there(&folder.join(PREPROCESSOR))?;
    let (mean, std) = normalisation(preprocessor.as_ref(), (CLIP_MEAN, CLIP_STD))?;
    let max_tiles = match &preprocessor {
        Some(fields) => fields.size_or("max_image_tiles", tiled.max_tiles)?,
        None => tiled.max_tiles,
    };
    Ok(ImageProcessor::Tiles {
        side: tiled.image_size,
        patch_size: tiled.patch_size,
        max_tiles: max_tiles.min(tiled.max_tiles),
        filter: Filter::Bilinear,
        mean,
        std,
    })
}
