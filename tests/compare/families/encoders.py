"""CLIP and SigLIP vision encoders alone: pixels in, hidden states out.

No command of avocet runs an encoder by itself, so these cases are golden data only.
"""

import torch
from PIL import Image
from transformers import (
    CLIPImageProcessor,
    CLIPVisionConfig,
    CLIPVisionModel,
    SiglipImageProcessor,
    SiglipVisionConfig,
    SiglipVisionModel,
)

from . import pictures
from .case import fresh
from .weights import randomise

SIDE = 30
SIZES = dict(
    hidden_size=16,
    intermediate_size=24,
    num_hidden_layers=3,
    num_attention_heads=2,
    image_size=SIDE,
    patch_size=10,
)
PICTURE = "rgb-47x35-1.png"


def clip(folder):
    config = CLIPVisionConfig(**SIZES, hidden_act="quick_gelu", projection_dim=8)
    size = {"shortest_edge": SIDE}
    crop = {"height": SIDE, "width": SIDE}
    CLIPImageProcessor(size=size, crop_size=crop).save_pretrained(folder)
    return CLIPVisionModel, config, CLIPImageProcessor


def siglip(folder):
    config = SiglipVisionConfig(**SIZES)
    size = {"height": SIDE, "width": SIDE}
    half = [0.5] * 3
    SiglipImageProcessor(size=size, image_mean=half, image_std=half, resample=3).save_pretrained(
        folder
    )
    return SiglipVisionModel, config, SiglipImageProcessor


ENCODERS = {"clip_vision": clip, "siglip_vision": siglip}


@torch.no_grad()
def make(name, folder, seed=1):
    """Writes model and picture; returns pixel_values and every hidden state by name."""
    model_folder = fresh(folder / "model")
    model_type, config, processor_type = ENCODERS[name](model_folder)
    model = model_type(config).eval()
    randomise(model, seed)
    model.save_pretrained(model_folder)
    model = model_type.from_pretrained(model_folder, attn_implementation="eager").eval()
    picture = Image.open(pictures.write(folder / "pictures", PICTURE))
    processor = processor_type.from_pretrained(model_folder)
    pixels = processor(picture, return_tensors="pt")["pixel_values"]
    output = model(pixels, output_hidden_states=True)
    tensors = {"pixel_values": pixels[0], "last_hidden_state": output.last_hidden_state[0]}
    for place, state in enumerate(output.hidden_states):
        tensors[f"hidden_states.{place}"] = state[0].clone()
    return tensors
