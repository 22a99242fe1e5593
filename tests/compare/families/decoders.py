"""Text decoders of transformers: dense, mixture-of-experts, ALiBi and parallel-residual."""

import torch
from transformers import AutoConfig, AutoModelForCausalLM, AutoTokenizer, GenerationConfig

from . import vocabularies as vocab
from .case import Case, Reference, Request, RoutingWatch
from .weights import randomise

TEXTS = [
    Request("plain", "The quick brown fox jumps over 13 lazy dogs."),
    Request("bytes", "  Näive café № 7\n\tsays: “日本” and 🙂!\n\n"),
]
CHAT = (
    "{% for message in messages %}{{ '<|' + message['role'] + '|>\n' + message['content'] + '\n' }}"
    "{% endfor %}{% if add_generation_prompt %}{{ '<|assistant|>\n' }}{% endif %}"
)

BASE = dict(
    hidden_size=32,
    intermediate_size=48,
    num_hidden_layers=2,
    num_attention_heads=4,
    max_position_embeddings=256,
)
SCALED = {
    "rope_type": "llama3",
    "factor": 8.0,
    "low_freq_factor": 1.0,
    "high_freq_factor": 4.0,
    "original_max_position_embeddings": 32,
}
LONGROPE = {
    "type": "longrope",
    "short_factor": [1.0, 1.1, 1.25, 1.5],
    "long_factor": [1.0, 1.6, 2.4, 4.0],
    "short_mscale": 1.24,
    "long_mscale": 1.31,
    "original_max_position_embeddings": 128,
}


class TextReference(Reference):
    """A causal language model read back from its folder."""

    def __init__(self, folder, watch=None):
        self.model = AutoModelForCausalLM.from_pretrained(
            folder, attn_implementation="eager", torch_dtype=torch.float32
        ).eval()
        self.tokenizer = AutoTokenizer.from_pretrained(folder)
        self.special_ids = frozenset(self.tokenizer.all_special_ids)
        self.watch = RoutingWatch(self.model, **watch) if watch else None

    def encode(self, request, paths):
        ids = self.tokenizer(request.text)["input_ids"]
        from_file = self.tokenizer.backend_tokenizer.encode(request.text).ids
        assert ids == from_file, "tokenizer.json alone must give the same tokens"
        return ids, None

    def logits(self, token_ids, _images):
        ids = torch.tensor([token_ids])
        mask = torch.ones_like(ids)
        return self.model(input_ids=ids, attention_mask=mask, use_cache=False).logits[0].float()


def save_model(model, folder, storage="safetensors", generation=None):
    """Saves the weights in one file, in shards with an index, or as pytorch_model.bin."""
    if generation:
        model.generation_config = GenerationConfig(**generation)
    if storage == "bin":
        model.save_pretrained(folder, safe_serialization=False)
    elif storage == "sharded":
        model.save_pretrained(folder, max_shard_size="60KB")
        assert (folder / "model.safetensors.index.json").exists()
    else:
        model.save_pretrained(folder)


def make_decoder(folder, seed, model_type, tokenizer, config, token_config, storage="safetensors"):
    """Writes a whole model folder of this type with random weights."""
    folder.mkdir(exist_ok=True)
    vocab.save(tokenizer, token_config, folder, chat_template=CHAT)
    ids = {
        f"{role}_token_id": tokenizer.token_to_id(token_config[f"{role}_token"])
        for role in ("bos", "eos")
        if token_config.get(f"{role}_token")
    }
    size = tokenizer.get_vocab_size()
    built = AutoConfig.for_model(
        model_type, vocab_size=size, pad_token_id=None, torch_dtype="float32", **ids, **config
    )
    model = AutoModelForCausalLM.from_config(built, attn_implementation="eager").eval()
    randomise(model, seed, tied=built.tie_word_embeddings)
    model.tie_weights()
    save_model(model, folder, storage, {**ids, "do_sample": False})


def decoder(name, family, model_type, form, config, watch=None, storage="safetensors", **extra):
    make_tokenizer, token_config = form

    def build(folder, seed):
        make_decoder(folder, seed, model_type, make_tokenizer(), config, token_config, storage)
        return TextReference(folder, watch)

    return Case(name, family, build, TEXTS, **extra)


LLAMA = (vocab.llama, vocab.LLAMA_CONFIG)
LLAMA3 = (vocab.llama3, vocab.LLAMA3_CONFIG)
PHI = (vocab.phi, vocab.PHI_CONFIG)
NEOX = (vocab.neox, vocab.NEOX_CONFIG)
GRANITE = (vocab.granite, vocab.GRANITE_CONFIG)
QWEN = (vocab.qwen2, vocab.QWEN2_CONFIG)


def moe(top_k=2, **more):
    return BASE | dict(num_experts_per_tok=top_k, num_key_value_heads=2) | more


def golden_moe(**more):
    return moe(**({"hidden_size": 16, "intermediate_size": 16} | more))


def llama_cases():
    def case(name, form=LLAMA, golden=False, storage="safetensors", **more):
        return decoder(name, "llama", "llama", form, BASE | more, golden=golden, storage=storage)

    gqa = dict(num_key_value_heads=2)
    return [
        case("llama", golden=True, num_key_value_heads=4, rms_norm_eps=1e-6, hidden_size=24),
        case(
            "llama_gqa_scaled",
            LLAMA3,
            golden=True,
            rope_scaling=SCALED,
            rope_theta=500000.0,
            tie_word_embeddings=True,
            **gqa,
        ),
        case("llama_mqa", num_key_value_heads=1),
        case("llama_attention_bias", attention_bias=True, **gqa),
        case("llama_wide_heads", LLAMA3, head_dim=16, **gqa),
        case("llama_sharded", storage="sharded", **gqa),
        case("llama_bin", storage="bin", **gqa),
    ]


