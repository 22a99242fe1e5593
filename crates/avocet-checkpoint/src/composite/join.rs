//! Tensors and mappings of several models, joined to those of one.

use super::vision::VisionFiles;
use crate::error::Result;
use crate::files::ModelFiles;
use crate::interface::{Interface, Speech};
use crate::layout::WEIGHTS;
use crate::parameters::{Copied, StoredParameters, WeightMapping, WeightMappings};
use crate::tensors::Store;
use avocet_config::ModelConfig;
use avocet_model::{Init, ParameterSpec, parameter_shapes, parameter_specs, seeded};
use candle_core::{Shape, Tensor};
use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

/// How names of a part's tensors begin in the joined store, so that none are the same.
const DECODER: &str = "decoder/";
const VISION: &str = "vision/";
const NEW: &str = "new/";

/// The row behind a public decoder's embedding table that stands for an image.
const IMAGE_ROW: &str = "image_row";

/// The whole model, with the tensors that no part has.
pub(super) fn with_new(mut joined: ModelFiles, new: Store) -> ModelFiles {
    let store = Arc::get_mut(&mut joined.stored.store).expect("nobody else holds what was joined");
    store.join(new, |name| Some(format!("{NEW}{name}")));
    joined
}

/// Values for every tensor that no part has, drawn by the rules of the network as `change` has
/// them.
pub(crate) fn draw(
    joined: &ModelFiles,
    seed: u64,
    change: fn(Init) -> Init,
) -> Result<BTreeMap<String, Tensor>> {
    let mut drawn = BTreeMap::new();
    for ParameterSpec {
        name, shape, init, ..
    } in parameter_specs(&joined.config)?
    {
        let mapping = joined.stored.mappings.get(&name);
        let mut terms = mapping.into_iter().flat_map(|mapping| &mapping.terms);
        let Some(new) = terms.find_map(|term| term.tensor.strip_prefix(NEW)) else {
            continue;
        };
        // Beside the rows of a part, one row is new.
        let own = match (new == name, shape.dims()) {
            (false, [_, width]) => Shape::from((1, *width)),
            _ => shape,
        };
        let value = seeded(&own, change(init), seed, new)?;
        drawn.insert(new.to_owned(), value);
    }
    Ok(drawn)
}

fn new(name: &str) -> WeightMapping {
    WeightMapping::same(name).below(NEW)
}

/// A decoder with the vision tower of another model, before what is new; its resampler is that
/// model's, or new.
pub(crate) fn grafted(
    folder: &Path,
    config: &ModelConfig,
    decoder: ModelFiles,
    vision: VisionFiles,
    new_resampler: bool,
) -> Result<ModelFiles> {
    let image = image_token(&decoder);
    let of = |mappings: &WeightMappings, name: &str, prefix: &str| {
        mappings.get(name).map(|mapping| mapping.below(prefix))
    };
    let mut mappings = WeightMappings::new();
    for name in parameter_shapes(config)?.into_keys() {
        let of_decoder = |name: &str| of(&decoder.stored.mappings, name, DECODER);
        let mapping = match name.as_str() {
            "decoder.embedding" if image.is_some() => {
                of_decoder(&name).map(|rows| rows.above(new(IMAGE_ROW)))
            }
            // The head of a decoder whose table has another row is no longer the table.
            "decoder.head" if decoder.config.decoder.tied_embeddings => {
                of_decoder("decoder.embedding")
            }
            name if name.starts_with("decoder.") => of_decoder(name),
            name if name.starts_with("vision.") => of(&vision.stored.mappings, name, VISION),
            name if name.starts_with("resampler.") && !new_resampler => {
                of(&vision.stored.mappings, name, VISION)
            }
            name => Some(new(name)),
        };
        mappings.extend(mapping.map(|mapping| (name, mapping)));
    }
    let mut copied = vec!["cross_attention."];
    copied.extend(decoder.stored.copied.has("decoder.").then_some("decoder."));
    copied.extend(vision.stored.copied.has("vision.").then_some("vision."));
    let resampled = new_resampler || vision.stored.copied.has("resampler.");
    copied.extend(resampled.then_some("resampler."));
    let text = decoder.interface.speech;
    let speech = match image {
        Some(image) => Speech::Seeing {
            text: Box::new(text),
            image,
        },
        None => text,
    };
    let mut store = Store::empty();
    store.join(decoder.stored.into_store(&decoder.path)?, |name| {
        Some(format!("{DECODER}{name}"))
    });
    store.join(vision.stored.into_store(&vision.path)?, |name| {
        Some(format!("{VISION}{name}"))
    });
    Ok(ModelFiles {
        path: folder.to_owned(),
        weights: folder.join(WEIGHTS),
        family: "grafted",
        config: config.clone(),
        stored: StoredParameters {
            copied: Copied(copied),
            ..StoredParameters::new(store, mappings)
        },
        interface: Interface {
            processor: Some(vision.processor),
            speech,
        },
        concepts: None,
    })
}

/// The token that a public decoder gets for an image: the one behind its table. Our own tokenizers
/// have one.
pub(super) fn image_token(decoder: &ModelFiles) -> Option<u32> {
    let rows = u32::try_from(decoder.config.decoder.vocab_size).ok()?;
    (!matches!(decoder.interface.speech, Speech::Own { .. })).then_some(rows)
}

/// A dense decoder whose every expert is the dense block, before what is new.
pub(crate) fn upcycled(
    folder: &Path,
    config: &ModelConfig,
    decoder: ModelFiles,
) -> Result<ModelFiles> {
    let experts = config.decoder.moe.as_ref().map_or(0, |moe| moe.num_experts);
    let mut mappings = WeightMappings::new();
    for name in parameter_shapes(config)?.into_keys() {
        let of_decoder = |name: &str| decoder.stored.mappings.get(name).map(|r| r.below(DECODER));
        let mapping = match name.as_str() {
            name if !name.starts_with("decoder.layers.") => of_decoder(name),
            name if name.contains(".moe.router.") => Some(new(name)),
            name if name.contains(".moe.experts.") => {
                let dense = of_decoder(&name.replacen(".moe.experts.", ".ff.", 1));
                dense.map(|dense| dense.repeated(experts))
            }
            name => of_decoder(&name.replacen(".moe_norm", ".ff_norm", 1)),
        };
        mappings.extend(mapping.map(|mapping| (name, mapping)));
    }
    let copied = decoder.stored.copied.clone();
    let mut store = Store::empty();
    store.join(decoder.stored.into_store(&decoder.path)?, |name| {
        Some(format!("{DECODER}{name}"))
    });
    Ok(ModelFiles {
        path: folder.to_owned(),
        weights: folder.join(WEIGHTS),
        family: "upcycled",
        config: config.clone(),
        stored: StoredParameters {
            copied,
            ..StoredParameters::new(store, mappings)
        },
        interface: decoder.interface,
        concepts: decoder.concepts,
    })
}
