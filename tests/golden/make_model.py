"""Writes tiny_model.safetensors: weights, inputs, logits and gradients of the `tiny` preset,
computed by avocet_torch.py with PyTorch 2.9.1 on the CPU in float64 and stored in float32.

Run from anywhere: python3 make_model.py. Seeded; no test runs it.
"""

import sys
import tomllib
from pathlib import Path

import torch
import torch.nn.functional as F

sys.dont_write_bytecode = True

from avocet_torch import Avocet, Images, Text  # noqa: E402
from safetensors_file import write  # noqa: E402

HERE = Path(__file__).parent
# The file stays under 300 KB: gradients of small tensors, and these of larger ones.
LARGEST_GRADIENT = 600
ALSO = {
    "decoder.embedding",
    "decoder.layers.0.moe.experts.down",
    "decoder.layers.1.moe.experts.gate_up",
    "cross_attention.1.query",
}
SMALLEST_MARGIN = 1e-3

torch.manual_seed(20260102)
torch.set_num_threads(1)
config = tomllib.loads((HERE / "../../assets/configs/tiny.toml").read_text())
model = Avocet(config)
with torch.no_grad():
    # Norms and biases away from their starting values, gates open and all different.
    for name, value in model.named_parameters():
        if value.dim() == 1:
            value += 0.2 * torch.randn_like(value)
    for index, layer in enumerate(model.cross_attention):
        layer.attention_gate.fill_(0.7 + 0.2 * index)
        layer.ff_gate.fill_(-0.6 - 0.1 * index)
model.double()


def check_margin(moe, inputs):
    """A choice of experts that rounding could turn would make the data useless."""
    ranked = F.linear(inputs[0], moe.router.weight).softmax(-1).sort(-1, descending=True)[0]
    margin = (ranked[:, moe.top_k - 1] - ranked[:, moe.top_k]).min().item()
    assert margin > SMALLEST_MARGIN, f"two experts are {margin} apart: take another seed"


for layer in model.decoder.layers:
    layer.moe.register_forward_pre_hook(check_margin)

# Text before the first image, two images in one text, a text without any, an image at once.
latest_image = [None, None, None, 0, 0, 0, 1, 1, 1, 1] + [None] * 5 + [2] * 6
offsets = [0, 10, 15, 21]
grids = [(2, 3), (4, 4), (1, 5)]
count = len(latest_image)
patches = (2 * torch.rand(sum(r * c for r, c in grids), 48) - 1).float().double()
ids = torch.randint(0, 48, (count,))
targets = torch.randint(0, 48, (count,))
weights = (torch.rand(count) > 0.4).double()

latents = model.encode_images(Images(patches, grids))
hidden, routers = model(Text(ids, offsets, latest_image), latents)
logits = F.linear(hidden, model.head())
nll = F.cross_entropy(logits, targets, reduction="none")
loss = (weights * nll).sum() / weights.sum()
loss = loss + sum(0.01 * balance + 0.001 * z for balance, z in routers)
loss.backward()

tensors = {
    "input.patches": patches.float(),
    "input.grids": torch.tensor(grids),
    "input.ids": ids,
    "input.offsets": torch.tensor(offsets),
    "input.latest_image": torch.tensor([-1 if i is None else i for i in latest_image]),
    "input.targets": targets,
    "input.weights": weights.float(),
    "output.latents": latents[0].detach().float(),
    "output.logits": logits.detach().float(),
    "output.loss": loss.detach().float().reshape(1),
}
for name, value in model.named_parameters():
    tensors[f"weight.{name}"] = value.detach().float()
    if value.numel() <= LARGEST_GRADIENT or name in ALSO:
        tensors[f"gradient.{name}"] = value.grad.float()
write(HERE / "tiny_model.safetensors", tensors)
print(f"loss {loss.item():.6f}, {sum(p.numel() for p in model.parameters())} parameters")
