//! Where public files keep our parameters: one table a shape of names.
//!
//! See `parameters/mapping.rs` for how lines are read.

use crate::parameters::Section;

/// Decoders whose tensors are named as Llama's, dense or with experts. Where families differ, or
/// version 5 of the transformers library fused what was apart, the names stand one after another.
pub(super) const LLAMA: &[Section] = &[
    Section {
        ours: "decoder.layers.*",
        theirs: "model.layers.{0}",
        lines: &[
            ("attention_norm", "input_layernorm"),
            ("attention.query", "self_attn.q_proj"),
            ("attention.query_norm", "self_attn.q_norm"),
            ("attention.key", "self_attn.k_proj"),
            ("attention.key_norm", "self_attn.k_norm"),
            ("attention.value", "self_attn.v_proj"),
            ("attention.output", "self_attn.o_proj"),
            ("ff_norm", "post_attention_layernorm"),
            ("ff.gate_up", "mlp.gate_proj + mlp.up_proj"),
            ("ff.down", "mlp.down_proj"),
            ("moe_norm", "post_attention_layernorm"),
            (
                "moe.router.weight",
                "mlp.gate | block_sparse_moe.gate | block_sparse_moe.router.layer | mlp.router",
            ),
            (
                "moe.experts.gate_up",
                "mlp.experts.{e}.gate_proj + mlp.experts.{e}.up_proj \
                 | block_sparse_moe.experts.{e}.w1 + block_sparse_moe.experts.{e}.w3 \
                 | block_sparse_moe.input_linear \
                 | =mlp.experts.gate_up_proj \
                 | =block_sparse_moe.experts.gate_up_proj",
            ),
            (
                "moe.experts.down",
                "mlp.experts.{e}.down_proj \
                 | block_sparse_moe.experts.{e}.w2 \
                 | block_sparse_moe.output_linear \
                 | =mlp.experts.down_proj \
                 | =block_sparse_moe.experts.down_proj",
            ),
            ("moe.shared_score", "mlp.shared_expert_gate"),
            (
                "moe.shared.gate_up",
                "mlp.shared_expert.gate_proj + mlp.shared_expert.up_proj",
            ),
            ("moe.shared.down", "mlp.shared_expert.down_proj"),
        ],
    },
    Section {
        ours: "decoder",
        theirs: "",
        lines: &[
            ("embedding", "model.embed_tokens"),
            ("norm", "model.norm"),
            ("head", "lm_head"),
        ],
    },
];

/// MPT as the transformers library has it, and as the first OpenFlamingo's `mosaic_gpt` names it.
pub(super) const MPT: &[Section] = &[
    Section {
        ours: "decoder.layers.*",
        theirs: "transformer.blocks.{0}",
        lines: &[
            ("attention_norm", "norm_1 | ln_1"),
            ("attention.query", "attn.Wqkv[0/3]"),
            ("attention.key", "attn.Wqkv[1/3]"),
            ("attention.value", "attn.Wqkv[2/3]"),
            ("attention.query_norm", "attn.q_ln"),
            ("attention.key_norm", "attn.k_ln"),
            ("attention.output", "attn.out_proj"),
            ("ff_norm", "norm_2 | ln_2"),
            ("ff.up", "ffn.up_proj | mlp.mlp_up"),
            ("ff.down", "ffn.down_proj | mlp.mlp_down"),
        ],
    },
    Section {
        ours: "decoder",
        theirs: "transformer",
        lines: &[("embedding", "wte"), ("norm", "norm_f | ln_f")],
    },
];

