//! OpenFlamingo (`openflamingo/OpenFlamingo-3B-vitl-mpt1b`, `-4B-`, `-9B-`).
//!
//! Its release is `checkpoint.pt`: the resampler, the gated layers and the language model's
//! embeddings. The language model and CLIP are downloaded on their own. A folder holds the three:
//!
//! ```text
//! open_flamingo.json   the arguments that the model was made with: lang_encoder_path,
//!                      clip_vision_encoder_path (relative to the folder), cross_attn_every_n_layers
//! checkpoint.pt        as released
//! lang_encoder/        the language model as the hub has it, tokenizer included
//! vision_encoder/      CLIP as the hub has it for open_clip
//! ```

use super::decoders;
use super::family::{Family, decoder_alone};
use super::fields::Fields;
use super::names;
use super::vision;
use crate::error::Result;
use crate::formats::gguf::Gguf;
use crate::interface::{Interface, PromptFamily, Speech};
use crate::layout::{PUBLIC_CONFIG, name_of};
use crate::tensors::Store;
use avocet_config::{
    CrossAttentionConfig, FeedForwardKind, ModelConfig, NormKind, ResamplerConfig, WithoutImage,
};
use std::path::{Component, Path, PathBuf};

/// The file that a folder of this family is known by.
pub(super) const SETTINGS: &str = "open_flamingo.json";
const CHECKPOINT: &str = "checkpoint.pt";

/// The cross-attention and the resampler have heads of this shape at any width.
const HEADS: usize = 8;
const HEAD_DIM: usize = 64;

/// The model in `folder`.
pub(super) fn read(folder: &Path) -> Result<Family> {
    let fields = Fields::read(&folder.join(SETTINGS))?;
    let lang = within(folder, &fields, "lang_encoder_path", "lang_encoder")?;
    let seeing = within(
        folder,
        &fields,
        "clip_vision_encoder_path",
        "vision_encoder",
    )?;
    let every = fields.size_or("cross_attn_every_n_layers", 1)?;
    if every == 0 {
        return Err(fields.refuse("cross_attn_every_n_layers", "is 0"));
    }

    let lang_fields = Fields::read(&lang.join(PUBLIC_CONFIG))?;
    let Some(text) = decoders::read(&lang_fields)? else {
        let kind = lang_fields.text_or("model_type", "")?;
        let reason = format!("is {kind:?}, no decoder that is read");
        return Err(lang_fields.refuse("model_type", reason));
    };
    let mut decoder = text.config;
    let clip = vision::open_clip(&seeing)?;

    let mut store = Store::folder(&lang)?;
    store.join(open_clip_weights(&seeing)?, |name| {
        name.starts_with("visual.").then(|| name.to_owned())
    });
    let released = either(&folder.join(CHECKPOINT), Store::pickle)?;
    store.join(released, |name| released_name(name, every));

    let rows = |name: &str| store.get(name).and_then(|t| t.shape.first().copied());
    let embedding = [
        "model.embed_tokens.weight",
        "transformer.wte.weight",
        "gpt_neox.embed_in.weight",
    ];
    let embedded = embedding.iter().find_map(|name| rows(name));
    decoder.vocab_size = embedded.unwrap_or(decoder.vocab_size);
    let outputs = rows("lm_head.weight").or(rows("embed_out.weight"));
    if let Some(outputs) = outputs.filter(|_| !decoder.tied_embeddings) {
        decoder.head_size = (outputs < decoder.vocab_size).then_some(outputs);
    }
    let resampler = resampler(&store, &clip.config);
    let places = (0..decoder.num_layers).filter(|layer| (layer + 1).is_multiple_of(every));
    let cross = CrossAttentionConfig {
        every: None,
        before: Some(places.collect()),
        num_heads: HEADS,
        num_kv_heads: HEADS,
        head_dim: HEAD_DIM,
        ff_dim: 4 * decoder.dim,
        initial_gate: 0.0,
        norm: NormKind::Layer,
        norm_eps: Some(1e-5),
        latent_norm: false,
        qk_norm: false,
        ff: FeedForwardKind::Gelu,
        vector_gates: false,
        without_image: WithoutImage::FeedForward,
    };
    Ok(Family {
        name: "OpenFlamingo",
        config: ModelConfig {
            cross_attention: Some(cross),
            clip: Some(clip.config),
            resampler: Some(resampler),
            ..decoder_alone(name_of(folder), decoder)
        },
        store,
        names: [names::FLAMINGO, clip.names, text.names].concat(),
        interface: Interface {
            processor: Some(clip.processor),
            speech: Speech::hub(&lang, PromptFamily::Flamingo, Vec::new()),
        },
    })
}

