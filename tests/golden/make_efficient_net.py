"""Writes efficient_net/: a small EfficientNet-Lite with random weights as torch.save keeps it
(model.pth), its shape (efficient_net.toml), and what PyTorch computes with it in float64
(expected.safetensors): features and logits of two pictures, and the gradients of a weighted sum of
the features with respect to every weight and bias with the norms folded into them.

The module is written out here in plain torch.nn after the published structure: EfficientNet
(arXiv:1905.11946) without squeeze-excite and with ReLU6, padded as TensorFlow's SAME does.
tests/compare/efficient_net.py loads the published weights into the same module.

Run from anywhere: python3 make_efficient_net.py, with PyTorch 2. Seeded; no test runs it.
"""

import sys
from pathlib import Path

import numpy as np
import torch
from torch import nn
from torch.nn import functional

sys.dont_write_bytecode = True

from safetensors_file import write  # noqa: E402

EPS = 1e-3
# Kernel, stride, expansion, width and number of blocks of each stage of EfficientNet-Lite0.
LITE0 = [
    (3, 1, 1, 16, 1),
    (3, 2, 6, 24, 2),
    (5, 2, 6, 40, 2),
    (3, 2, 6, 80, 3),
    (5, 1, 6, 112, 3),
    (5, 2, 6, 192, 4),
    (3, 1, 6, 320, 1),
]
# The same structure with few channels; some are no multiple of 16.
SMALL = [
    (3, 1, 1, 8, 1),
    (3, 2, 3, 12, 2),
    (5, 2, 3, 8, 2),
    (3, 2, 4, 12, 2),
    (5, 1, 4, 16, 2),
    (5, 2, 4, 20, 2),
    (3, 1, 2, 24, 1),
]


