//! Tensors and recipes of several models, joined to those of one.

use super::vision::VisionFiles;
use crate::error::CheckpointError;
use crate::files::ModelFiles;
use crate::interface::{Interface, Speech};
use crate::layout::WEIGHTS;
use crate::parameters::{Copied, Recipe, Recipes};
use crate::tensors::Store;
use avocet_config::ModelConfig;
use avocet_kernels::Weight;
use avocet_model::parameter_shapes;
use avocet_model::{Avocet, Builder, Parameters, seeded};
use candle_core::{DType, Device, Result as CandleResult, Shape, Tensor};
use candle_nn::Init;
use std::collections::BTreeMap;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

type Result<T> = std::result::Result<T, CheckpointError>;

/// How names of a part's tensors begin in the joined store, so that none are the same.
const DECODER: &str = "decoder/";
const VISION: &str = "vision/";
const NEW: &str = "new/";

/// The row behind a public decoder's embedding table that stands for an image.
const IMAGE_ROW: &str = "image_row";

/// A model joined of parts, before what is new.
pub(crate) struct Joined {
    files: ModelFiles,
    store: Store,
}

impl Joined {
    /// The whole model, with the tensors that no part has.
    pub fn with(mut self, new: Store) -> ModelFiles {
        self.store.join(new, |name| Some(format!("{NEW}{name}")));
        self.files.store = Arc::new(self.store);
        self.files
    }

    /// The whole model's shape.
    pub fn config(&self) -> &ModelConfig {
        &self.files.config
    }

    /// Values for every tensor that no part has, drawn by the rules of the network; `change` may
    /// have another rule for a name.
    pub fn draw(
        &self,
        seed: u64,
        change: fn(&str, Init) -> Init,
    ) -> Result<BTreeMap<String, Tensor>> {
        let drawn = Arc::default();
        let source = Drawing {
            recipes: Arc::clone(&self.files.recipes),
            seed,
            change,
            drawn: Arc::clone(&drawn),
        };
        Avocet::new(&self.files.config, Builder::new(source))?;
        let mut drawn = drawn.lock().unwrap_or_else(PoisonError::into_inner);
        Ok(std::mem::take(&mut *drawn))
    }
}

/// Draws what is new and hands out one number, broadcast, for all else.
struct Drawing {
    recipes: Arc<Recipes>,
    seed: u64,
    change: fn(&str, Init) -> Init,
    drawn: Arc<Mutex<BTreeMap<String, Tensor>>>,
}

impl Parameters for Drawing {
    fn tensor(&self, name: &str, shape: Shape, init: Init) -> CandleResult<Tensor> {
        let new = self.recipes.get(name).and_then(|recipe| {
            let mut tensors = recipe.terms.iter().map(|term| term.tensor.as_str());
            tensors.find_map(|tensor| tensor.strip_prefix(NEW))
        });
        if let Some(new) = new {
            // Beside the rows of a part, one row is new.
            let own = match (new == name, shape.dims()) {
                (false, [_, width]) => Shape::from((1, *width)),
                _ => shape.clone(),
            };
            let value = seeded(&own, (self.change)(name, init), self.seed, new)?;
            let mut drawn = self.drawn.lock().unwrap_or_else(PoisonError::into_inner);
            drawn.insert(new.to_owned(), value);
        }
        Tensor::zeros(1, DType::F32, &Device::Cpu)?.broadcast_as(shape)
    }

    fn matrix(&self, name: &str, shape: Shape, init: Init) -> CandleResult<Weight> {
        Ok(self.tensor(name, shape, init)?.into())
    }
}

fn new(name: &str) -> Recipe {
    Recipe::same(name).below(NEW)
}

/// What a part's files hold, taken over: nobody else holds files that were just opened.
fn own(part: Arc<Store>, path: &Path) -> Result<Store> {
    Arc::into_inner(part).ok_or_else(|| CheckpointError::parts(path, "is in use"))
}