def moe_cases():
    return [
        decoder(
            "mixtral",
            "mixtral",
            "mixtral",
            LLAMA,
            golden_moe(num_local_experts=4, rope_theta=1e6, sliding_window=None),
            dict(top_k=2),
            golden=True,
        ),
        decoder(
            "mixtral_sharded",
            "mixtral",
            "mixtral",
            LLAMA,
            moe(num_local_experts=8, rope_theta=1e6, sliding_window=None),
            dict(top_k=2),
            storage="sharded",
        ),
        decoder(
            "phimoe",
            "phimoe",
            "phimoe",
            PHI,
            golden_moe(
                num_local_experts=4,
                num_attention_heads=2,
                num_key_value_heads=1,
                attention_bias=True,
                lm_head_bias=True,
                rope_scaling=LONGROPE,
                rope_theta=10000.0,
                router_jitter_noise=0.01,
            ),
            dict(top_k=2, jitter=0.01),
            golden=True,
        ),
        decoder(
            "phimoe_wide_jitter",
            "phimoe",
            "phimoe",
            PHI,
            moe(num_local_experts=8, router_jitter_noise=0.2, rope_theta=10000.0),
            dict(top_k=2, jitter=0.2),
            note="a jitter of 0.2 keeps more experts inside either softmax",
        ),
        decoder(
            "olmoe",
            "olmoe",
            "olmoe",
            NEOX,
            golden_moe(num_experts=6, top_k=3, num_key_value_heads=4),
            dict(top_k=3),
            golden=True,
        ),
        decoder(
            "olmoe_normalised",
            "olmoe",
            "olmoe",
            NEOX,
            moe(top_k=2, num_experts=8, norm_topk_prob=True, clip_qkv=1.0),
            dict(top_k=2),
        ),
        decoder(
            "granitemoe",
            "granitemoe",
            "granitemoe",
            GRANITE,
            golden_moe(
                num_local_experts=6,
                tie_word_embeddings=True,
                embedding_multiplier=3.0,
                logits_scaling=0.5,
                residual_multiplier=0.7,
                attention_multiplier=0.4,
            ),
            dict(top_k=2),
            golden=True,
        ),
        decoder(
            "qwen2_moe",
            "qwen2_moe",
            "qwen2_moe",
            QWEN,
            golden_moe(
                num_experts=5,
                moe_intermediate_size=12,
                shared_expert_intermediate_size=24,
                num_key_value_heads=4,
            ),
            dict(top_k=2),
            golden=True,
        ),
        decoder(
            "qwen2_moe_mixed",
            "qwen2_moe",
            "qwen2_moe",
            QWEN,
            moe(
                num_experts=6,
                num_hidden_layers=4,
                moe_intermediate_size=24,
                shared_expert_intermediate_size=40,
                decoder_sparse_step=2,
                mlp_only_layers=[3],
                norm_topk_prob=True,
            ),
            dict(top_k=2),
            note="dense layers between the mixtures",
        ),
        decoder(
            "qwen3_moe",
            "qwen3_moe",
            "qwen3_moe",
            QWEN,
            golden_moe(num_experts=6, moe_intermediate_size=12, norm_topk_prob=True, head_dim=8),
            dict(top_k=2),
            golden=True,
        ),
        decoder(
            "qwen3_moe_plain",
            "qwen3_moe",
            "qwen3_moe",
            QWEN,
            moe(num_experts=8, moe_intermediate_size=24, norm_topk_prob=False, head_dim=16),
            dict(top_k=2),
        ),
        decoder(
            "qwen3",
            "qwen3",
            "qwen3",
            QWEN,
            BASE | dict(num_key_value_heads=2, head_dim=16, tie_word_embeddings=True),
        ),
    ]


def mpt_config(**attention):
    return dict(
        d_model=24,
        n_heads=3,
        n_layers=2,
        max_seq_len=256,
        attn_config={"alibi": True, "alibi_bias_max": 8, "attn_impl": "torch"} | attention,
        no_bias=True,
        learned_pos_emb=False,
    )


def neox_config(**more):
    return BASE | dict(intermediate_size=64, rotary_pct=0.25, rotary_emb_base=10000) | more


def other_cases():
    return [
        decoder("mpt", "mpt", "mpt", NEOX, mpt_config(), golden=True),
        decoder(
            "mpt_clipped",
            "mpt",
            "mpt",
            NEOX,
            mpt_config(clip_qkv=1.0) | dict(d_model=32, n_heads=4),
        ),
        decoder(
            "gpt_neox",
            "gpt_neox",
            "gpt_neox",
            NEOX,
            neox_config(
                hidden_size=24, num_attention_heads=3, rotary_pct=0.5, use_parallel_residual=True
            ),
            golden=True,
        ),
        decoder(
            "gpt_neox_sequential",
            "gpt_neox",
            "gpt_neox",
            NEOX,
            neox_config(use_parallel_residual=False, rotary_pct=1.0),
            note="as RedPajama-INCITE-3B",
        ),
        decoder(
            "gpt_neox_bin",
            "gpt_neox",
            "gpt_neox",
            NEOX,
            neox_config(tie_word_embeddings=True, rotary_pct=0.5),
            storage="bin",
        ),
    ]


CASES = llama_cases() + moe_cases() + other_cases()