/// GPT-NeoX: queries, keys and values of a head lie together.
pub(super) const NEOX: &[Section] = &[
    Section {
        ours: "decoder.layers.*",
        theirs: "gpt_neox.layers.{0}",
        lines: &[
            ("attention_norm", "input_layernorm"),
            (
                "attention.query",
                "attention.query_key_value[0/3 of {heads}]",
            ),
            ("attention.key", "attention.query_key_value[1/3 of {heads}]"),
            (
                "attention.value",
                "attention.query_key_value[2/3 of {heads}]",
            ),
            ("attention.output", "attention.dense"),
            ("ff_norm", "post_attention_layernorm"),
            ("ff.up", "mlp.dense_h_to_4h"),
            ("ff.down", "mlp.dense_4h_to_h"),
        ],
    },
    Section {
        ours: "decoder",
        theirs: "",
        lines: &[
            ("embedding", "gpt_neox.embed_in"),
            ("norm", "gpt_neox.final_layer_norm"),
            ("head", "embed_out"),
        ],
    },
];

/// GGUF, for every architecture that is read.
pub(super) const GGUF: &[Section] = &[
    Section {
        ours: "decoder.layers.*",
        theirs: "blk.{0}",
        lines: &[
            ("attention_norm", "attn_norm"),
            ("attention.query", "attn_q"),
            ("attention.query_norm", "attn_q_norm"),
            ("attention.key", "attn_k"),
            ("attention.key_norm", "attn_k_norm"),
            ("attention.value", "attn_v"),
            ("attention.output", "attn_output"),
            ("ff_norm", "ffn_norm"),
            ("ff.gate_up", "ffn_gate + ffn_up"),
            ("ff.down", "ffn_down"),
            ("moe_norm", "ffn_norm"),
            ("moe.router.weight", "ffn_gate_inp"),
            (
                "moe.experts.gate_up",
                "ffn_gate_exps[{e}/{experts}] + ffn_up_exps[{e}/{experts}]",
            ),
            ("moe.experts.down", "ffn_down_exps"),
            ("moe.shared_score", "ffn_gate_inp_shexp"),
            ("moe.shared.gate_up", "ffn_gate_shexp + ffn_up_shexp"),
            ("moe.shared.down", "ffn_down_shexp"),
        ],
    },
    Section {
        ours: "decoder",
        theirs: "",
        lines: &[
            ("embedding", "token_embd"),
            ("norm", "output_norm"),
            ("head", "output"),
        ],
    },
];

/// IDEFICS: the extra tokens, the gated layers and the resampler.
pub(super) const IDEFICS: &[Section] = &[
    Section {
        ours: "decoder",
        theirs: "",
        lines: &[
            (
                "embedding",
                "model.embed_tokens + model.embed_tokens.additional_embedding \
                 | model.embed_tokens",
            ),
            ("head", "lm_head + lm_head.additional_fc | lm_head"),
        ],
    },
    Section {
        ours: "cross_attention.*",
        theirs: "model.gated_cross_attn_layers.{0}",
        lines: &[
            ("norm", "input_layernorm"),
            ("query", "cross_attn.q_proj"),
            ("key", "cross_attn.k_proj"),
            ("value", "cross_attn.v_proj"),
            ("output", "cross_attn.o_proj"),
            ("query_norm", "cross_attn.q_layer_norm"),
            ("key_norm", "cross_attn.k_layer_norm"),
            ("attention_gate", "=alpha_cross_attn"),
            ("ff_gate", "=alpha_dense"),
            ("ff_norm", "post_attention_layernorm"),
            ("ff.gate_up", "mlp.gate_proj + mlp.up_proj"),
            ("ff.down", "mlp.down_proj"),
        ],
    },
    Section {
        ours: "resampler.layers.*",
        theirs: "model.perceiver_resampler.blocks.{0}",
        lines: &[
            ("image_norm", "0.context_layer_norm"),
            ("latent_norm", "0.latents_layer_norm"),
            ("query", "0.q_proj"),
            ("key", "0.k_proj"),
            ("value", "0.v_proj"),
            ("output", "0.output_proj"),
            ("query_norm", "0.q_layer_norm"),
            ("key_norm", "0.k_layer_norm"),
            ("ff_norm", "1.ln"),
            ("ff.up", "1.fc"),
            ("ff.down", "1.c_proj"),
        ],
    },
    Section {
        ours: "resampler",
        theirs: "model.perceiver_resampler",
        lines: &[("latents", "=latents"), ("norm", "layer_norm")],
    },
    CLIP_BLOCKS_OF_IDEFICS,
    CLIP_OF_IDEFICS,
];

