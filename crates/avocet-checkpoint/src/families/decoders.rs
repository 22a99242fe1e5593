//! Public text decoders, from their `config.json` alone.

use super::fields::Fields;
use super::names;
use super::rope::{context, scaling, theta, turning};
use crate::error::Result;
use crate::parameters::Section;
use avocet_config::{
    AttentionConfig, DecoderConfig, FeedForwardKind, MoeConfig, Multipliers, NormKind, QkNorm,
    RopeConfig, Routing,
};
use std::collections::BTreeSet;

/// A decoder's shape, and where its parameters are.
pub(super) struct DecoderFamily {
    pub config: DecoderConfig,
    pub names: &'static [Section],
}

/// Context where a configuration does not say one.
const DEFAULT_CONTEXT: usize = 2048;

/// The families of decoders that are read.
pub(super) const KNOWN: &str = "llama, mistral, mixtral, phimoe, olmoe, granite, granitemoe, qwen2, qwen3, qwen2_moe, \
     qwen3_moe, mpt, mosaic_gpt, gpt_neox";

/// The decoder that `fields` describe; `None` if its `model_type` is no decoder that is read.
pub(super) fn read(fields: &Fields) -> Result<Option<DecoderFamily>> {
    let kind = fields.text_or("model_type", "")?;
    let config = match kind.as_str() {
        "llama" | "mistral" | "granite" | "qwen2" | "qwen3" => dense(fields, &kind)?,
        "mixtral" | "phimoe" | "olmoe" | "granitemoe" | "qwen2_moe" | "qwen3_moe" => {
            experts(fields, &kind)?
        }
        "mpt" | "mosaic_gpt" => {
            return Ok(Some(DecoderFamily {
                config: mpt(fields)?,
                names: names::MPT,
            }));
        }
        "gpt_neox" => {
            return Ok(Some(DecoderFamily {
                config: gpt_neox(fields)?,
                names: names::NEOX,
            }));
        }
        _ => return Ok(None),
    };
    Ok(Some(DecoderFamily {
        config,
        names: names::LLAMA,
    }))
}

/// What all decoders named as Llama's share; `fields` are those of the decoder.
pub(super) fn llama(fields: &Fields) -> Result<DecoderConfig> {
    let dim = fields.width("hidden_size")?;
    let num_heads = fields.size("num_attention_heads")?;
    if fields.text_or("hidden_act", "silu")? != "silu" {
        return Err(fields.refuse("hidden_act", "only silu is computed"));
    }
    let unsaid = match fields.text_or("model_type", "")?.as_str() {
        "qwen3" if !fields.is_there("head_dim") => 128,
        _ => dim / num_heads.max(1),
    };
    let head_dim = fields.size_or("head_dim", unsaid)?;
    let bias = fields.flag_or("attention_bias", false)?;
    let scaling = scaling(fields, head_dim)?;
    let max_position = fields.size_or("max_position_embeddings", DEFAULT_CONTEXT)?;
    Ok(DecoderConfig {
        vocab_size: fields.width("vocab_size")?,
        dim,
        num_layers: fields.layers("num_hidden_layers")?,
        num_heads,
        num_kv_heads: kv_heads(fields, num_heads)?,
        head_dim,
        rope_theta: theta(fields, 10_000.0)?,
        max_context: context(max_position, scaling.as_ref()),
        norm_eps: fields.number_or("rms_norm_eps", 1e-6)?,
        tied_embeddings: fields.flag_or("tie_word_embeddings", false)?,
        ff_dim: Some(fields.size("intermediate_size")?),
        attention: AttentionConfig {
            bias,
            output_bias: bias,
            ..AttentionConfig::default()
        },
        rope: RopeConfig {
            scaling,
            ..RopeConfig::default()
        },
        ..plain()
    })
}

