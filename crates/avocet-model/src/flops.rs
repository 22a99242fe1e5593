//! Floating-point work of a batch, counted from the configuration: 2 for each multiply-add of a
//! matrix product, attention scores included, norms and activations left out. This is the count
//! that model FLOP utilisation is measured by (PaLM, arXiv:2204.02311, appendix B).

use crate::config::{CrossAttentionConfig, DecoderConfig, ModelConfig, StemConfig, VisionConfig};

/// A training step's work over that of its forward pass: the backward pass costs two more.
pub const TRAINING_FACTOR: f64 = 3.0;

/// Forward work of a batch: images of these `grids`, and texts of these lengths, each seeing
/// `seen_patches` patches (0 for a text without images).
pub fn forward_flops(
    config: &ModelConfig,
    grids: &[(usize, usize)],
    texts: impl IntoIterator<Item = (usize, usize)>,
) -> f64 {
    let mut total = vision_flops(config, grids);
    for (tokens, seen_patches) in texts {
        total += text_flops(config, tokens, seen_patches);
    }
    if let (Some(cross), Some(vision)) = (&config.cross_attention, &config.vision) {
        let latents: usize = grids.iter().map(|&(r, c)| latents_of(config, r * c)).sum();
        let kv = 2 * cross.num_kv_heads * cross.head_dim;
        total += 2.0 * (config.num_cross_layers() * latents * kv * vision.dim) as f64;
    }
    total
}

/// Forward work of the decoder over one text of `tokens` tokens, each of which sees an image of
/// `seen_patches` patches, whose keys are at hand.
pub fn text_flops(config: &ModelConfig, tokens: usize, seen_patches: usize) -> f64 {
    let decoder = &config.decoder;
    let (t, layers) = (tokens as f64, decoder.num_layers as f64);
    // A causal query sees half of the keys on average.
    let scores = 2.0 * 2.0 * t * (t + 1.0) / 2.0 * (decoder.num_heads * decoder.head_dim) as f64;
    let mut total = layers * (2.0 * t * layer_weights(decoder) + scores);
    total += 2.0 * t * (decoder.dim * decoder.vocab_size) as f64;
    if let Some(cross) = &config.cross_attention {
        let latents = if seen_patches == 0 {
            0
        } else {
            latents_of(config, seen_patches)
        };
        let width = cross.num_heads * cross.head_dim;
        let scores = 2.0 * 2.0 * t * (latents * width) as f64;
        let weights = cross_weights(decoder.dim, cross, latents > 0);
        total += config.num_cross_layers() as f64 * (2.0 * t * weights + scores);
    }
    total
}

/// Forward work of the vision tower, resampler included, over images of these grids.
pub fn vision_flops(config: &ModelConfig, grids: &[(usize, usize)]) -> f64 {
    let Some(vision) = &config.vision else {
        return 0.0;
    };
    let dim = vision.dim as f64;
    let mut block = 4.0 * dim * dim + 3.0 * dim * vision.ff_dim as f64;
    if vision.depthwise {
        block += 9.0 * dim;
    }
    let per_patch = stem_weights(vision) + vision.num_layers as f64 * block;
    let mut total = 0.0;
    for &(rows, cols) in grids {
        let p = (rows * cols) as f64;
        total += 2.0 * p * per_patch + vision.num_layers as f64 * 4.0 * p * p * dim;
        if let Some(resampler) = &config.resampler {
            let m = resampler.num_latents as f64;
            let layer = 2.0 * m * (2.0 * dim * dim + 3.0 * dim * resampler.ff_dim as f64)
                + 2.0 * (p + m) * 2.0 * dim * dim
                + 4.0 * m * (p + m) * dim;
            total += resampler.num_layers as f64 * layer;
        }
    }
    total
}

fn latents_of(config: &ModelConfig, patches: usize) -> usize {
    config
        .resampler
        .as_ref()
        .map_or(patches, |resampler| resampler.num_latents)
}

fn layer_weights(decoder: &DecoderConfig) -> f64 {
    let heads = 2 * decoder.num_heads + 2 * decoder.num_kv_heads;
    let dense = 3 * decoder.ff_dim.unwrap_or(0);
    let experts = decoder
        .moe
        .as_ref()
        .map_or(0, |moe| moe.top_k * 3 * moe.expert_dim + moe.num_experts);
    (decoder.dim * (heads * decoder.head_dim + dense + experts)) as f64
}

fn cross_weights(dim: usize, cross: &CrossAttentionConfig, sees: bool) -> f64 {
    let attention = if sees {
        2 * cross.num_heads * cross.head_dim
    } else {
        0
    };
    (dim * (attention + 3 * cross.ff_dim)) as f64
}

/// Multiply-adds of the stem for one patch.
fn stem_weights(vision: &VisionConfig) -> f64 {
    let StemConfig::Conv { channels } = &vision.stem else {
        return (3 * vision.patch_size * vision.patch_size * vision.dim) as f64;
    };
    let mut pixels = (vision.patch_size * vision.patch_size) as f64;
    let mut inputs = 3;
    let mut total = 0.0;
    for &outputs in channels {
        pixels /= 4.0;
        total += pixels * (9 * inputs * outputs) as f64;
        inputs = outputs;
    }
    total
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::count::ParameterCount;
    use crate::preset::preset;

    #[test]
    fn a_token_of_gpt4_costs_twice_its_active_parameters() {
        let config = preset("gpt4").unwrap();
        let active = ParameterCount::of(&config).unwrap().active as f64;
        let lookup = (config.decoder.vocab_size * config.decoder.dim) as f64;
        let flops = text_flops(&config, 1, 0);
        // The embedding table is looked up, not multiplied with; norms and scores are the rest.
        assert!(
            (flops / (2.0 * (active - lookup)) - 1.0).abs() < 1e-4,
            "{flops:e}"
        );
    }

    #[test]
    fn an_image_costs_more_the_larger_it_is_and_text_more_when_it_sees_one() {
        let config = preset("mini").unwrap();
        assert!(vision_flops(&config, &[(12, 12)]) > 4.0 * vision_flops(&config, &[(6, 6)]));
        assert!(text_flops(&config, 30, 144) > text_flops(&config, 30, 0));
        let both = forward_flops(&config, &[(12, 12)], [(30, 144)]);
        assert!(both > vision_flops(&config, &[(12, 12)]) + text_flops(&config, 30, 144));
    }
}