/// The gated layers and resampler of OpenFlamingo. Its checkpoint names a gated layer by the
/// decoder layer it stands before; the tensors are renamed to count them.
pub(super) const FLAMINGO: &[Section] = &[
    Section {
        ours: "cross_attention.*",
        theirs: "gated.{0}",
        lines: &[
            ("norm", "attn.norm"),
            ("query", "attn.to_q"),
            ("key", "attn.to_kv[0/2]"),
            ("value", "attn.to_kv[1/2]"),
            ("output", "attn.to_out"),
            ("attention_gate", "=attn_gate"),
            ("ff_gate", "=ff_gate"),
            ("ff_norm", "ff.0"),
            ("ff.up", "ff.1"),
            ("ff.down", "ff.3"),
        ],
    },
    Section {
        ours: "resampler.layers.*",
        theirs: "perceiver.layers.{0}",
        lines: &[
            ("image_norm", "0.norm_media"),
            ("latent_norm", "0.norm_latents"),
            ("query", "0.to_q"),
            ("key", "0.to_kv[0/2]"),
            ("value", "0.to_kv[1/2]"),
            ("output", "0.to_out"),
            ("ff_norm", "1.0"),
            ("ff.up", "1.1"),
            ("ff.down", "1.3"),
        ],
    },
    Section {
        ours: "resampler",
        theirs: "perceiver",
        lines: &[("latents", "=latents"), ("norm", "norm")],
    },
];

const CLIP_LINES: &[(&str, &str)] = &[
    ("attention_norm", "layer_norm1"),
    ("attention.query", "self_attn.q_proj"),
    ("attention.key", "self_attn.k_proj"),
    ("attention.value", "self_attn.v_proj"),
    ("attention.output", "self_attn.out_proj"),
    ("ff_norm", "layer_norm2"),
    ("ff.up", "mlp.fc1"),
    ("ff.down", "mlp.fc2"),
];

const CLIP_REST: &[(&str, &str)] = &[
    ("patch", "embeddings.patch_embedding"),
    ("class_token", "=embeddings.class_embedding"),
    ("positions", "embeddings.position_embedding"),
    // The spelling is that of the public files.
    ("pre_norm", "pre_layrnorm | pre_layernorm"),
    ("post_norm", "post_layernorm"),
];

const CLIP_BLOCKS_OF_IDEFICS: Section = Section {
    ours: "vision.blocks.*",
    theirs: "model.vision_model.encoder.layers.{0}",
    lines: CLIP_LINES,
};

const CLIP_OF_IDEFICS: Section = Section {
    ours: "vision",
    theirs: "model.vision_model",
    lines: CLIP_REST,
};

/// CLIP's and SigLIP's towers as the transformers library names them.
pub(super) const CLIP: &[Section] = &[
    Section {
        ours: "vision.blocks.*",
        theirs: "vision_model.encoder.layers.{0}",
        lines: CLIP_LINES,
    },
    Section {
        ours: "vision",
        theirs: "vision_model",
        lines: CLIP_REST,
    },
];

/// CLIP's tower as open_clip names it.
pub(super) const OPEN_CLIP: &[Section] = &[
    Section {
        ours: "vision.blocks.*",
        theirs: "visual.transformer.resblocks.{0}",
        lines: &[
            ("attention_norm", "ln_1"),
            ("attention.query", "=attn.in_proj_weight[0/3]"),
            ("attention.key", "=attn.in_proj_weight[1/3]"),
            ("attention.value", "=attn.in_proj_weight[2/3]"),
            ("attention.query_bias", "=attn.in_proj_bias[0/3]"),
            ("attention.key_bias", "=attn.in_proj_bias[1/3]"),
            ("attention.value_bias", "=attn.in_proj_bias[2/3]"),
            ("attention.output", "attn.out_proj"),
            ("ff_norm", "ln_2"),
            ("ff.up", "mlp.c_fc"),
            ("ff.down", "mlp.c_proj"),
        ],
    },
    Section {
        ours: "vision",
        theirs: "visual",
        lines: &[
            ("patch", "conv1"),
            ("class_token", "=class_embedding"),
            ("positions", "=positional_embedding"),
            ("pre_norm", "ln_pre"),
        ],
    },
];