/// Key/value heads. Files of some families leave out what their first release has; null always
/// stands for as many as there are query heads.
fn kv_heads(fields: &Fields, num_heads: usize) -> Result<usize> {
    const FIELD: &str = "num_key_value_heads";
    let unsaid = match fields.text_or("model_type", "")?.as_str() {
        _ if fields.is_there(FIELD) => num_heads,
        "mistral" | "mixtral" | "phimoe" | "mllama_text_model" => 8,
        "qwen2" | "qwen3" => 32,
        "qwen2_moe" => 16,
        "qwen3_moe" => 4,
        _ => num_heads,
    };
    fields.size_or(FIELD, unsaid)
}

/// Llama's ways without any sizes, from which every other decoder departs in what it says itself.
pub(super) fn plain() -> DecoderConfig {
    DecoderConfig {
        vocab_size: 0,
        dim: 0,
        num_layers: 0,
        num_heads: 0,
        num_kv_heads: 0,
        head_dim: 0,
        rope_theta: 10_000.0,
        max_context: DEFAULT_CONTEXT,
        norm_eps: 1e-5,
        tied_embeddings: false,
        ff_dim: None,
        norm: NormKind::Rms,
        ff: FeedForwardKind::SwiGlu,
        ff_bias: false,
        parallel_residual: false,
        head_size: None,
        head_bias: false,
        dense_layers: Vec::new(),
        alibi_max_bias: None,
        attention: AttentionConfig::default(),
        rope: RopeConfig::default(),
        multipliers: Multipliers::default(),
        moe: None,
    }
}

/// A window that hides nothing within the context is none.
fn window(fields: &Fields, context: usize) -> Result<Option<usize>> {
    let window = fields.size_if_there("sliding_window")?;
    Ok(window.filter(|window| *window < context))
}

fn dense(fields: &Fields, kind: &str) -> Result<DecoderConfig> {
    let mut config = llama(fields)?;
    match kind {
        // Mistral's first release had a window; null, not its absence, says that there is none.
        "mistral" if !fields.is_there("sliding_window") => {
            config.attention.window = Some(4096).filter(|window| *window < config.max_context);
        }
        "mistral" => config.attention.window = window(fields, config.max_context)?,
        "granite" => config = granite(fields, config)?,
        "qwen2" => (config.attention.bias, config.attention.output_bias) = (true, false),
        "qwen3" => config.attention.qk_norm = Some(QkNorm::Head),
        _ => {}
    }
    if fields.flag_or("use_sliding_window", false)? {
        return Err(fields.refuse(
            "use_sliding_window",
            "windows of some layers are not computed",
        ));
    }
    Ok(config)
}

fn granite(fields: &Fields, mut config: DecoderConfig) -> Result<DecoderConfig> {
    config.multipliers = Multipliers {
        embedding: fields.number_or("embedding_multiplier", 1.0)?,
        residual: fields.number_or("residual_multiplier", 1.0)?,
        logits_divisor: fields.number_or("logits_scaling", 1.0)?,
    };
    config.attention.scale = Some(fields.number_or("attention_multiplier", 1.0)?);
    Ok(config)
}

