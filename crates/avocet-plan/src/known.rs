//! Shapes of published models that are planned with but not loaded here.

use crate::model::{Attention, FeedForward, Mixture, ModelShape};

/// The names that [`by_name`] knows.
pub const NAMES: [&str; 6] = [
    "deepseek-v3",
    "llama-3-405b",
    "megatron-22b",
    "megatron-175b",
    "megatron-530b",
    "megatron-1t",
];

/// A published shape by its name.
pub fn by_name(name: &str) -> Option<ModelShape> {
    match name {
        "deepseek-v3" => Some(deepseek_v3()),
        "llama-3-405b" => Some(llama3_405b()),
        "megatron-22b" => Some(megatron(22)),
        "megatron-175b" => Some(megatron(175)),
        "megatron-530b" => Some(megatron(530)),
        "megatron-1t" => Some(megatron(1000)),
        _ => None,
    }
}

fn decoder(name: &str, dim: u64, num_layers: u64, vocab_size: u64, heads: Attention) -> ModelShape {
    ModelShape {
        name: name.into(),
        dim,
        num_layers,
        vocab_size,
        num_outputs: vocab_size,
        tied_embeddings: false,
        max_context: 8192,
        attention: heads,
        feed_forward: None,
        mixture: None,
        num_dense_layers: 0,
        norm_vectors: 1,
        norms_per_layer: 2,
        attention_vectors: 0,
        feed_forward_vectors: 0,
        embedding_extra: 0,
        cross: None,
        vision: None,
    }
}

/// The GPT models of Megatron-LM by their size in billions: 22, 175, 530 or 1000
/// (arXiv:2205.05198, table 3).
///
/// # Panics
///
/// On any other size.
pub(crate) fn megatron(billions: u64) -> ModelShape {
    let (name, num_heads, dim, layers) = match billions {
        22 => ("megatron-22b", 64, 6144, 48),
        175 => ("megatron-175b", 96, 12288, 96),
        530 => ("megatron-530b", 128, 20480, 105),
        1000 => ("megatron-1t", 160, 25600, 128),
        _ => panic!("no such model of Megatron-LM: {billions} B"),
    };
    let heads = Attention::Heads {
        num_heads,
        num_kv_heads: num_heads,
        head_dim: dim / num_heads,
    };
    ModelShape {
        tied_embeddings: true,
        max_context: 2048,
        feed_forward: Some(FeedForward {
            width: 4 * dim,
            matrices: 2,
        }),
        norm_vectors: 2,
        attention_vectors: 4 * dim,
        feed_forward_vectors: 5 * dim,
        embedding_extra: 2048 * dim,
        ..decoder(name, dim, layers, 51200, heads)
    }
}

/// Llama 3 405B (arXiv:2407.21783, table 3).
pub(crate) fn llama3_405b() -> ModelShape {
    let heads = Attention::Heads {
        num_heads: 128,
        num_kv_heads: 8,
        head_dim: 128,
    };
    ModelShape {
        feed_forward: Some(FeedForward {
            width: 53248,
            matrices: 3,
        }),
        ..decoder("llama-3-405b", 16384, 126, 128_256, heads)
    }
}

/// DeepSeek-V3 without its multi-token prediction module (arXiv:2412.19437, section 4.2).
pub(crate) fn deepseek_v3() -> ModelShape {
    let attention = Attention::Latent {
        num_heads: 128,
        query_rank: 1536,
        kv_rank: 512,
        rope_dim: 64,
        nope_dim: 128,
        value_dim: 128,
    };
    ModelShape {
        max_context: 131_072,
        feed_forward: Some(FeedForward {
            width: 18432,
            matrices: 3,
        }),
        mixture: Some(Mixture {
            num_experts: 256,
            top_k: 8,
            expert: FeedForward {
                width: 2048,
                matrices: 3,
            },
            shared_width: 2048,
            shared_gate: 0,
            groups: Some((8, 4)),
        }),
        num_dense_layers: 3,
        attention_vectors: 1536 + 512,
        ..decoder("deepseek-v3", 7168, 61, 129_280, attention)
    }
}

/// The described system, whose shape is `assets/configs/gpt4.toml`, for the tests of this crate.
#[cfg(test)]
pub(crate) fn described() -> ModelShape {
    let heads = Attention::Heads {
        num_heads: 168,
        num_kv_heads: 1,
        head_dim: 128,
    };
    ModelShape {
        mixture: Some(Mixture {
            num_experts: 16,
            top_k: 2,
            expert: FeedForward {
                width: 28_672,
                matrices: 3,
            },
            shared_width: 0,
            shared_gate: 0,
            groups: None,
        }),
        ..decoder("gpt4", 10_752, 120, 100_256, heads)
    }
}
