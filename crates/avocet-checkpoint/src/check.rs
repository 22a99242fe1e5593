//! Whether the tensors of a file are exactly those of a model.

use crate::weights::Weights;
use candle_core::Shape;
use std::collections::BTreeMap;

/// Differences named before the rest is only counted.
const MOST_NAMED: usize = 20;

/// Every difference between the stored tensors and the shapes that a model wants, in words;
/// `None` if there is none.
pub(crate) fn differences(weights: &Weights, wanted: &BTreeMap<String, Shape>) -> Option<String> {
    let mut found = Vec::new();
    for (name, shape) in wanted.iter().map(|(name, shape)| (name, shape.dims())) {
        match weights.entry(name) {
            None => found.push(format!("tensor {name:?} of shape {shape:?} is missing")),
            Some(entry) if entry.shape != shape => found.push(format!(
                "tensor {name:?} has shape {:?}, but the configuration says {shape:?}",
                entry.shape
            )),
            Some(_) => {}
        }
    }
    for stored in weights
        .tensors()
        .filter(|stored| !wanted.contains_key(&stored.name))
    {
        found.push(format!(
            "tensor {:?} of shape {:?} is not used",
            stored.name, stored.shape
        ));
    }
    let more = found.len().saturating_sub(MOST_NAMED);
    found.truncate(MOST_NAMED);
    if more > 0 {
        found.push(format!("and {more} more"));
    }
    (!found.is_empty()).then(|| found.join("; "))
}
