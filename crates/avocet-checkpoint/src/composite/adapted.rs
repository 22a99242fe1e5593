//! A model some of whose parameters an adapter changes.

use crate::error::Result;
use crate::files::ModelFiles;
use crate::layout::{ADAPTER, WEIGHTS};
use crate::parameters::{Adapter, AdapterWeights, StoredParameters, WeightMapping, is_factor};
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
    let tuned = AdapterWeights::read(adapter, &weights, &parameter_shapes(&base.config)?)?;
    // What only served parameters that were replaced is needed no more.
    let (mut needed, mut dropped) = (BTreeSet::new(), BTreeSet::new());
    for (name, mapping) in base.stored.mappings.iter() {
        let tensors = mapping.terms.iter().map(|term| term.tensor.clone());
        match tuned.replaced.contains(name) {
            true => dropped.extend(tensors),
            false => needed.extend(tensors),
        }
    }
    dropped.retain(|name| !needed.contains(name));
    let (mappings, copied) = (
        Arc::clone(&base.stored.mappings),
        base.stored.copied.clone(),
    );
    let mut store = Store::empty();
    store.join(base.stored.into_store(&folder.join(ADAPTER))?, |name| {
        (!dropped.contains(name)).then(|| format!("{OF_BASE}{name}"))
    });
    store.join(Store::safetensors(&weights)?, |name| {
        (!is_factor(name)).then(|| format!("{TUNED}{name}"))
    });
    let mapping = |(name, mapping): (&String, &WeightMapping)| {
        let mapping = match tuned.replaced.contains(name) {
            true => WeightMapping::same(name).below(TUNED),
            false => mapping.below(OF_BASE),
        };
        (name.clone(), mapping)
    };
    let mappings = mappings.iter().map(mapping).collect();
    base.config.name.clone_from(&tuned.adapter.name);
    Ok(ModelFiles {
        path: folder.to_owned(),
        weights,
        stored: StoredParameters {
            copied,
            tuned: Some(Arc::new(tuned)),
            ..StoredParameters::new(store, mappings)
        },
        ..base
    })
}
