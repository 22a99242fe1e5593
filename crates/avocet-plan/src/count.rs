//! Parameters and floating-point work, counted from the shape.

use serde::Serialize;

use crate::model::ModelShape;

/// Parameters by part; the names are those of `avocet inspect`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Count {
    /// Embedding table and output head.
    pub embedding: u64,
    /// Self-attention.
    pub attention: u64,
    /// Routers.
    pub router: u64,
    /// Experts.
    pub experts: u64,
    /// Dense feed-forward blocks, and experts that every token visits.
    pub feed_forward: u64,
    /// Norms of the decoder.
    pub norms: u64,
    /// Gated cross-attention.
    pub cross_attention: u64,
    /// The image tower.
    pub vision: u64,
    /// The resampler.
    pub resampler: u64,
    /// One expert over all layers.
    pub per_expert: u64,
    /// Parameters that one text token meets.
    pub active: u64,
}

impl Count {
    /// Counts a model.
    pub fn of(model: &ModelShape) -> Self {
        let (d, layers) = (model.dim, model.num_layers);
        let mixed = model.num_mixture_layers();
        let tables = if model.tied_embeddings { 1 } else { 2 };
        let mut count = Self {
            embedding: (model.vocab_size + (tables - 1) * model.num_outputs) * d
                + model.embedding_extra,
            attention: layers * (model.attention.matrix_parameters(d) + model.attention_vectors),
            norms: (layers * model.norms_per_layer + 1) * model.norm_vectors * d,
            ..Self::default()
        };
        if let Some(block) = &model.feed_forward {
            count.feed_forward +=
                (layers - mixed) * (block.parameters(d) + model.feed_forward_vectors);
        }
        let mut idle = 0;
        if let Some(mixture) = &model.mixture {
            count.router = mixed * mixture.num_experts * d;
            count.per_expert = mixed * mixture.expert.parameters(d);
            count.experts = mixture.num_experts * count.per_expert;
            idle = (mixture.num_experts - mixture.top_k) * count.per_expert;
            count.feed_forward +=
                mixed * (mixture.expert.matrices * mixture.shared_width * d + mixture.shared_gate);
        }
        if let Some(cross) = &model.cross {
            let latents = model.vision.map_or(d, |vision| vision.output_dim);
            let own = cross.num_heads * cross.head_dim;
            let one = 2 * d * own
                + 2 * latents * cross.num_kv_heads * cross.head_dim
                + cross.feed_forward.parameters(d)
                + cross.vectors;
            count.cross_attention = cross.num_layers * one;
        }
        if let Some(vision) = &model.vision {
            let block = 4 * vision.dim * vision.dim
                + vision.feed_forward.parameters(vision.dim)
                + vision.block_vectors;
            count.vision = vision.num_layers * block + vision.stem;
            if let Some(resampler) = &vision.resampler {
                let layer = 4 * vision.output_dim * resampler.inner_dim
                    + resampler.feed_forward.parameters(vision.output_dim)
                    + resampler.layer_vectors;
                count.resampler = resampler.num_layers * layer + resampler.extra;
            }
        }
        count.active = count.total() - idle - count.vision - count.resampler;
        count
    }

    /// All parameters.
    pub fn total(&self) -> u64 {
        self.by_part().iter().map(|(_, value)| value).sum()
    }

    /// Every part by its name.
    pub fn by_part(&self) -> [(&'static str, u64); 9] {
        [
            ("embedding", self.embedding),
            ("attention", self.attention),
            ("router", self.router),
            ("experts", self.experts),
            ("feed_forward", self.feed_forward),
            ("norms", self.norms),
            ("cross_attention", self.cross_attention),
            ("vision", self.vision),
            ("resampler", self.resampler),
        ]
    }
}

/// Multiply-adds of the matrices that one token meets, over two of which make a token's forward
/// work; the embedding is looked up, not multiplied with.
pub fn matrix_work(model: &ModelShape) -> f64 {
    let d = model.dim;
    let mixed = model.num_mixture_layers();
    let mut work = model.num_layers * model.attention.matrix_parameters(d) + d * model.num_outputs;
    if let Some(block) = &model.feed_forward {
        work += (model.num_layers - mixed) * block.parameters(d);
    }
    if let Some(mixture) = &model.mixture {
        let widths = mixture.top_k * mixture.expert.width + mixture.shared_width;
        work += mixed * d * (mixture.num_experts + mixture.expert.matrices * widths);
    }
    if let Some(cross) = &model.cross {
        work += cross.num_layers
            * (2 * d * cross.num_heads * cross.head_dim + cross.feed_forward.parameters(d));
    }
    work as f64
}

/// FLOP of a token's attention scores in a text of `tokens`, forward: a causal query sees half of
/// the keys on average.
pub fn score_flops(model: &ModelShape, tokens: f64) -> f64 {
    let keys = (tokens + 1.0) / 2.0;
    2.0 * keys * (model.num_layers * model.attention.score_work()) as f64
}

/// FLOP of one image in the tower, forward.
pub fn image_flops(model: &ModelShape) -> f64 {
    let Some(vision) = &model.vision else {
        return 0.0;
    };
    let (p, d) = (vision.max_patches as f64, vision.dim as f64);
    let block = vision.feed_forward.parameters(vision.dim) as f64 + 4.0 * d * d + 2.0 * p * d;
    2.0 * p * (vision.num_layers as f64 * block + vision.stem as f64 / p.max(1.0))
}

/// Model FLOP of training on one token: three times the forward work, scores included
/// (PaLM, arXiv:2204.02311, appendix B; a full square of scores where `full_square`, as
/// Megatron-LM counts, arXiv:2205.05198, equation 7).
pub(crate) fn training_flops(model: &ModelShape, tokens: f64, full_square: bool) -> f64 {
    let scores = score_flops(model, tokens) * if full_square { 2.0 } else { 1.0 };
    3.0 * (2.0 * matrix_work(model) + scores)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::known;

    #[test]
    fn published_totals_come_out() {
        let billions = |model: &ModelShape| Count::of(model).total() as f64 / 1e9;
        // Llama 3 405B, arXiv:2407.21783, and DeepSeek-V3, arXiv:2412.19437: 671 B, 37 B active.
        assert!((billions(&known::llama3_405b()) - 405.85).abs() < 0.01);
        let deepseek = Count::of(&known::deepseek_v3());
        assert!(
            (deepseek.total() as f64 / 1e9 - 671.0).abs() < 0.1,
            "{deepseek:?}"
        );
        assert!(
            (deepseek.active as f64 / 1e9 - 37.5).abs() < 1.0,
            "{deepseek:?}"
        );
        for (size, described) in [(22, 22.0), (175, 174.6), (530, 529.6), (1000, 1008.0)] {
            let model = known::megatron(size);
            assert!(
                (billions(&model) / described - 1.0).abs() < 0.01,
                "{}",
                model.name
            );
        }
    }

    #[test]
    fn megatrons_flop_formula_is_ours() {
        // arXiv:2205.05198, equation 7: 72 B s L h^2 (1 + s / (6 h) + V / (12 h L)).
        let model = known::megatron(175);
        let (s, l, h, v) = (2048.0, 96.0, 12288.0, 51200.0);
        let published = 72.0 * s * l * h * h * (1.0 + s / (6.0 * h) + v / (12.0 * h * l));
        let ours = s * training_flops(&model, s, true);
        assert!(
            (ours / published - 1.0).abs() < 1e-3,
            "{ours:e} {published:e}"
        );
    }
}
