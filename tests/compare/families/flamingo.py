"""OpenFlamingo: a Perceiver resampler and gated cross-attention around a frozen language model.

The released repositories hold only `checkpoint.pt` (perceiver.*, gated_cross_attn_layer.* and the
language model's embeddings); the README of OpenFlamingo has people fetch the language model and
CLIP from their own repositories. A folder to load therefore keeps the three together:

    open_flamingo.json    the arguments of create_model_and_transforms: clip_vision_encoder_path,
                          clip_vision_encoder_pretrained, lang_encoder_path, tokenizer_path
                          (paths are relative to the folder) and cross_attn_every_n_layers
    checkpoint.pt         as released
    lang_encoder/         the language model as the hub has it, tokenizer included
    vision_encoder/       CLIP as the hub has it for open_clip: open_clip_config.json and
                          open_clip_pytorch_model.bin or open_clip_model.safetensors

A language model with an untied head that its checkpoint does not bring (LLaMA's lm_head) has no
rows for <|endofchunk|>, <image> and <PAD>; open_flamingo makes random ones at each load. Such
rows are left out of the expected logits.
"""

import contextlib
import io
import json
import warnings

import torch
from PIL import Image
from safetensors.torch import save_file

from . import vocabularies as vocab
from .case import Case, Reference, Request
from .decoders import BASE, make_decoder, mpt_config, neox_config
from .weights import randomise

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    import open_clip
    from open_flamingo import create_model_and_transforms
    from open_flamingo.src import helpers

SIDE = 20
REQUESTS = [
    Request("one", "<image>A cat sat.<|endofchunk|>", ("rgb-41x23-1.png",)),
    Request(
        "three",
        "The two:<image>a dog<|endofchunk|><image><image>the",
        ("rgb-19x37-2.png", "rgb-33x33-3.png", "grey-27x50-4.png"),
    ),
]
MORE = [
    Request("no_resize", "<image>This is the house.", (f"rgb-{SIDE}x{SIDE}-5.png",)),
    Request("enlarged", "There<image> in 2024", ("rgb-13x17-6.png",)),
]
ALPHA = [Request("alpha", "<image>The sun", ("rgba-44x31-7.png",))]


def clip_config(width):
    return {
        "embed_dim": 8,
        "quick_gelu": True,  # as OpenAI's own weights
        "vision_cfg": {
            "image_size": SIDE,
            "layers": 2,
            "width": width,
            "head_width": width // 2,
            "patch_size": 5,
            "mlp_ratio": 2.0,
        },
        "text_cfg": {"context_length": 8, "vocab_size": 16, "width": 8, "heads": 2, "layers": 1},
    }


def make_vision_encoder(folder, seed, config, safe):
    """Writes CLIP as the hub has it for open_clip and returns the path of the weights."""
    folder.mkdir()
    model = open_clip.CLIP(**config)
    randomise(model, seed + 1000)
    hub = {
        "model_cfg": config,
        "preprocess_cfg": {
            "mean": list(open_clip.OPENAI_DATASET_MEAN),
            "std": list(open_clip.OPENAI_DATASET_STD),
        },
    }
    (folder / "open_clip_config.json").write_text(json.dumps(hub, indent=2) + "\n")
    if safe:
        save_file(model.state_dict(), folder / "open_clip_model.safetensors")
    # open_clip 2.16 itself reads .bin files only.
    binary = folder / "open_clip_pytorch_model.bin"
    torch.save(model.state_dict(), binary)
    return binary


def create(folder, config, binary, every, depth):
    """The model as open_flamingo makes it, with its own resampler of another depth if asked."""
    name = f"tiny-{folder.parent.name}"
    registered = folder.parent / f"{name}.json"
    registered.write_text(json.dumps(config))
    open_clip.add_model_config(registered)
    with contextlib.redirect_stdout(io.StringIO()):  # it prints a count of parameters
        model, image_processor, tokenizer = create_model_and_transforms(
            clip_vision_encoder_path=name,
            clip_vision_encoder_pretrained=str(binary),
            lang_encoder_path=str(folder / "lang_encoder"),
            tokenizer_path=str(folder / "lang_encoder"),
            cross_attn_every_n_layers=every,
            use_local_files=True,
        )
    registered.unlink()
    if depth != 6:
        model.perceiver = helpers.PerceiverResampler(dim=model.vis_dim, depth=depth)
    model.lang_encoder.config._attn_implementation = "eager"
    return model.eval(), image_processor, tokenizer


def released_state(model):
    """What open_flamingo's training code keeps of a state dict when it writes a checkpoint.

    Follows filter_state_dict_to_trainable of open_flamingo/train/train_utils.py, which does not
    import without its training dependencies.
    """
    kept = {}
    frozen = {
        name
        for name, parameter in model.named_parameters()
        if "embed" not in name and not parameter.requires_grad
    }
    twice = ("lang_encoder.old_decoder_blocks", "lang_encoder.gated_cross_attn_layers")
    tied = model.lang_encoder.get_output_embeddings().weight is (
        model.lang_encoder.get_input_embeddings().weight
    )
    for name, tensor in model.state_dict().items():
        if name in frozen or name.startswith(("vision_encoder", *twice)):
            continue
        if tied and name == "lang_encoder.lm_head.weight":
            continue  # the released language models have no tensor for a tied head
        kept[name] = tensor.clone()
    return kept


