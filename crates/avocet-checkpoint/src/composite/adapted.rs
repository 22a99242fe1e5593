//! A model some of whose parameters an adapter changes.

use crate::error::CheckpointError;
use crate::files::ModelFiles;
use crate::layout::{ADAPTER, WEIGHTS};
use crate::parameters::{Adapter, Recipe, Tuned, is_factor};
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
pub(crate) fn adapted(
    folder: &Path,
    adapter: Adapter,
    mut base: ModelFiles,
) -> Result<ModelFiles, CheckpointError> {
    let weights = folder.join(WEIGHTS);
    let tuned = Tuned::read(adapter, &weights, &parameter_shapes(&base.config)?)?;
    // What only served parameters that were replaced is needed no more.
    let (mut needed, mut dropped) = (BTreeSet::new(), BTreeSet::new());
    for (name, recipe) in base.recipes.iter() {
        let tensors = recipe.terms.iter().map(|term| term.tensor.clone());
        match tuned.replaced.contains(name) {
            true => dropped.extend(tensors),
            false => needed.extend(tensors),
        }
    }
    dropped.retain(|name| !needed.contains(name));
    let in_use = || CheckpointError::parts(&folder.join(ADAPTER), "is in use");
    let mut store = Store::empty();
    store.join(Arc::into_inner(base.store).ok_or_else(in_use)?, |name| {
        (!dropped.contains(name)).then(|| format!("{OF_BASE}{name}"))
    });
    store.join(Store::safetensors(&weights)?, |name| {
        (!is_factor(name)).then(|| format!("{TUNED}{name}"))
    });
    let recipes = base.recipes.iter().map(|(name, recipe)| {
        let recipe = match tuned.replaced.contains(name) {
            true => Recipe::same(name).below(TUNED),
            false => recipe.below(OF_BASE),
        };
        (name.clone(), recipe)
    });
    base.recipes = Arc::new(recipes.collect());
    base.store = Arc::new(store);
    base.config.name.clone_from(&tuned.adapter.name);
    base.path = folder.to_owned();
    base.weights = weights;
    base.tuned = Some(Arc::new(tuned));
    Ok(base)
}