const TILED_LINES: &[(&str, &str)] = &[
    ("attention_norm", "input_layernorm"),
    ("attention.query", "self_attn.q_proj"),
    ("attention.key", "self_attn.k_proj"),
    ("attention.value", "self_attn.v_proj"),
    ("attention.output", "self_attn.o_proj"),
    ("attention_gate", "=gate_attn"),
    ("ff_norm", "post_attention_layernorm"),
    ("ff.up", "mlp.fc1"),
    ("ff.down", "mlp.fc2"),
    ("ff_gate", "=gate_ffn"),
];

/// Mllama's tower and cross-attention layers, after the latter are counted by themselves.
pub(super) const MLLAMA: &[Section] = &[
    Section {
        ours: "cross_attention.*",
        theirs: "cross.{0}",
        lines: &[
            ("norm", "input_layernorm"),
            ("query", "cross_attn.q_proj"),
            ("key", "cross_attn.k_proj"),
            ("value", "cross_attn.v_proj"),
            ("output", "cross_attn.o_proj"),
            ("query_norm", "cross_attn.q_norm"),
            ("key_norm", "cross_attn.k_norm"),
            ("attention_gate", "=cross_attn_attn_gate"),
            ("ff_gate", "=cross_attn_mlp_gate"),
            ("ff_norm", "post_attention_layernorm"),
            ("ff.gate_up", "mlp.gate_proj + mlp.up_proj"),
            ("ff.down", "mlp.down_proj"),
        ],
    },
    Section {
        ours: "vision.blocks.*",
        theirs: "vision_model.transformer.layers.{0}",
        lines: TILED_LINES,
    },
    Section {
        ours: "vision.global_blocks.*",
        theirs: "vision_model.global_transformer.layers.{0}",
        lines: TILED_LINES,
    },
    Section {
        ours: "vision",
        theirs: "vision_model",
        lines: &[
            ("patch", "patch_embedding"),
            ("class_token", "=class_embedding"),
            ("positions", "=gated_positional_embedding.embedding"),
            (
                "tile_positions",
                "gated_positional_embedding.tile_embedding",
            ),
            ("position_gate", "=gated_positional_embedding.gate"),
            (
                "pre_tile.embedding",
                "pre_tile_positional_embedding.embedding",
            ),
            ("pre_tile.gate", "=pre_tile_positional_embedding.gate"),
            (
                "post_tile.embedding",
                "post_tile_positional_embedding.embedding",
            ),
            ("post_tile.gate", "=post_tile_positional_embedding.gate"),
            ("norm_pre", "layernorm_pre"),
            ("norm_post", "layernorm_post"),
        ],
    },
    Section {
        ours: "vision",
        theirs: "",
        lines: &[("projector", "multi_modal_projector")],
    },
];

/// Tensors that public files carry and nothing needs: tables that are computed, masks, and what
/// follows a vision tower where text attends to its patches. A tensor that a family does use is
/// used all the same.
pub(crate) fn is_ignored(name: &str) -> bool {
    const ENDINGS: &[&str] = &[
        "rotary_emb.inv_freq",
        "rotary_emb.cos_cached",
        "rotary_emb.sin_cached",
        ".attention.bias",
        ".attention.masked_bias",
        ".position_ids",
        "attn_mask",
        "rope_freqs.weight",
        "rope_factors_long.weight",
        "rope_factors_short.weight",
        "visual.proj",
        "visual.ln_post.weight",
        "visual.ln_post.bias",
        "vision_model.post_layernorm.weight",
        "vision_model.post_layernorm.bias",
    ];
    ENDINGS.iter().any(|ending| name.ends_with(ending))
}
