"""IDEFICS-1: gated cross-attention before every n-th LLaMA layer, with or without a resampler."""

import json

import torch
from PIL import Image
from transformers import IdeficsConfig, IdeficsForVisionText2Text, LlamaTokenizerFast
from transformers.models.idefics import processing_idefics as processing
from transformers.models.idefics.image_processing_idefics import (
    IDEFICS_STANDARD_MEAN,
    IDEFICS_STANDARD_STD,
    IdeficsImageProcessor,
)

from . import vocabularies as vocab
from .case import Case, Reference, Request
from .decoders import save_model
from .weights import randomise

SIDE = 30
FAKE = "<fake_token_around_image>"
ONE = f"{FAKE}<image>{FAKE}"
CHAT = (
    "{% for message in messages %}{{ message['role'].capitalize() + ': ' }}"
    "{% for part in message['content'] %}{{ part['text'] if part['type'] == 'text' else"
    " '<fake_token_around_image><image><fake_token_around_image>' }}{% endfor %}"
    "{{ '<end_of_utterance>\n' }}{% endfor %}"
    "{% if add_generation_prompt %}{{ 'Assistant:' }}{% endif %}"
)

REQUESTS = [
    Request("one", f"<s>User:{ONE}What is it?\nAssistant:", ("rgb-41x23-1.png",)),
    Request(
        "three",
        f"<s>The cat and {FAKE}<image>{FAKE}<image>{FAKE}the dog</s> again{ONE}sun",
        ("rgba-19x37-2.png", "rgb-33x33-3.png", "grey-27x50-4.png"),
    ),
]
MORE = [
    Request("no_resize", f"<s>{ONE}This is the house.", (f"rgb-{SIDE}x{SIDE}-5.png",)),
    Request("no_picture", "<s>The quick brown fox"),
    Request("palette", f"<s>In{ONE}there is", ("palette-64x45-6.png",)),
]

VISION = dict(
    embed_dim=16,
    image_size=SIDE,
    intermediate_size=24,
    patch_size=10,
    num_hidden_layers=2,
    num_attention_heads=2,
    hidden_act="gelu",
)
PERCEIVER = dict(
    use_resampler=True,
    resampler_n_latents=5,
    resampler_depth=2,
    resampler_n_heads=2,
    resampler_head_dim=12,
    qk_layer_norms_perceiver=True,
)
# Names of the early revisions, which have no nested configurations.
FLAT_VISION = {
    "embed_dim": "vision_embed_dim",
    "image_size": "vision_image_size",
    "intermediate_size": "vision_intermediate_size",
    "patch_size": "vision_patch_size",
    "num_hidden_layers": "vision_num_hidden_layers",
    "num_attention_heads": "vision_num_attention_heads",
    "hidden_act": "vision_hidden_act",
    "layer_norm_eps": "vision_layer_norm_eps",
}


class IdeficsReference(Reference):
    def __init__(self, folder):
        self.model = IdeficsForVisionText2Text.from_pretrained(
            folder, torch_dtype=torch.float32
        ).eval()
        self.tokenizer = LlamaTokenizerFast.from_pretrained(folder)
        self.image_processor = IdeficsImageProcessor.from_pretrained(folder)
        self.special_ids = frozenset(self.tokenizer.all_special_ids)

    def encode(self, request, paths):
        ids = self.tokenizer(request.text, add_special_tokens=False)["input_ids"]
        if not paths:
            return ids, None
        return ids, self.image_processor([Image.open(path) for path in paths])

    def logits(self, token_ids, images):
        ids = torch.tensor([token_ids])
        if images is None:
            images = torch.zeros(1, 3, SIDE, SIDE)
            mask = torch.zeros(1, len(token_ids), 1, dtype=torch.long)
        else:
            latest, _ = processing.image_attention_mask_for_packed_input_ids(
                ids, self.tokenizer, "pt"
            )
            mask = processing.incremental_to_binary_attention_mask(
                latest, "pt", num_classes=len(images)
            )
        output = self.model(
            input_ids=ids,
            attention_mask=torch.ones_like(ids),
            pixel_values=images[None],
            image_attention_mask=mask,
            use_cache=False,
        )
        return output.logits[0].float()

    def pixels(self, images):
        return images


def build(folder, seed, perceiver, flat, storage, more):
    added = [FAKE, "<image>", "<end_of_utterance>"][: more["additional_vocab_size"]]
    tokenizer = vocab.llama([vocab.special(token) for token in added])
    vocab.save(tokenizer, vocab.LLAMA_CONFIG, folder, CHAT, more_special=added)
    config = IdeficsConfig(
        vocab_size=tokenizer.get_vocab_size() - len(added),
        vision_config=VISION,
        perceiver_config=perceiver,
        use_resampler=perceiver["use_resampler"],
        torch_dtype="float32",
        freeze_lm_head=False,
        **more,
    )
    model = IdeficsForVisionText2Text(config).eval()
    randomise(model, seed)
    save_model(model, folder, storage, {"bos_token_id": 1, "eos_token_id": 2, "pad_token_id": 0})
    IdeficsImageProcessor(
        image_size=SIDE, image_mean=IDEFICS_STANDARD_MEAN, image_std=IDEFICS_STANDARD_STD
    ).save_pretrained(folder)
    reference = IdeficsReference(folder)
    if flat:
        flatten_config(folder / "config.json")
    return reference


def flatten_config(path):
    """Rewrites a configuration as the first revisions on the hub have it."""
    config = json.loads(path.read_text())
    vision = config.pop("vision_config")
    config |= {flat: vision[name] for name, flat in FLAT_VISION.items() if name in vision}
    perceiver = config.pop("perceiver_config")
    config |= {name: value for name, value in perceiver.items() if name in PERCEIVER}
    path.write_text(json.dumps(config, indent=2) + "\n")


def case(name, golden=False, perceiver=PERCEIVER, flat=False, storage="safetensors", **more):
    sizes = dict(
        hidden_size=32,
        intermediate_size=40,
        num_hidden_layers=4,
        num_attention_heads=4,
        cross_layer_interval=2,
        additional_vocab_size=2,
        qk_layer_norms=True,
        alpha_type="float",
    )
    sizes |= more
    return Case(
        name,
        "idefics",
        lambda folder, seed: build(folder, seed, perceiver, flat, storage, sizes),
        REQUESTS if golden else REQUESTS + MORE,
        golden=golden,
        greedy=6,
        attention="torch scaled_dot_product_attention with explicit masks (its only one)",
    )


WITHOUT = dict(PERCEIVER, use_resampler=False)
SMALL = dict(hidden_size=16, intermediate_size=24)
CASES = [
    case("idefics", golden=True, **SMALL),
    case(
        "idefics_no_resampler",
        golden=True,
        perceiver=WITHOUT,
        alpha_type="vector",
        qk_layer_norms=False,
        **SMALL,
    ),
    case("idefics_vector_gates", alpha_type="vector", additional_vocab_size=3),
    case(
        "idefics_plain_resampler",
        perceiver=dict(PERCEIVER, qk_layer_norms_perceiver=False),
        qk_layer_norms=False,
        cross_layer_interval=1,
    ),
    case("idefics_flat_config", flat=True, storage="bin"),
    case("idefics_sharded", storage="sharded", rms_norm_eps=1e-5),
]