def same(x, kernel, stride):
    """Zeros around x (N, C, H, W) as TensorFlow puts them: the odd one right and below."""
    pads = []
    for size in (x.shape[3], x.shape[2]):
        total = max((-(-size // stride) - 1) * stride + kernel - size, 0)
        pads += [total // 2, total - total // 2]
    return functional.pad(x, pads)


class Conv(nn.Conv2d):
    """A convolution with that padding."""

    def __init__(self, inputs, outputs, kernel=1, stride=1, groups=1, bias=False):
        super().__init__(inputs, outputs, kernel, stride, groups=groups, bias=bias)

    def forward(self, x):
        return super().forward(same(x, self.kernel_size[0], self.stride[0]))


def norm(channels):
    return nn.BatchNorm2d(channels, eps=EPS)


class Block(nn.Module):
    """An inverted residual; fields are called as in the files of the PyTorch ports."""

    def __init__(self, inputs, kernel, stride, expand, outputs):
        super().__init__()
        inner = inputs * expand
        if expand != 1:
            self._expand_conv, self._bn0 = Conv(inputs, inner), norm(inner)
        self._depthwise_conv = Conv(inner, inner, kernel, stride, groups=inner)
        self._bn1 = norm(inner)
        self._project_conv, self._bn2 = Conv(inner, outputs), norm(outputs)
        self.residual = stride == 1 and inputs == outputs

    def forward(self, x):
        inner = x
        if hasattr(self, "_expand_conv"):
            inner = functional.relu6(self._bn0(self._expand_conv(inner)))
        inner = functional.relu6(self._bn1(self._depthwise_conv(inner)))
        y = self._bn2(self._project_conv(inner))
        return x + y if self.residual else y


class EfficientNet(nn.Module):
    """EfficientNet-Lite; features are those behind the last ReLU6."""

    def __init__(self, stages, stem=32, head=1280, classes=1000):
        super().__init__()
        self._conv_stem, self._bn0 = Conv(3, stem, 3, 2), norm(stem)
        self._blocks, inputs = nn.ModuleList(), stem
        for kernel, stride, expand, outputs, count in stages:
            for index in range(count):
                block = Block(inputs, kernel, stride if index == 0 else 1, expand, outputs)
                self._blocks.append(block)
                inputs = outputs
        self._conv_head, self._bn1 = Conv(inputs, head), norm(head)
        self._fc = nn.Linear(head, classes)

    def features(self, x):
        """(N, 3, S, S) to (N, head, s, s)."""
        x = functional.relu6(self._bn0(self._conv_stem(x)))
        for block in self._blocks:
            x = block(x)
        return functional.relu6(self._bn1(self._conv_head(x)))

    def forward(self, x):
        return self._fc(self.features(x).mean((2, 3)))


def load(path, stages=LITE0, **sizes):
    """The network with the weights of a file, for inference."""
    net = EfficientNet(stages, **sizes)
    state = torch.load(path, map_location="cpu", weights_only=True)
    net.load_state_dict(state)
    return net.eval()


def fold(net):
    """The same with every norm in the convolution before it; by our names, those convolutions."""
    named = {}

    def into(module, conv, bn, name):
        old, n = getattr(module, conv), getattr(module, bn)
        new = Conv(
            old.in_channels, old.out_channels, old.kernel_size[0], old.stride[0], old.groups, True
        ).to(old.weight.dtype)
        scale = n.weight / torch.sqrt(n.running_var + EPS)
        with torch.no_grad():
            new.weight.copy_(old.weight * scale[:, None, None, None])
            new.bias.copy_(n.bias - n.running_mean * scale)
        setattr(module, conv, new)
        setattr(module, bn, nn.Identity())
        named[name] = new

    into(net, "_conv_stem", "_bn0", "stem")
    for index, block in enumerate(net._blocks):
        if hasattr(block, "_expand_conv"):
            into(block, "_expand_conv", "_bn0", f"blocks.{index}.expand")
        into(block, "_depthwise_conv", "_bn1", f"blocks.{index}.depthwise")
        into(block, "_project_conv", "_bn2", f"blocks.{index}.project")
    into(net, "_conv_head", "_bn1", "head")
    return named


def ours(gradient):
    """The gradient of a convolution's weight in our layout."""
    return gradient.permute(0, 2, 3, 1).flatten(1)


def rows(features):
    """(N, C, s, s) as (N * s * s, C)."""
    return features.permute(0, 2, 3, 1).flatten(0, 2)


def main():
    folder = Path(__file__).parent / "efficient_net"
    folder.mkdir(exist_ok=True)
    size, sizes = 46, {"stem": 8, "head": 40, "classes": 10}
    torch.manual_seed(20261130)
    net = EfficientNet(SMALL, **sizes)
    for module in net.modules():
        if isinstance(module, nn.Conv2d):
            fan_in = module.weight[0].numel()
            nn.init.normal_(module.weight, std=(2 / fan_in) ** 0.5)
        if isinstance(module, nn.BatchNorm2d):
            nn.init.uniform_(module.weight, 0.7, 1.4)
            nn.init.normal_(module.bias, std=0.3)
            nn.init.normal_(module.running_mean, std=0.3)
            nn.init.uniform_(module.running_var, 0.4, 1.6)
    net.eval()
    torch.save(net.state_dict(), folder / "model.pth")
    lines = [
        f"image_size = {size}",
        f"stem_dim = {sizes['stem']}",
        f"head_dim = {sizes['head']}",
        f"num_classes = {sizes['classes']}",
        "stages = [",
    ]
    for kernel, stride, expand, dim, count in SMALL:
        fields = f"kernel = {kernel}, stride = {stride}, expand = {expand}, dim = {dim}"
        lines.append(f"    {{ {fields}, num_blocks = {count} }},")
    (folder / "efficient_net.toml").write_text("\n".join(lines) + "\n]\n")

    net = net.double()
    pixels = torch.rand(2, size, size, 3, dtype=torch.float64) * 2 - 1
    with torch.no_grad():
        features, logits = net.features(pixels.permute(0, 3, 1, 2)), net(pixels.permute(0, 3, 1, 2))
    tensors = {"pixels": pixels, "features": rows(features), "logits": logits}

    named = fold(net)
    pull = torch.randn(rows(features).shape, dtype=torch.float64)
    given = pixels.clone().requires_grad_()
    again = rows(net.features(given.permute(0, 3, 1, 2)))
    assert torch.allclose(again, rows(features), atol=1e-12), "folding changes the features"
    (again * pull).sum().backward()
    tensors["pull"] = pull
    tensors["gradient.pixels"] = given.grad
    for name, conv in named.items():
        tensors[f"gradient.{name}"] = ours(conv.weight.grad)
        tensors[f"gradient.{name}_bias"] = conv.bias.grad
    write(
        folder / "expected.safetensors",
        {name: np.asarray(tensor.detach().float()) for name, tensor in tensors.items()},
    )
    for file in sorted(folder.iterdir()):
        print(file.name, file.stat().st_size)
    flat = rows(features)
    shares = [(flat <= 0), (flat > 0) & (flat < 6), flat >= 6]
    shares = [round(float(share.float().mean()), 3) for share in shares]
    print("features at 0, between, at 6:", *shares)


if __name__ == "__main__":
    main()