/// A folder that the settings name, which must lie within `folder`.
fn within(folder: &Path, fields: &Fields, name: &str, default: &str) -> Result<PathBuf> {
    let path = PathBuf::from(fields.text_or(name, default)?);
    let plain = path
        .components()
        .all(|part| matches!(part, Component::Normal(_)));
    if !plain {
        let reason = format!("is {path:?}, which is not a folder beside this file");
        return Err(fields.refuse(name, reason));
    }
    Ok(folder.join(path))
}

fn open_clip_weights(folder: &Path) -> Result<Store> {
    let safe = folder.join("open_clip_model.safetensors");
    if safe.is_file() {
        return Store::safetensors(&safe);
    }
    let pickled = folder.join("open_clip_pytorch_model.bin");
    match pickled.is_file() {
        true => Store::pickle(&pickled),
        false => either(&safe, Store::safetensors),
    }
}

/// The tensors of the file `path`, or of the GGUF file that stands in its place.
fn either(path: &Path, read: fn(&Path) -> Result<Store>) -> Result<Store> {
    let blocks = path.with_extension("gguf");
    match !path.is_file() && blocks.is_file() {
        true => Store::gguf(&blocks, vec![Gguf::open(&blocks)?]),
        false => read(path),
    }
}

/// The name that a tensor of the checkpoint goes by: resampler and gated layers as in the tables,
/// the language model's as in its own files. Old checkpoints hold the gated layers twice.
fn released_name(name: &str, every: usize) -> Option<String> {
    let name = name.strip_prefix("model_state_dict.").unwrap_or(name);
    let name = name.strip_prefix("module.").unwrap_or(name);
    if name.starts_with("perceiver.") {
        return Some(name.to_owned());
    }
    let name = name.strip_prefix("lang_encoder.")?;
    if let Some((path, rest)) = name.split_once(".gated_cross_attn_layer.") {
        let layer: usize = path.rsplit('.').next()?.parse().ok()?;
        let which = layer.checked_add(1)?.checked_div(every)?.checked_sub(1)?;
        return Some(format!("gated.{which}.{rest}"));
    }
    let twice = ["gated_cross_attn_layers.", "old_decoder_blocks."];
    if twice.iter().any(|prefix| name.starts_with(prefix)) {
        return None;
    }
    Some(name.replace(".decoder_layer.", "."))
}

/// The resampler's shape, which no file states: it is read off the tensors.
fn resampler(store: &Store, clip: &avocet_config::ClipConfig) -> ResamplerConfig {
    let layers = store.tensors().filter_map(|tensor| {
        let rest = tensor.name.strip_prefix("perceiver.layers.")?;
        rest.split('.').next()?.parse::<usize>().ok()
    });
    let latents = store.get("perceiver.latents");
    ResamplerConfig {
        num_latents: latents.and_then(|t| t.shape.first().copied()).unwrap_or(64),
        num_layers: layers.max().map_or(6, |last| last.saturating_add(1)),
        num_heads: HEADS,
        ff_dim: 4 * clip.dim,
        head_dim: Some(HEAD_DIM),
        norm: NormKind::Layer,
        norm_eps: Some(1e-5),
        qk_norm: false,
        ff: FeedForwardKind::Gelu,
    }
}
