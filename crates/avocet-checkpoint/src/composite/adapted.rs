//! A model some of whose parameters an adapter changes.

use crate::error::Result;
use crate::files::ModelFiles;
use crate::layout::{ADAPTER, WEIGHTS};
use crate::parameters::{Adapter, Recipe, StoredParameters, Tuned, is_factor};
use crate::tensors::Store;
use avocet_model::parameter_shapes;
use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;

/// How names begin in the joined store, so that none are the same.
const OF_BASE: &str = "base/";
const TUNED: &str = "tuned/";

/// The adapter in `folder` over its base.
///
/// Errors if a tensor of it fits no parameter of the base.
pub(crate) fn adapted(folder: &Path, adapter: Adapter, mut base: ModelFiles) -> Result<ModelFiles> {
    let weights = folder.join(WEIGHTS);
    let tuned = Tuned::read(adapter, &weights, &parameter_shapes(&base.config)?)?;
    // What only served parameters that were replaced is needed no more.
    let (mut needed, mut dropped) = (BTreeSet::new(), BTreeSet::new());
    for (name, recipe) in base.stored.recipes.iter() {
        let tensors = recipe.terms.iter().map(|term| term.tensor.clone());
        match tuned.replaced.contains(name) {
            true => dropped.extend(tensors),
            false => needed.extend(tensors),
        }
    }
    dropped.retain(|name| !needed.contains(name));
    let (recipes, copied) = (Arc::clone(&base.stored.recipes), base.stored.copied.clone());
    let mut store = Store::empty();
    store.join(base.stored.into_store(&folder.join(ADAPTER))?, |name| {
        (!dropped.contains(name)).then(|| format!("{OF_BASE}{name}"))
    });
    store.join(Store::safetensors(&weights)?, |name| {
        (!is_factor(name)).then(|| format!("{TUNED}{name}"))
    });
    let recipe = |(name, recipe): (&String, &Recipe)| {
        let recipe = match tuned.replaced.contains(name) {
            true => Recipe::same(name).below(TUNED),
            false => recipe.below(OF_BASE),
        };
        (name.clone(), recipe)
    };
    let recipes = recipes.iter().map(recipe).collect();
    base.config.name.clone_from(&tuned.adapter.name);
    Ok(ModelFiles {
        path: folder.to_owned(),
        weights,
        stored: StoredParameters {
            copied,
            tuned: Some(Arc::new(tuned)),
            ..StoredParameters::new(store, recipes)
        },
        ..base
    })
}