class FlamingoReference(Reference):
    def __init__(self, model, image_processor, tokenizer, head_rows):
        self.model, self.image_processor, self.tokenizer = model, image_processor, tokenizer
        self.head_rows = head_rows
        self.special_ids = frozenset(tokenizer.all_special_ids)

    def encode(self, request, paths):
        ids = self.tokenizer(request.text)["input_ids"]
        pictures = torch.stack([self.image_processor(Image.open(path)) for path in paths])
        return ids, pictures

    def logits(self, token_ids, images):
        ids = torch.tensor([token_ids])
        output = self.model(
            vision_x=images[None, :, None],  # (B, T_img, F, C, H, W)
            lang_x=ids,
            attention_mask=torch.ones_like(ids),
        )
        return output.logits[0, :, : self.head_rows].float()

    def pixels(self, images):
        return images


def build(folder, seed, base, every, depth, width, safe, wrapped):
    model_type, form, lm_config = base
    make_tokenizer, token_config = form
    lang_encoder = folder / "lang_encoder"
    make_decoder(lang_encoder, seed, model_type, make_tokenizer(), lm_config, token_config)
    config = clip_config(width)
    binary = make_vision_encoder(folder / "vision_encoder", seed, config, safe)
    arguments = (folder, config, binary, every, depth)
    model, _, tokenizer = create(*arguments)
    base_rows = json.loads((lang_encoder / "config.json").read_text())["vocab_size"]
    trained = torch.nn.ModuleDict()
    trained["perceiver"] = model.perceiver
    trained["layers"] = model.lang_encoder.gated_cross_attn_layers
    trained["wte"] = model.lang_encoder.get_input_embeddings()
    head = model.lang_encoder.get_output_embeddings()
    tied = head.weight is model.lang_encoder.get_input_embeddings().weight
    kept_head = model_type == "gpt_neox"  # its name, embed_out, saves it from the filter
    if kept_head:
        trained["embed_out"] = head
    randomise(trained, seed + 2000, tied=tied)
    state = released_state(model)
    if wrapped:
        state = {"epoch": 0, "model_state_dict": {f"module.{k}": v for k, v in state.items()}}
    torch.save(state, folder / "checkpoint.pt")
    described = {
        "clip_vision_encoder_path": "vision_encoder",
        "clip_vision_encoder_pretrained": "openai",
        "lang_encoder_path": "lang_encoder",
        "tokenizer_path": "lang_encoder",
        "cross_attn_every_n_layers": every,
    }
    (folder / "open_flamingo.json").write_text(json.dumps(described, indent=2) + "\n")
    return read_back(arguments, safe, wrapped, len(tokenizer) if tied or kept_head else base_rows)


def read_back(arguments, safe, wrapped, head_rows):
    """Loads the folder as open_flamingo's README does."""
    folder, _, binary, _, _ = arguments
    model, image_processor, tokenizer = create(*arguments)
    state = torch.load(folder / "checkpoint.pt", map_location="cpu", weights_only=True)
    if wrapped:
        state = {k.removeprefix("module."): v for k, v in state["model_state_dict"].items()}
    _, unexpected = model.load_state_dict(state, strict=False)
    assert not unexpected, unexpected
    if safe:
        binary.unlink()
    return FlamingoReference(model, image_processor, tokenizer, head_rows)


NEOX_FORM = (vocab.neox, vocab.NEOX_CONFIG)
LLAMA_FORM = (vocab.llama, vocab.LLAMA_CONFIG)


def small(config):
    """Sizes that keep a golden copy small: inner width is 8 heads x 64 at any model width."""
    if "d_model" in config:
        return config | dict(d_model=8, n_heads=2)
    small_config = config | dict(hidden_size=8, intermediate_size=16, num_attention_heads=2)
    if "num_key_value_heads" in config:
        small_config["num_key_value_heads"] = 1
    return small_config


LLAMA_BASE = BASE | dict(num_key_value_heads=4)
REDPAJAMA = neox_config(use_parallel_residual=False, rotary_pct=1.0)


def case(name, base, golden=False, every=2, depth=6, width=16, safe=False, wrapped=False, **more):
    requests = more.pop("requests", REQUESTS if golden else REQUESTS + MORE)
    return Case(
        name,
        "flamingo",
        lambda folder, seed: build(folder, seed, base, every, depth, width, safe, wrapped),
        requests,
        golden=golden,
        greedy=6,
        versions=("open-flamingo", "open-clip-torch", "transformers", "torchvision"),
        attention="eager (open_clip: torch MultiheadAttention)",
        **more,
    )


def golden(name, model_type, form, config, **more):
    return case(name, (model_type, form, small(config)), golden=True, **more)


def full(name, model_type, form, config, **more):
    return case(name, (model_type, form, config), **more)


FOUR = dict(num_hidden_layers=4)
CASES = [
    golden("flamingo_mpt", "mpt", NEOX_FORM, mpt_config(), every=1, depth=2, width=4),
    golden("flamingo_neox", "gpt_neox", NEOX_FORM, REDPAJAMA, every=1, depth=2, width=4, safe=True),
    golden(
        "flamingo_llama",
        "llama",
        LLAMA_FORM,
        LLAMA_BASE | dict(num_hidden_layers=3, tie_word_embeddings=True),
        depth=1,
        width=8,
    ),
    full("flamingo_mpt_deep", "mpt", NEOX_FORM, mpt_config() | dict(n_layers=4), every=1),
    full("flamingo_neox_every_two", "gpt_neox", NEOX_FORM, REDPAJAMA | FOUR, every=2),
    full("flamingo_neox_training", "gpt_neox", NEOX_FORM, REDPAJAMA | FOUR, every=4, wrapped=True),
    full("flamingo_llama_untied", "llama", LLAMA_FORM, LLAMA_BASE | FOUR, every=4),
    full(
        "flamingo_alpha",
        "mpt",
        NEOX_FORM,
        mpt_config(),
        requests=ALPHA,
        note="torchvision resizes the four channels first and drops alpha afterwards",
    ),
]