/// A decoder with the vision tower of another model; its resampler is that model's, or new.
pub(crate) fn grafted(
    folder: &Path,
    config: &ModelConfig,
    decoder: ModelFiles,
    vision: VisionFiles,
    new_resampler: bool,
) -> Result<Joined> {
    let image = image_token(&decoder);
    let of = |recipes: &Recipes, name: &str, prefix: &str| {
        recipes.get(name).map(|recipe| recipe.below(prefix))
    };
    let mut recipes = Recipes::new();
    for name in parameter_shapes(config)?.into_keys() {
        let of_decoder = |name: &str| of(&decoder.recipes, name, DECODER);
        let recipe = match name.as_str() {
            "decoder.embedding" if image.is_some() => {
                of_decoder(&name).map(|rows| rows.above(new(IMAGE_ROW)))
            }
            // The head of a decoder whose table has another row is no longer the table.
            "decoder.head" if decoder.config.decoder.tied_embeddings => {
                of_decoder("decoder.embedding")
            }
            name if name.starts_with("decoder.") => of_decoder(name),
            name if name.starts_with("vision.") => of(&vision.recipes, name, VISION),
            name if name.starts_with("resampler.") && !new_resampler => {
                of(&vision.recipes, name, VISION)
            }
            name => Some(new(name)),
        };
        recipes.extend(recipe.map(|recipe| (name, recipe)));
    }
    let mut copied = vec!["cross_attention."];
    copied.extend(decoder.copied.has("decoder.").then_some("decoder."));
    copied.extend(vision.copied.has("vision.").then_some("vision."));
    let resampled = new_resampler || vision.copied.has("resampler.");
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
    store.join(own(decoder.store, &decoder.path)?, |name| {
        Some(format!("{DECODER}{name}"))
    });
    store.join(own(vision.store, &vision.path)?, |name| {
        Some(format!("{VISION}{name}"))
    });
    Ok(Joined {
        files: ModelFiles {
            path: folder.to_owned(),
            weights: folder.join(WEIGHTS),
            family: "grafted",
            config: config.clone(),
            store: Arc::new(Store::empty()),
            recipes: Arc::new(recipes),
            interface: Interface {
                processor: Some(vision.processor),
                speech,
            },
            copied: Copied(copied),
            tuned: None,
        },
        store,
    })
}

/// The token that a public decoder gets for an image: the one behind its table. Our own tokenizers
/// have one.
pub(super) fn image_token(decoder: &ModelFiles) -> Option<u32> {
    let rows = u32::try_from(decoder.config.decoder.vocab_size).ok()?;
    (!matches!(decoder.interface.speech, Speech::Own { .. })).then_some(rows)
}

/// A dense decoder whose every expert is the dense block.
pub(crate) fn upcycled(folder: &Path, config: &ModelConfig, decoder: ModelFiles) -> Result<Joined> {
    let experts = config.decoder.moe.as_ref().map_or(0, |moe| moe.num_experts);
    let mut recipes = Recipes::new();
    for name in parameter_shapes(config)?.into_keys() {
        let of_decoder = |name: &str| decoder.recipes.get(name).map(|r| r.below(DECODER));
        let recipe = match name.as_str() {
            name if !name.starts_with("decoder.layers.") => of_decoder(name),
            name if name.contains(".moe.router.") => Some(new(name)),
            name if name.contains(".moe.experts.") => {
                let dense = of_decoder(&name.replacen(".moe.experts.", ".ff.", 1));
                dense.map(|dense| dense.repeated(experts))
            }
            name => of_decoder(&name.replacen(".moe_norm", ".ff_norm", 1)),
        };
        recipes.extend(recipe.map(|recipe| (name, recipe)));
    }
    let mut store = Store::empty();
    store.join(own(decoder.store, &decoder.path)?, |name| {
        Some(format!("{DECODER}{name}"))
    });
    Ok(Joined {
        files: ModelFiles {
            path: folder.to_owned(),
            weights: folder.join(WEIGHTS),
            family: "upcycled",
            config: config.clone(),
            store: Arc::new(Store::empty()),
            recipes: Arc::new(recipes),
            interface: decoder.interface,
            copied: decoder.copied,
            tuned: None,
        },
        store,
    })
}
