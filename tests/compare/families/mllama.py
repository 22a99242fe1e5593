"""Mllama (Llama 3.2 Vision): tiled pictures, a two-stage encoder and cross-attention layers.

transformers 4.51.3 takes the intermediate vision states as they enter a layer, as Meta's own code
does; 4.57 and later take them as they leave it. Masks are explicit and attention is eager.
"""

import json

import torch
from PIL import Image
from transformers import (
    MllamaConfig,
    MllamaForConditionalGeneration,
    MllamaImageProcessor,
    MllamaProcessor,
    PreTrainedTokenizerFast,
)

from . import vocabularies as vocab
from .case import Case, Reference, Request
from .decoders import SCALED, save_model
from .idefics import IDEFICS_STANDARD_MEAN as CLIP_MEAN
from .idefics import IDEFICS_STANDARD_STD as CLIP_STD
from .weights import randomise

SIDE = 20
CHAT = (
    "{{ bos_token }}{% for message in messages %}"
    "{{ '<|start_header_id|>' + message['role'] + '<|end_header_id|>\n\n' }}"
    "{% for part in message['content'] %}{{ '<|image|>' if part['type'] == 'image' else"
    " part['text'] }}{% endfor %}{{ '<|eot_id|>' }}{% endfor %}"
    "{% if add_generation_prompt %}"
    "{{ '<|start_header_id|>assistant<|end_header_id|>\n\n' }}{% endif %}"
)
REQUESTS = [
    Request("tall", "<|image|>Describe it.", ("rgb-17x39-1.png",)),
    Request(
        "before",
        "<|begin_of_text|>The cat<|image|> sat; <|image|><|image|>two dogs",
        ("rgb-41x15-2.png", "rgba-33x38-3.png", "grey-13x11-4.png"),
    ),
]
MORE = [
    Request("four_tiles", "Here<|image|> is the house.", ("rgb-47x45-5.png",)),
    Request("wide", "<|image|><|image|>Compare.", ("rgb-90x21-6.png", "rgb-20x70-7.png")),
    Request("no_resize", "<|image|>The sky is blue", (f"rgb-{SIDE}x{SIDE}-8.png",)),
    Request("no_picture", "The quick brown fox"),
    Request("palette", "<|image|>In 2024", ("palette-64x35-9.png",)),
]


class MllamaReference(Reference):
    def __init__(self, folder):
        self.model = MllamaForConditionalGeneration.from_pretrained(
            folder, attn_implementation="eager", torch_dtype=torch.float32
        ).eval()
        self.processor = MllamaProcessor(
            MllamaImageProcessor.from_pretrained(folder),
            PreTrainedTokenizerFast.from_pretrained(folder),
        )
        self.special_ids = frozenset(self.processor.tokenizer.all_special_ids)

    def encode(self, request, paths):
        pictures = [[Image.open(path) for path in paths]] if paths else None
        inputs = self.processor(images=pictures, text=request.text, return_tensors="pt")
        ids = inputs["input_ids"][0].tolist()
        names = ("pixel_values", "aspect_ratio_ids", "aspect_ratio_mask", "cross_attention_mask")
        return ids, {name: inputs[name] for name in names} if paths else None

    def logits(self, token_ids, images):
        ids = torch.tensor([token_ids])
        images = dict(images or {})
        if images:
            mask = images["cross_attention_mask"]  # (1, T, N, tiles)
            more = ids.shape[1] - mask.shape[1]
            images["cross_attention_mask"] = torch.cat([mask, *[mask[:, -1:]] * more], 1)
        output = self.model(
            input_ids=ids, attention_mask=torch.ones_like(ids), use_cache=False, **images
        )
        return output.logits[0].float()

    def pixels(self, images):
        return images and images["pixel_values"][0]


def build(folder, seed, vision, text, storage):
    tokenizer = vocab.llama3(extra=["<|image|>"])
    rows = tokenizer.get_vocab_size() - 1  # the head has no row for <|image|>
    assert tokenizer.token_to_id("<|image|>") == rows
    vocab.save(tokenizer, vocab.LLAMA3_CONFIG | {"pad_token": "<|finetune_right_pad_id|>"}, folder)
    (folder / "chat_template.json").write_text(json.dumps({"chat_template": CHAT}, indent=2) + "\n")
    ids = {
        "bos_token_id": tokenizer.token_to_id("<|begin_of_text|>"),
        "eos_token_id": [tokenizer.token_to_id(t) for t in ("<|end_of_text|>", "<|eot_id|>")],
        "pad_token_id": tokenizer.token_to_id("<|finetune_right_pad_id|>"),
    }
    config = MllamaConfig(
        vision_config=vision,
        text_config=dict(text, vocab_size=rows, **ids),
        image_token_index=rows,
        torch_dtype="float32",
    )
    model = MllamaForConditionalGeneration(config).eval()
    randomise(model, seed)
    save_model(model, folder, storage, ids)
    MllamaImageProcessor(
        size={"height": SIDE, "width": SIDE}, image_mean=CLIP_MEAN, image_std=CLIP_STD
    ).save_pretrained(folder)
    return MllamaReference(folder)


VISION = dict(
    hidden_size=16,
    intermediate_size=20,
    attention_heads=2,
    num_attention_heads=2,
    num_hidden_layers=3,
    num_global_layers=2,
    image_size=SIDE,
    patch_size=5,
    intermediate_layers_indices=[0, 2],
    vision_output_dim=48,
)
TEXT = dict(
    hidden_size=16,
    intermediate_size=24,
    num_attention_heads=4,
    num_key_value_heads=2,
    num_hidden_layers=3,
    cross_attention_layers=[1],
    rope_theta=500000.0,
    rope_scaling=SCALED,
    max_position_embeddings=256,
)
WIDE_TEXT = TEXT | dict(
    hidden_size=32, intermediate_size=48, num_hidden_layers=6, cross_attention_layers=[1, 4]
)
WIDE_VISION = VISION | dict(
    hidden_size=24,
    num_hidden_layers=5,
    intermediate_layers_indices=[0, 1, 3],
    vision_output_dim=96,
    patch_size=10,
    num_attention_heads=3,
    attention_heads=3,
)


def case(name, golden=False, vision=VISION, text=TEXT, storage="safetensors"):
    return Case(
        name,
        "mllama",
        lambda folder, seed: build(folder, seed, vision, text, storage),
        REQUESTS if golden else REQUESTS + MORE,
        golden=golden,
        greedy=6,
    )


CASES = [
    case("mllama", golden=True),
    case("mllama_tiles"),
    case("mllama_wide", vision=WIDE_VISION, text=WIDE_TEXT, storage="sharded"),
]