fn experts(fields: &Fields, kind: &str) -> Result<DecoderConfig> {
    let mut config = llama(fields)?;
    let width = fields.size("intermediate_size")?;
    let mut moe = MoeConfig {
        num_experts: match kind {
            "mixtral" | "phimoe" | "granitemoe" => fields.size("num_local_experts")?,
            _ => fields.size("num_experts")?,
        },
        top_k: fields.size("num_experts_per_tok")?,
        expert_dim: width,
        capacity_factor: None,
        loss_free_bias: false,
        routing: Routing::Renormalized,
        shared_dim: None,
    };
    config.ff_dim = None;
    let plain = |renormalised: bool| match renormalised {
        true => Routing::Renormalized,
        false => Routing::Plain,
    };
    match kind {
        "mixtral" => {
            config.norm_eps = fields.number_or("rms_norm_eps", 1e-5)?;
            config.rope_theta = theta(fields, 1e6)?;
            config.attention.window = window(fields, config.max_context)?;
        }
        "phimoe" => {
            config.rope_theta = theta(fields, 1e6)?;
            config.norm = NormKind::Layer;
            config.norm_eps = fields.number_or("rms_norm_eps", 1e-5)?;
            config.head_bias = fields.flag_or("lm_head_bias", false)?;
            config.attention.window = window(fields, config.max_context)?;
            moe.routing = Routing::SparseMixer {
                jitter: fields.number_or("router_jitter_noise", 0.01)?,
            };
        }
        "olmoe" => {
            config.norm_eps = fields.number_or("rms_norm_eps", 1e-5)?;
            config.attention.qk_norm = Some(QkNorm::Full);
            config.attention.clip_qkv = fields.number_if_there("clip_qkv")?;
            moe.routing = plain(fields.flag_or("norm_topk_prob", false)?);
        }
        "granitemoe" => config = granite(fields, config)?,
        _ => {
            moe.expert_dim = fields.size("moe_intermediate_size")?;
            moe.routing = plain(fields.flag_or("norm_topk_prob", false)?);
            if kind == "qwen2_moe" {
                (config.attention.bias, config.attention.output_bias) =
                    (fields.flag_or("qkv_bias", true)?, false);
                moe.shared_dim = Some(fields.size("shared_expert_intermediate_size")?);
            } else {
                config.attention.qk_norm = Some(QkNorm::Head);
            }
            if fields.flag_or("use_sliding_window", false)? {
                return Err(fields.refuse(
                    "use_sliding_window",
                    "windows of some layers are not computed",
                ));
            }
            let step = fields.size_or("decoder_sparse_step", 1)?.max(1);
            let named: BTreeSet<usize> = fields.sizes("mlp_only_layers")?.into_iter().collect();
            let is_dense =
                |layer: &usize| named.contains(layer) || !(layer + 1).is_multiple_of(step);
            config.dense_layers = (0..config.num_layers).filter(is_dense).collect();
            config.ff_dim = (!config.dense_layers.is_empty()).then_some(width);
        }
    }
    config.moe = Some(moe);
    Ok(config)
}

fn mpt(fields: &Fields) -> Result<DecoderConfig> {
    let dim = fields.width("d_model")?;
    let num_heads = fields.size("n_heads")?;
    // The first models keep the settings of attention beside the others.
    let inner = fields.inner("attn_config")?;
    let attention = inner.as_ref().unwrap_or(fields);
    if !attention.flag_or("alibi", true)? {
        return Err(attention.refuse("alibi", "is false; learned positions are not computed"));
    }
    let kind = attention.text_or("attn_type", "multihead_attention")?;
    if kind != "multihead_attention" {
        return Err(attention.refuse(
            "attn_type",
            format!("is {kind:?}; multihead_attention is read"),
        ));
    }
    if !fields.flag_or("no_bias", true)? {
        return Err(fields.refuse("no_bias", "is false; no released model has biases"));
    }
    let expansion = fields.number_or("expansion_ratio", fields.number_or("mlp_ratio", 4.0)?)?;
    let qk_norm = attention.flag_or("qk_ln", false)? || fields.flag_or("attn_qk_ln", false)?;
    let clip_qkv = attention.number_if_there("clip_qkv")?.map_or_else(
        || fields.number_if_there("attn_clip_qkv"),
        |most| Ok(Some(most)),
    )?;
    if qk_norm && clip_qkv.is_some() {
        return Err(attention.refuse("clip_qkv", "stands beside qk_ln, which is not computed"));
    }
    let divisor = match fields.get("logit_scale") {
        None => 1.0,
        Some(value) if value == "inv_sqrt_d_model" => (dim as f64).sqrt(),
        Some(_) => fields.number_or("logit_scale", 1.0)?.recip(),
    };
    Ok(DecoderConfig {
        vocab_size: fields.width("vocab_size")?,
        dim,
        num_layers: fields.layers("n_layers")?,
        num_heads,
        num_kv_heads: num_heads,
        head_dim: dim / num_heads.max(1),
        rope_theta: 10_000.0,
        max_context: fields.size_or("max_seq_len", DEFAULT_CONTEXT)?,
        norm_eps: fields.number_or("layer_norm_epsilon", 1e-5)?,
        tied_embeddings: true,
        ff_dim: Some((dim as f64 * expansion) as usize),
        norm: NormKind::LayerUnbiased,
        ff: FeedForwardKind::Gelu,
        alibi_max_bias: Some(attention.number_or("alibi_bias_max", 8.0)?),
        attention: AttentionConfig {
            qk_norm: qk_norm.then_some(QkNorm::Full),
            clip_qkv,
            scale: attention.number_if_there("softmax_scale")?,
            ..AttentionConfig::default()
        },
        multipliers: Multipliers {
            logits_divisor: divisor,
            ..Multipliers::default()
        },
        ..plain()
    })
}

