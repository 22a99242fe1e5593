//! Floating-point work of a batch, counted from the configuration: 2 for each multiply-add of a
//! matrix product, attention scores included, norms and activations left out. This is the count
//! that model FLOP utilisation is measured by (PaLM, arXiv:2204.02311, appendix B).

use crate::cross_attention::CrossAttentionConfig;
use crate::decoder::DecoderConfig;
use crate::kinds::FeedForwardKind;
use crate::model::ModelConfig;
use crate::vision::{StemConfig, VisionConfig};

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
    if let (Some(cross), Some(width)) = (&config.cross_attention, config.latent_dim()) {
        let latents: usize = grids.iter().map(|&(r, c)| latents_of(config, r * c)).sum();
        let kv = 2 * cross.num_kv_heads * cross.head_dim;
        total += 2.0 * (config.num_cross_layers() * latents * kv * width) as f64;
    }
    total
}

/// Forward work of the decoder over one text of `tokens` tokens, each of which sees an image of
/// `seen_patches` patches, whose keys are at hand.
pub fn text_flops(config: &ModelConfig, tokens: usize, seen_patches: usize) -> f64 {
    let decoder = &config.decoder;
    let t = tokens as f64;
    // A causal query sees half of the keys on average.
    let scores = 2.0 * 2.0 * t * (t + 1.0) / 2.0 * (decoder.num_heads * decoder.head_dim) as f64;
    let layers = (0..decoder.num_layers).map(|i| 2.0 * t * layer_weights(decoder, i) + scores);
    let mut total: f64 = layers.sum();
    total += 2.0 * t * (decoder.dim * decoder.num_outputs()) as f64;
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
    let Some(width) = config.latent_dim() else {
        return 0.0;
    };
    let tower: f64 = grids.iter().map(|&grid| tower_flops(config, grid)).sum();
    let resampled = config.resampler.as_ref().map_or(0.0, |resampler| {
        let (dim, m) = (width as f64, resampler.num_latents as f64);
        let inner = resampler
            .head_dim
            .map_or(dim, |head| (head * resampler.num_heads) as f64);
        let ff = matrices(resampler.ff) * dim * resampler.ff_dim as f64;
        let one = |&(rows, cols): &(usize, usize)| {
            let p = (rows * cols) as f64;
            2.0 * m * (2.0 * dim * inner + ff)
                + 2.0 * (p + m) * 2.0 * dim * inner
                + 4.0 * m * (p + m) * inner
        };
        resampler.num_layers as f64 * grids.iter().map(one).sum::<f64>()
    });
    tower + resampled
}

/// Forward work of the tower over one image.
fn tower_flops(config: &ModelConfig, (rows, cols): (usize, usize)) -> f64 {
    let blocks = |p: f64, layers: usize, dim: f64, ff: f64| {
        layers as f64 * (2.0 * p * (4.0 * dim * dim + ff) + 4.0 * p * p * dim)
    };
    let p = (rows * cols) as f64;
    if let Some(vision) = &config.vision {
        let dim = vision.dim as f64;
        let mut ff = 3.0 * dim * vision.ff_dim as f64;
        if vision.depthwise {
            ff += 9.0 * dim;
        }
        return 2.0 * p * stem_weights(vision) + blocks(p, vision.num_layers, dim, ff);
    }
    if let Some(clip) = &config.clip {
        let dim = clip.dim as f64;
        let stem = 2.0 * p * (3 * clip.patch_size * clip.patch_size) as f64 * dim;
        let ff = matrices(clip.ff) * dim * clip.ff_dim as f64;
        return stem + blocks(p, clip.num_layers, dim, ff);
    }
    if let Some(efficient) = config.convolutional_tower() {
        return p * efficient.flops();
    }
    let Some(tiled) = &config.tiled_vision else {
        return 0.0;
    };
    let dim = tiled.dim as f64;
    let stem = 2.0 * p * (3 * tiled.patch_size * tiled.patch_size) as f64 * dim;
    let all = (tiled.max_tiles * (tiled.num_patches() + 1)) as f64;
    let ff = matrices(tiled.ff) * dim * tiled.ff_dim as f64;
    let features = (1 + tiled.intermediate_layers.len()) as f64 * dim;
    stem + blocks(all, tiled.num_layers + tiled.num_global_layers, dim, ff)
        + 2.0 * all * features * tiled.output_dim as f64
}

/// Matrices of a feed-forward block, each as large as the others.
fn matrices(kind: FeedForwardKind) -> f64 {
    match kind {
        FeedForwardKind::SwiGlu => 3.0,
        _ => 2.0,
    }
}

fn latents_of(config: &ModelConfig, patches: usize) -> usize {
    config
        .resampler
        .as_ref()
        .map_or(patches, |resampler| resampler.num_latents)
}

fn layer_weights(decoder: &DecoderConfig, index: usize) -> f64 {
    let heads = 2 * decoder.num_heads + 2 * decoder.num_kv_heads;
    let second = match decoder.moe_of(index) {
        Some(moe) => {
            let width = moe.top_k * moe.expert_dim + moe.shared_dim.unwrap_or(0);
            (3 * width + moe.num_experts) as f64
        }
        None => matrices(decoder.ff) * decoder.ff_dim.unwrap_or(0) as f64,
    };
    decoder.dim as f64 * ((heads * decoder.head_dim) as f64 + second)
}

fn cross_weights(dim: usize, cross: &CrossAttentionConfig, sees: bool) -> f64 {
    let attention = if sees {
        2 * cross.num_heads * cross.head_dim
    } else {
        0
    };
    dim as f64 * (attention as f64 + matrices(cross.ff) * cross.ff_dim as f64)
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
    use crate::preset::preset;

    #[test]
    fn an_image_costs_more_the_larger_it_is_and_text_more_when_it_sees_one() {
        let config = preset("mini").unwrap();
        assert!(vision_flops(&config, &[(12, 12)]) > 4.0 * vision_flops(&config, &[(6, 6)]));
        assert!(text_flops(&config, 30, 144) > text_flops(&config, 30, 0));
        let both = forward_flops(&config, &[(12, 12)], [(30, 144)]);
        assert!(both > vision_flops(&config, &[(12, 12)]) + text_flops(&config, 30, 144));
    }
}
