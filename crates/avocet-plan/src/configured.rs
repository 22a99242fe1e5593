//! Our configurations in the planner's terms.

use avocet_config::{
    AttentionConfig, ClipConfig, DecoderConfig, EfficientNetConfig, FeedForwardKind, ModelConfig,
    NormKind, QkNorm, ResamplerConfig, StemConfig, TiledVisionConfig, VisionConfig,
};

use crate::model::{
    Attention, CrossAttention, FeedForward, Mixture, ModelShape, Resampler, Vision,
};

impl From<&ModelConfig> for ModelShape {
    fn from(config: &ModelConfig) -> Self {
        let decoder = &config.decoder;
        let dim = decoder.dim as u64;
        let dense_layers = match &decoder.moe {
            Some(_) => decoder.dense_layers.len(),
            None => decoder.num_layers,
        };
        let block = decoder.ff_dim.map(|width| FeedForward {
            width: width as u64,
            matrices: matrices(decoder.ff),
        });
        let hidden = block.map_or(0, |block| (block.matrices - 1) * block.width);
        let outputs = decoder.num_outputs() as u64;
        ModelShape {
            name: config.name.clone(),
            dim,
            num_layers: decoder.num_layers as u64,
            vocab_size: decoder.vocab_size as u64,
            num_outputs: outputs,
            tied_embeddings: decoder.tied_embeddings,
            max_context: decoder.max_context as u64,
            attention: Attention::Heads {
                num_heads: decoder.num_heads as u64,
                num_kv_heads: decoder.num_kv_heads as u64,
                head_dim: decoder.head_dim as u64,
            },
            feed_forward: block,
            mixture: decoder.moe.as_ref().map(|moe| Mixture {
                num_experts: moe.num_experts as u64,
                top_k: moe.top_k as u64,
                expert: FeedForward {
                    width: moe.expert_dim as u64,
                    matrices: 3,
                },
                shared_width: moe.shared_dim.unwrap_or(0) as u64,
                shared_gate: moe.shared_dim.map_or(0, |_| dim),
                groups: None,
            }),
            num_dense_layers: if decoder.moe.is_some() {
                dense_layers as u64
            } else {
                0
            },
            norm_vectors: norm_vectors(decoder.norm),
            norms_per_layer: 2,
            attention_vectors: attention_vectors(decoder, &decoder.attention),
            feed_forward_vectors: if decoder.ff_bias { hidden + dim } else { 0 },
            embedding_extra: if decoder.head_bias { outputs } else { 0 },
            cross: cross_attention(config),
            vision: vision(config),
        }
    }
}

fn matrices(kind: FeedForwardKind) -> u64 {
    match kind {
        FeedForwardKind::SwiGlu => 3,
        _ => 2,
    }
}

fn norm_vectors(kind: NormKind) -> u64 {
    match kind {
        NormKind::Layer => 2,
        NormKind::Rms | NormKind::LayerUnbiased => 1,
    }
}

fn attention_vectors(decoder: &DecoderConfig, attention: &AttentionConfig) -> u64 {
    let head = decoder.head_dim as u64;
    let (queries, keys) = (
        decoder.num_heads as u64 * head,
        decoder.num_kv_heads as u64 * head,
    );
    let mut vectors = 0;
    if attention.bias {
        vectors += queries + 2 * keys;
    }
    if attention.output_bias {
        vectors += decoder.dim as u64;
    }
    vectors
        + norm_vectors(decoder.norm)
            * match attention.qk_norm {
                Some(QkNorm::Head) => 2 * head,
                Some(QkNorm::Full) => queries + keys,
                None => 0,
            }
}