fn gpt_neox(fields: &Fields) -> Result<DecoderConfig> {
    let dim = fields.width("hidden_size")?;
    let num_heads = fields.size("num_attention_heads")?;
    let head_dim = dim / num_heads.max(1);
    let turning = turning(fields, head_dim, "rotary_pct", 0.25)?;
    let bias = fields.flag_or("attention_bias", true)?;
    let ff = match fields.text_or("hidden_act", "gelu")?.as_str() {
        "gelu" => FeedForwardKind::Gelu,
        "gelu_new" | "gelu_fast" | "gelu_pytorch_tanh" => FeedForwardKind::GeluTanh,
        "relu" => FeedForwardKind::Relu,
        other => return Err(fields.refuse("hidden_act", format!("is {other:?}"))),
    };
    let theta = theta(fields, fields.number_or("rotary_emb_base", 10_000.0)?)?;
    let scaling = scaling(fields, turning)?;
    let max_position = fields.size_or("max_position_embeddings", DEFAULT_CONTEXT)?;
    Ok(DecoderConfig {
        vocab_size: fields.width("vocab_size")?,
        dim,
        num_layers: fields.layers("num_hidden_layers")?,
        num_heads,
        num_kv_heads: num_heads,
        head_dim,
        rope_theta: theta,
        max_context: context(max_position, scaling.as_ref()),
        norm_eps: fields.number_or("layer_norm_eps", 1e-5)?,
        tied_embeddings: fields.flag_or("tie_word_embeddings", false)?,
        ff_dim: Some(fields.size("intermediate_size")?),
        norm: NormKind::Layer,
        ff,
        ff_bias: true,
        parallel_residual: fields.flag_or("use_parallel_residual", true)?,
        attention: AttentionConfig {
            bias,
            output_bias: bias,
            ..AttentionConfig::default()
        },
        rope: RopeConfig {
            dims: (turning != head_dim).then_some(turning),
            scaling,
            ..RopeConfig::default()
        },
        ..plain()
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};
    use std::fs;
    use std::path::Path;

    fn decoder(settings: &Value) -> DecoderConfig {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("config.json");
        fs::write(&path, settings.to_string()).unwrap();
        read(&Fields::read(&path).unwrap()).unwrap().unwrap().config
    }

    #[test]
    fn files_of_both_generations_say_how_much_of_a_head_turns() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/golden/families");
        let bytes = fs::read(root.join("gpt_neox/model/config.json")).unwrap();
        let mut settings: Value = serde_json::from_slice(&bytes).unwrap();
        let older = decoder(&settings);
        assert_eq!(older.rope.dims, Some(4));
        let fields = settings.as_object_mut().unwrap();
        for name in [
            "partial_rotary_factor",
            "rope_scaling",
            "rope_theta",
            "rotary_emb_base",
            "rotary_pct",
        ] {
            fields.remove(name).unwrap();
        }
        // As version 5 of the transformers library writes them.
        let rope =
            json!({"partial_rotary_factor": 0.5, "rope_theta": 10000, "rope_type": "default"});
        fields.insert("rope_parameters".to_owned(), rope);
        assert_eq!(decoder(&settings), older);
    }
}
