//! GGUF files: decoders with their tokenizer, in llama.cpp's names.

use super::decoders::plain;
use super::family::{Family, decoder_alone};
use super::names;
use super::rope;
use crate::error::Result;
use crate::formats::gguf::{Gguf, Metadata, open_all};
use crate::interface::{GgufSpeech, Interface, Speech};
use crate::layout::name_of;
use crate::tensors::Store;
use avocet_config::{
    AttentionConfig, DecoderConfig, MoeConfig, Multipliers, QkNorm, RopeConfig, RopeScaling,
    Routing,
};
use avocet_kernels::HOST;
use candle_core::DType;
use std::collections::BTreeMap;
use std::path::Path;

/// Context of a file that does not say.
const UNSAID_CONTEXT: usize = 2048;

/// What divides the frequency of each rotary pair: llama.cpp's form of Llama 3.1's scaling.
const FREQUENCY_FACTORS: &str = "rope_freqs.weight";

fn frequency_factors(parts: &[Gguf]) -> Result<Option<Vec<f64>>> {
    for part in parts {
        if let Some(factors) = part.tensor(FREQUENCY_FACTORS, &HOST)? {
            let factors = factors.to_dtype(DType::F64)?.flatten_all()?.to_vec1()?;
            return Ok(Some(factors));
        }
    }
    Ok(None)
}

/// The model in the file `path`, and in those beside it that are parts of the same.
pub(super) fn read(path: &Path) -> Result<Family> {
    let parts = open_all(path)?;
    let metadata = Metadata::new(path, parts[0].metadata());
    let tensors = parts.iter().flat_map(Gguf::tensors);
    let tensors: BTreeMap<String, Vec<usize>> = tensors.map(|t| (t.name, t.shape)).collect();
    let mut decoder = decoder(&metadata, &tensors)?;
    if let Some(factors) = frequency_factors(&parts)? {
        if decoder.rope.scaling.is_some() {
            let reason = "stands beside rope.scaling.type";
            return Err(metadata.refuse(FREQUENCY_FACTORS, reason));
        }
        decoder.rope.scaling = Some(RopeScaling::Long {
            short_factors: factors.clone(),
            long_factors: factors,
            short_magnitude: 1.0,
            long_magnitude: 1.0,
            original_max_position: decoder.max_context,
        });
    }
    let speech = GgufSpeech::read(path, &metadata)?;
    let name = metadata.text("general.name")?;
    Ok(Family {
        name: "GGUF",
        config: decoder_alone(name.unwrap_or_else(|| name_of(path)), decoder),
        store: Store::gguf(path, parts)?,
        names: names::GGUF.to_vec(),
        interface: Interface {
            processor: None,
            speech: Speech::Gguf(Box::new(speech)),
        },
    })
}

