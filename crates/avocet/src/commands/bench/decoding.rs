//! How fast a decoder reads a prompt, and writes.

use anyhow::Result;
use avocet_model::{ImageKeys, KvCache, StepRows, TextStep, VisionLanguageModel};

use super::rates::{DECODED, best_of};

/// Tokens a second of a prompt of `ids` that see `images`, up to the logits of its last.
pub fn prefill(model: &VisionLanguageModel, images: &[&ImageKeys], ids: &[u32]) -> Result<f64> {
    let seconds = best_of(|| {
        read(model, images, ids, ids.len(), &mut model.new_cache())?;
        Ok(())
    })?;
    Ok(ids.len() as f64 / seconds)
}

/// Tokens a second of a text that is written one by one, where `id` says what.
pub fn decode(
    model: &VisionLanguageModel,
    images: &[&ImageKeys],
    id: impl Fn(usize) -> u32,
) -> Result<f64> {
    let steps = DECODED.min(model.config().decoder.max_context);
    let seconds = best_of(|| {
        let mut cache = model.new_cache();
        for step in 0..steps {
            read(model, images, &[id(step)], 0, &mut cache)?;
        }
        Ok(())
    })?;
    Ok(steps as f64 / seconds)
}

/// The logits (V) after `ids`, which see `images` and follow what is in `cache`; the first `prompt`
/// tokens of the text are its prompt.
fn read(
    model: &VisionLanguageModel,
    images: &[&ImageKeys],
    ids: &[u32],
    prompt: usize,
    cache: &mut KvCache,
) -> Result<Vec<f32>> {
    let seen = vec![(0, images.len() as u32); ids.len()];
    let mut text = [TextStep {
        ids,
        visible_images: &seen,
        images: images.to_vec(),
        cache,
        prompt,
    }];
    let rows = model.step(&mut text)?.swap_remove(0); // (n, D)
    let last = rows.narrow(0, ids.len() - 1, 1)?;
    let logits = model.infer_logits(&last, StepRows::answer(1))?;
    Ok(logits.flatten_all()?.to_vec1::<f32>()?)
}