fn cross_attention(config: &ModelConfig) -> Option<CrossAttention> {
    let cross = config.cross_attention.as_ref()?;
    let (dim, head) = (config.decoder.dim as u64, cross.head_dim as u64);
    let norm = norm_vectors(cross.norm);
    let latents = config.latent_dim().unwrap_or(0) as u64;
    let gates = if cross.vector_gates { 2 * dim } else { 2 };
    let mut vectors = norm * 2 * dim + gates;
    if cross.latent_norm {
        vectors += norm * latents;
    }
    if cross.qk_norm {
        vectors += norm * 2 * head;
    }
    Some(CrossAttention {
        num_layers: config.num_cross_layers() as u64,
        num_heads: cross.num_heads as u64,
        num_kv_heads: cross.num_kv_heads as u64,
        head_dim: head,
        feed_forward: FeedForward {
            width: cross.ff_dim as u64,
            matrices: matrices(cross.ff),
        },
        vectors,
    })
}

fn vision(config: &ModelConfig) -> Option<Vision> {
    let mut tower = if let Some(own) = &config.vision {
        own_tower(own)
    } else if let Some(clip) = &config.clip {
        clip_tower(clip)
    } else if let Some(efficient) = config.convolutional_tower() {
        efficient_tower(efficient)
    } else {
        tiled_tower(config.tiled_vision.as_ref()?)
    };
    tower.resampler = config
        .resampler
        .as_ref()
        .map(|resampler| resampler_of(resampler, tower.output_dim));
    Some(tower)
}

fn own_tower(vision: &VisionConfig) -> Vision {
    let dim = vision.dim as u64;
    let pixels = (vision.patch_size * vision.patch_size) as u64;
    let (mut stem, mut stem_outputs) = (3 * pixels * dim + dim, dim);
    if let StemConfig::Conv { channels } = &vision.stem {
        (stem, stem_outputs) = (0, 0);
        let (mut inputs, mut left) = (3, pixels);
        for (index, &outputs) in channels.iter().enumerate() {
            let outputs = outputs as u64;
            let norm = if index + 1 < channels.len() {
                outputs
            } else {
                0
            };
            left /= 4;
            stem += 9 * inputs * outputs + outputs + norm;
            stem_outputs += left * outputs;
            inputs = outputs;
        }
    }
    Vision {
        num_layers: vision.num_layers as u64,
        dim,
        feed_forward: FeedForward {
            width: vision.ff_dim as u64,
            matrices: 3,
        },
        block_vectors: 2 * dim + if vision.depthwise { 10 * dim } else { 0 },
        stem: stem + dim,
        stem_outputs,
        max_patches: vision.max_patches as u64,
        output_dim: dim,
        resampler: None,
    }
}

fn clip_tower(clip: &ClipConfig) -> Vision {
    let dim = clip.dim as u64;
    let patches = clip.num_patches() as u64;
    let block = FeedForward {
        width: clip.ff_dim as u64,
        matrices: matrices(clip.ff),
    };
    let one = |there: bool, numbers: u64| if there { numbers } else { 0 };
    let rows = patches + one(clip.class_token, 1);
    let inputs = (3 * clip.patch_size * clip.patch_size) as u64;
    Vision {
        num_layers: clip.num_layers as u64,
        dim,
        feed_forward: block,
        // Two norms with biases, biases of four projections and of the feed-forward.
        block_vectors: 4 * dim + 4 * dim + (block.matrices - 1) * block.width + dim,
        stem: inputs * dim
            + one(clip.patch_bias, dim)
            + rows * dim
            + one(clip.class_token, dim)
            + one(clip.pre_norm, 2 * dim)
            + one(clip.post_norm, 2 * dim),
        stem_outputs: dim,
        max_patches: patches,
        output_dim: dim,
        resampler: None,
    }
}