fn decoder(
    metadata: &Metadata<'_>,
    tensors: &BTreeMap<String, Vec<usize>>,
) -> Result<DecoderConfig> {
    const ARCHITECTURE: &str = "general.architecture";
    let architecture = metadata.text(ARCHITECTURE)?.unwrap_or_default();
    let known = [
        "llama",
        "qwen2",
        "qwen3",
        "qwen2moe",
        "qwen3moe",
        "olmoe",
        "granite",
        "granitemoe",
    ];
    if !known.contains(&architecture.as_str()) {
        let reason = format!("is {architecture:?}; {} are read", known.join(", "));
        return Err(metadata.refuse(ARCHITECTURE, reason));
    }
    let key = |name: &str| format!("{architecture}.{name}");
    let dim = metadata.need(&key("embedding_length"))?;
    let num_heads = metadata.need(&key("attention.head_count"))?;
    let num_kv_heads = metadata
        .size(&key("attention.head_count_kv"))?
        .unwrap_or(num_heads);
    let head_dim = metadata
        .size(&key("attention.key_length"))?
        .unwrap_or(dim / num_heads.max(1));
    let rows = |name: &str| tensors.get(name).and_then(|shape| shape.first().copied());
    let Some(vocab_size) = rows("token_embd.weight") else {
        return Err(metadata.refuse("token_embd.weight", "is missing"));
    };
    let num_experts = metadata.size(&key("expert_count"))?.unwrap_or(0);
    let ff_dim = metadata.size(&key("feed_forward_length"))?;
    // Only these two have their rotary pairs rearranged to be neighbours.
    let interleaved = matches!(architecture.as_str(), "llama" | "granite" | "granitemoe");
    let turning = metadata
        .size(&key("rope.dimension_count"))?
        .unwrap_or(head_dim);
    let has = |name: &str| tensors.contains_key(name);
    let moe = match num_experts {
        0 => None,
        _ => Some(mixture(
            metadata,
            &architecture,
            num_experts,
            ff_dim,
            tensors,
        )?),
    };
    let qk_norm = match (
        rows("blk.0.attn_q_norm.weight"),
        num_heads.checked_mul(head_dim),
    ) {
        (None, _) => None,
        (Some(width), full) if Some(width) == full && width != head_dim => Some(QkNorm::Full),
        (Some(_), _) => Some(QkNorm::Head),
    };
    let multiplier =
        |name: &str| -> Result<f64> { Ok(metadata.number(&key(name))?.unwrap_or(1.0)) };
    let scaling = scaling(metadata, &architecture)?;
    let max_position = metadata.size(&key("context_length"))?;
    let max_position = max_position.unwrap_or(UNSAID_CONTEXT);
    Ok(DecoderConfig {
        vocab_size,
        dim,
        num_layers: metadata.need(&key("block_count"))?,
        num_heads,
        num_kv_heads,
        head_dim,
        rope_theta: metadata.number(&key("rope.freq_base"))?.unwrap_or(10_000.0),
        max_context: rope::context(max_position, scaling.as_ref()),
        norm_eps: metadata
            .number(&key("attention.layer_norm_rms_epsilon"))?
            .unwrap_or(1e-5),
        tied_embeddings: !has("output.weight"),
        ff_dim: if moe.is_some() { None } else { ff_dim },
        attention: AttentionConfig {
            bias: has("blk.0.attn_q.bias"),
            output_bias: has("blk.0.attn_output.bias"),
            qk_norm,
            scale: metadata.number(&key("attention.scale"))?,
            ..AttentionConfig::default()
        },
        rope: RopeConfig {
            dims: (turning != head_dim).then_some(turning),
            interleaved,
            scaling,
        },
        multipliers: Multipliers {
            embedding: multiplier("embedding_scale")?,
            residual: multiplier("residual_scale")?,
            logits_divisor: multiplier("logit_scale")?,
        },
        moe,
        ..plain()
    })
}

fn scaling(metadata: &Metadata<'_>, architecture: &str) -> Result<Option<RopeScaling>> {
    let key = |name: &str| format!("{architecture}.rope.scaling.{name}");
    let number = |name: &str| metadata.number(&key(name));
    let factor = number("factor")?.unwrap_or(1.0);
    match metadata.text(&key("type"))?.as_deref() {
        None | Some("none") => Ok(None),
        Some("linear") => Ok(Some(RopeScaling::Linear { factor })),
        Some("yarn") => {
            let original = metadata.size(&key("original_context_length"))?;
            let trained = metadata.size(&format!("{architecture}.context_length"))?;
            let given = number("yarn_attn_factor")?.or(number("attn_factor")?);
            Ok(Some(RopeScaling::Yarn {
                factor,
                beta_fast: number("yarn_beta_fast")?.unwrap_or(rope::BETA_FAST),
                beta_slow: number("yarn_beta_slow")?.unwrap_or(rope::BETA_SLOW),
                truncate: true,
                magnitude: given.unwrap_or(1.0) * rope::attention_factor(factor, 1.0),
                original_max_position: original.or(trained).unwrap_or(UNSAID_CONTEXT),
            }))
        }
        Some(other) => {
            let reason = format!("is {other:?}; linear and yarn are computed");
            Err(metadata.refuse(&key("type"), reason))
        }
    }
}

fn mixture(
    metadata: &Metadata<'_>,
    architecture: &str,
    num_experts: usize,
    ff_dim: Option<usize>,
    tensors: &BTreeMap<String, Vec<usize>>,
) -> Result<MoeConfig> {
    let key = |name: &str| format!("{architecture}.{name}");
    let own = metadata.size(&key("expert_feed_forward_length"))?;
    let Some(expert_dim) = own.or(ff_dim) else {
        return Err(metadata.refuse(&key("expert_feed_forward_length"), "is missing"));
    };
    let shared = tensors
        .get("blk.0.ffn_gate_shexp.weight")
        .and_then(|shape| shape.first().copied());
    Ok(MoeConfig {
        num_experts,
        top_k: metadata.need(&key("expert_used_count"))?,
        expert_dim,
        capacity_factor: None,
        loss_free_bias: false,
        routing: match architecture {
            "olmoe" | "qwen2moe" => Routing::Plain,
            _ => Routing::Renormalized,
        },
        shared_dim: shared,
    })
}