/// Convolutions have no blocks of a transformer: all of them are the stem, its work shared out among
/// the rows of features.
fn efficient_tower(tower: &EfficientNetConfig) -> Vision {
    let map = |inputs: usize, outputs: usize| (inputs * outputs + outputs) as u64;
    let (mut stem, mut outputs) = (map(27, tower.stem_dim), 0);
    let mut side = tower.image_size.div_ceil(2);
    let pixels = |side: usize| side * side;
    outputs += pixels(side) * tower.stem_dim;
    for block in tower.blocks() {
        if block.expands() {
            stem += map(block.inputs, block.inner);
            outputs += pixels(side) * block.inner;
        }
        side = side.div_ceil(block.stride);
        stem += map(block.kernel * block.kernel, block.inner) + map(block.inner, block.outputs);
        outputs += pixels(side) * (block.inner + block.outputs);
    }
    let rows = tower.num_rows();
    Vision {
        num_layers: 0,
        dim: tower.head_dim as u64,
        feed_forward: FeedForward {
            width: 0,
            matrices: 2,
        },
        block_vectors: 0,
        stem: stem + map(tower.last_dim(), tower.head_dim),
        stem_outputs: outputs.div_ceil(rows.max(1)) as u64 + tower.head_dim as u64,
        max_patches: rows as u64,
        output_dim: tower.head_dim as u64,
        resampler: None,
    }
}

fn tiled_tower(tiled: &TiledVisionConfig) -> Vision {
    let (dim, tiles) = (tiled.dim as u64, tiled.max_tiles as u64);
    let rows = tiled.num_patches() as u64 + 1;
    let block = FeedForward {
        width: tiled.ff_dim as u64,
        matrices: matrices(tiled.ff),
    };
    let arrangements = tiled.arrangements.len() as u64 + 1;
    let inputs = (3 * tiled.patch_size * tiled.patch_size) as u64;
    let output = tiled.output_dim as u64;
    let features = (1 + tiled.intermediate_layers.len() as u64) * dim;
    let global = tiled.num_global_layers as u64;
    Vision {
        num_layers: (tiled.num_layers + tiled.num_global_layers) as u64,
        dim,
        feed_forward: block,
        block_vectors: 4 * dim + (block.matrices - 1) * block.width + dim,
        stem: inputs * dim
            + dim
            + rows * dim
            + arrangements * tiles * rows * dim
            + 1
            + 2 * (arrangements * tiles * dim + 1)
            + 4 * dim
            + 2 * global
            + features * output
            + output,
        stem_outputs: dim,
        max_patches: tiles * rows,
        output_dim: output,
        resampler: None,
    }
}

fn resampler_of(resampler: &ResamplerConfig, dim: u64) -> Resampler {
    let norm = norm_vectors(resampler.norm);
    let head = resampler
        .head_dim
        .map_or(dim / resampler.num_heads as u64, |head| head as u64);
    let qk = if resampler.qk_norm { 2 * head } else { 0 };
    Resampler {
        num_latents: resampler.num_latents as u64,
        num_layers: resampler.num_layers as u64,
        inner_dim: resampler.num_heads as u64 * head,
        feed_forward: FeedForward {
            width: resampler.ff_dim as u64,
            matrices: matrices(resampler.ff),
        },
        layer_vectors: norm * (3 * dim + qk),
        extra: resampler.num_latents as u64 * dim + norm * dim,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::count::{image_flops, matrix_work, score_flops};
    use avocet_config::preset;

    #[test]
    fn the_planner_and_the_network_count_the_same_work() {
        for name in ["mini", "gpt4"] {
            let config = preset(name).unwrap();
            let shape = ModelShape::from(&config);
            let theirs = avocet_config::text_flops(&config, 1, 0);
            // A token alone, without images: cross-attention is its feed-forward only.
            let attention = config.cross_attention.as_ref().map_or(0, |cross| {
                config.num_cross_layers()
                    * 2
                    * config.decoder.dim
                    * cross.num_heads
                    * cross.head_dim
            });
            let ours = 2.0 * (matrix_work(&shape) - attention as f64) + score_flops(&shape, 1.0);
            assert!(
                (ours / theirs - 1.0).abs() < 1e-9,
                "{name}: {ours} {theirs}"
            );
        }
        let config = preset("mini").unwrap();
        // The planner takes every picture as large as the model allows.
        let patches = config.vision.as_ref().unwrap().max_patches;
        let theirs = avocet_config::vision_flops(&config, &[(16, patches / 16)]);
        let ours = image_flops(&ModelShape::from(&config));
        assert!(
            (ours / theirs - 1.0).abs() < 0.2,
            "the stem's positions: {ours} {theirs}"
        );
    }
}
