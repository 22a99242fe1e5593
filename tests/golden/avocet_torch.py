"""The model of avocet-model in PyTorch: the reference that make_model.py writes golden data from,
and the peer that ../compare/train_step.py times.

Parameters carry the same names and shapes as in the Rust checkpoint. Everything enters packed, as
there: texts, and the patches of images, one after another, with offsets. Linear layers work on
packed rows; attention pads each sequence to the longest and calls scaled_dot_product_attention;
experts work on the rows sorted by expert. Nothing is done twice that PyTorch lets one do once.
"""

import math
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import nn


@dataclass
class Images:
    patches: torch.Tensor  # (P, 3 * p * p), channel-major
    grids: list  # rows and columns of patches of each image


@dataclass
class Text:
    ids: torch.Tensor  # (T)
    offsets: list
    latest_image: list  # for each token an image's index, or None


def parameter(shape, stdev=None, value=0.0):
    tensor = torch.empty(shape)
    return nn.Parameter(tensor.fill_(value) if stdev is None else tensor.normal_(0, stdev))


def matrix(*shape, writers=1):
    return parameter(shape, stdev=(shape[-1] * writers) ** -0.5)


def ones(dim):
    return parameter((dim,), value=1.0)


def rms_norm(x, weight, eps):
    # Under autocast the residual stream is f32, and so is every norm.
    return F.rms_norm(x, weight.shape, weight, eps)


class Packing:
    """Where packed rows lie in a padded batch (N, L)."""

    def __init__(self, offsets):
        lengths = torch.tensor(offsets).diff()
        self.shape = (len(lengths), int(lengths.max()))
        self.seen = torch.arange(self.shape[1]) < lengths[:, None]  # (N, L)
        self.rows = self.seen.flatten().nonzero().squeeze(1)  # (S)

    def pad(self, x):
        """(S, H, K) to (N, H, L, K)."""
        n, length = self.shape
        padded = x.new_zeros((n * length, *x.shape[1:])).index_copy(0, self.rows, x)
        return padded.view(n, length, *x.shape[1:]).transpose(1, 2)

    def unpad(self, x):
        """(N, H, L, K) to (S, H * K)."""
        return x.transpose(1, 2).flatten(2).flatten(0, 1).index_select(0, self.rows)


def rotate(x, angles):
    """Rotary position of x (S, H, K) by (cos, sin), each (S, 1, K / 2), in half-split pairs."""
    cos, sin = angles
    a, b = x.chunk(2, -1)
    return torch.cat([a * cos - b * sin, b * cos + a * sin], -1).to(x.dtype)


def angles_of(positions, pairs, theta):
    frequencies = theta ** (-torch.arange(pairs, dtype=torch.float64) / pairs)
    return positions.double()[:, None] * frequencies


def cos_sin(angles, dtype):
    return angles.cos()[:, None].to(dtype), angles.sin()[:, None].to(dtype)


def heads_of(x, head_dim):
    return x.view(len(x), -1, head_dim)


def attend(query, key, value, **mask):
    """Attention of padded queries (N, H, L, K) over keys of fewer heads."""
    n, num_heads, _, head_dim = query.shape
    if key.shape[1] != num_heads:
        group = num_heads // key.shape[1]
        spread = lambda x: x[:, :, None].expand(-1, -1, group, -1, -1).flatten(1, 2)
        key, value = spread(key), spread(value)
    return F.scaled_dot_product_attention(query, key, value, scale=head_dim**-0.5, **mask)


class SelfAttention(nn.Module):
    def __init__(self, dim, num_heads, num_kv_heads, head_dim, writers):
        super().__init__()
        self.head_dim = head_dim
        self.query = matrix(num_heads * head_dim, dim)
        self.key = matrix(num_kv_heads * head_dim, dim)
        self.value = matrix(num_kv_heads * head_dim, dim)
        self.output = matrix(dim, num_heads * head_dim, writers=writers)

    def forward(self, x, angles, packing, **mask):
        query = rotate(heads_of(F.linear(x, self.query), self.head_dim), angles)
        key = rotate(heads_of(F.linear(x, self.key), self.head_dim), angles)
        value = heads_of(F.linear(x, self.value), self.head_dim)
        mixed = attend(packing.pad(query), packing.pad(key), packing.pad(value), **mask)
        return F.linear(packing.unpad(mixed), self.output)


class SwiGlu(nn.Module):
    def __init__(self, dim, ff_dim, writers):
        super().__init__()
        self.gate_up = matrix(2 * ff_dim, dim)
        self.down = matrix(dim, ff_dim, writers=writers)

    def forward(self, x):
        gate, up = F.linear(x, self.gate_up).chunk(2, -1)
        return F.linear(F.silu(gate) * up, self.down)


class Router(nn.Module):
    def __init__(self, dim, num_experts):
        super().__init__()
        self.weight = matrix(num_experts, dim)


class Experts(nn.Module):
    def __init__(self, dim, num_experts, expert_dim, writers):
        super().__init__()
        self.gate_up = matrix(num_experts, 2 * expert_dim, dim)
        self.down = matrix(num_experts, dim, expert_dim, writers=writers)

    def forward(self, x, weights, chosen):
        top_k = chosen.shape[1]
        flat = chosen.flatten()
        order = flat.argsort(stable=True)
        rows = order.div(top_k, rounding_mode="floor")
        loads = flat.bincount(minlength=len(self.down)).tolist()
        made = []
        for expert, part in enumerate(x.index_select(0, rows).split(loads)):
            gate, up = F.linear(part, self.gate_up[expert]).chunk(2, -1)
            made.append(F.linear(F.silu(gate) * up, self.down[expert]))
        made = torch.cat(made) * weights.flatten()[order, None]
        return torch.zeros_like(x).index_add(0, rows, made.to(x.dtype))


class MixtureOfExperts(nn.Module):
    def __init__(self, dim, config, writers):
        super().__init__()
        self.top_k = config["top_k"]
        self.router = Router(dim, config["num_experts"])
        self.experts = Experts(dim, config["num_experts"], config["expert_dim"], writers)

    def forward(self, x):
        with torch.autocast("cpu", enabled=False):
            logits = F.linear(x, self.router.weight)  # (T, E)
            probabilities = logits.softmax(-1)
            weights, chosen = probabilities.topk(self.top_k, -1)  # (T, top_k)
            weights = weights / weights.sum(-1, keepdim=True)
            num_experts = logits.shape[1]
            share = chosen.flatten().bincount(minlength=num_experts) / chosen.numel()
            balance = num_experts * (share * probabilities.mean(0)).sum()
            z = logits.logsumexp(-1).square().mean()
        return self.experts(x, weights, chosen), (balance, z)


class DecoderLayer(nn.Module):
    def __init__(self, config):
        super().__init__()
        dim, writers = config["dim"], 2 * config["num_layers"]
        heads = (config["num_heads"], config["num_kv_heads"], config["head_dim"])
        self.eps = config["norm_eps"]
        self.attention_norm = ones(dim)
        self.attention = SelfAttention(dim, *heads, writers)
        self.moe_norm = ones(dim)
        self.moe = MixtureOfExperts(dim, config["moe"], writers)

    def forward(self, x, angles, packing):
        normed = rms_norm(x, self.attention_norm, self.eps)
        # Padding lies behind the text, where causal queries cannot see it.
        x = x + self.attention(normed, angles, packing, is_causal=True)
        mixed, losses = self.moe(rms_norm(x, self.moe_norm, self.eps))
        return x + mixed, losses


class Decoder(nn.Module):
    def __init__(self, config):
        super().__init__()
        self.embedding = parameter((config["vocab_size"], config["dim"]), stdev=0.02)
        self.layers = nn.ModuleList(DecoderLayer(config) for _ in range(config["num_layers"]))
        self.norm = ones(config["dim"])
        if not config["tied_embeddings"]:
            self.head = matrix(config["vocab_size"], config["dim"])


class CrossView:
    """For each text the latents it sees any of, padded, and which of them each token sees."""

    def __init__(self, text, packing, offsets):
        spans = []
        for start, end in zip(text.offsets, text.offsets[1:]):
            named = [image for image in text.latest_image[start:end] if image is not None]
            spans.append((offsets[min(named)], offsets[max(named) + 1]) if named else (0, 0))
        longest = max(1, max(end - start for start, end in spans))
        places = torch.arange(longest)
        # Row len(latents) is a row of zeros behind the latents.
        self.rows = torch.full((len(spans), longest), offsets[-1])
        for row, (start, end) in zip(self.rows, spans):
            row[: end - start] = torch.arange(start, end)
        none = (0, 0)
        seen = [none if i is None else (offsets[i], offsets[i + 1]) for i in text.latest_image]
        seen = torch.tensor(seen)
        self.sees = (seen[:, 1] > seen[:, 0])[:, None]  # (T, 1)
        base = torch.tensor([span[0] for span in spans])
        owner = packing.rows.div(packing.shape[1], rounding_mode="floor")
        low, high = (seen - base[owner, None]).unsqueeze(-1).unbind(1)
        mask = (low <= places) & (places < high)  # (T, L)
        # A row that sees nothing would be NaN; it looks at everything and is then set to zero.
        mask |= ~self.sees
        padded = torch.ones((packing.shape[0] * packing.shape[1], longest), dtype=torch.bool)
        padded[packing.rows] = mask
        self.mask = padded.view(packing.shape[0], 1, packing.shape[1], longest)

    def pad(self, x):
        """(sum of M, KV, K) to (N, KV, L, K)."""
        x = torch.cat([x, x.new_zeros((1, *x.shape[1:]))])
        padded = x.index_select(0, self.rows.flatten())
        return padded.view(*self.rows.shape, *x.shape[1:]).transpose(1, 2)


class GatedCrossAttention(nn.Module):
    def __init__(self, dim, latent_dim, config, num_layers, eps):
        super().__init__()
        writers = 2 * num_layers
        self.eps, self.head_dim = eps, config["head_dim"]
        q_dim = config["num_heads"] * self.head_dim
        kv_dim = config["num_kv_heads"] * self.head_dim
        self.norm = ones(dim)
        self.latent_norm = ones(latent_dim)
        self.query = matrix(q_dim, dim)
        self.key = matrix(kv_dim, latent_dim)
        self.value = matrix(kv_dim, latent_dim)
        self.output = matrix(dim, q_dim, writers=writers)
        self.attention_gate = parameter((1,), value=config["initial_gate"])
        self.ff_norm = ones(dim)
        self.ff = SwiGlu(dim, config["ff_dim"], writers)
        self.ff_gate = parameter((1,), value=config["initial_gate"])

    def forward(self, x, latents, packing, view):
        if view is not None:
            normed = rms_norm(latents, self.latent_norm, self.eps)
            key = view.pad(heads_of(F.linear(normed, self.key), self.head_dim))
            value = view.pad(heads_of(F.linear(normed, self.value), self.head_dim))
            query = F.linear(rms_norm(x, self.norm, self.eps), self.query)
            query = packing.pad(heads_of(query, self.head_dim))
            mixed = packing.unpad(attend(query, key, value, attn_mask=view.mask))
            mixed = torch.where(view.sees, mixed, 0)
            x = x + self.attention_gate.tanh() * F.linear(mixed, self.output)
        fed = self.ff(rms_norm(x, self.ff_norm, self.eps))
        return x + self.ff_gate.tanh() * fed


class Windows:
    """For each output pixel of packed grids the rows of its 3 x 3 window; one past the last row
    stands for the zeros around a grid."""

    def __init__(self, grids, stride):
        index, start = [], 0
        total = sum(h * w for h, w in grids)
        self.grids = []
        for h, w in grids:
            rows = torch.full((h + 2, w + 2), total)
            rows[1:-1, 1:-1] = torch.arange(start, start + h * w).view(h, w)
            windows = rows.unfold(0, 3, stride).unfold(1, 3, stride)  # (h', w', 3, 3)
            self.grids.append(tuple(windows.shape[:2]))
            index.append(windows.reshape(-1, 9))
            start += h * w
        self.index = torch.cat(index)  # (output pixels, 9)

    def gather(self, x):
        """(pixels, C) to (output pixels, 9, C)."""
        x = torch.cat([x, x.new_zeros((1, x.shape[1]))])
        return F.embedding(self.index, x)


class StemConv(nn.Module):
    def __init__(self, inputs, outputs, inner):
        super().__init__()
        self.weight = matrix(outputs, 9 * inputs)
        self.bias = parameter((outputs,))
        if inner:
            self.norm = ones(outputs)


class Stem(nn.Module):
    def __init__(self, config):
        super().__init__()
        self.patch_size, self.eps = config["patch_size"], config["norm_eps"]
        if config["stem"] == "linear":
            self.weight = matrix(config["dim"], 3 * self.patch_size**2)
            self.bias = parameter((config["dim"],))
            return
        channels = config["stem"]["conv"]["channels"]
        pairs = list(zip([3, *channels], channels))
        self.convs = nn.ModuleList(
            StemConv(i, o, inner=index + 1 < len(pairs)) for index, (i, o) in enumerate(pairs)
        )

    def forward(self, images):
        if not hasattr(self, "convs"):
            return F.linear(images.patches, self.weight, self.bias)
        p = self.patch_size
        pixels = []
        counts = [rows * cols for rows, cols in images.grids]
        for part, (rows, cols) in zip(images.patches.split(counts), images.grids):
            grid = part.view(rows, cols, 3, p, p).permute(0, 3, 1, 4, 2)
            pixels.append(grid.reshape(-1, 3))
        x = torch.cat(pixels)  # (P * p * p, 3)
        grids = [(rows * p, cols * p) for rows, cols in images.grids]
        for conv in self.convs:
            windows = Windows(grids, stride=2)
            x = F.linear(windows.gather(x).flatten(1), conv.weight, conv.bias)
            grids = windows.grids
            if hasattr(conv, "norm"):
                x = F.silu(rms_norm(x, conv.norm, self.eps))
        return x  # (P, D_v)


class Depthwise(nn.Module):
    def __init__(self, dim, writers):
        super().__init__()
        self.norm = ones(dim)
        self.weight = parameter((9, dim), stdev=(9 * writers) ** -0.5)

    def forward(self, x, grids):
        # Image by image: on the CPU half the time of one product over gathered windows.
        dim = x.shape[1]
        kernel = self.weight.T.reshape(dim, 1, 3, 3).to(x.dtype)
        made = []
        for part, (rows, cols) in zip(x.split([r * c for r, c in grids]), grids):
            image = part.view(1, rows, cols, dim).permute(0, 3, 1, 2)
            image = F.conv2d(image, kernel, padding=1, groups=dim)
            made.append(image.permute(0, 2, 3, 1).reshape(-1, dim))
        return torch.cat(made)


class VisionBlock(nn.Module):
    def __init__(self, config):
        super().__init__()
        dim, num_heads = config["dim"], config["num_heads"]
        writers = config["num_layers"] * (3 if config["depthwise"] else 2)
        self.eps = config["norm_eps"]
        self.attention_norm = ones(dim)
        self.attention = SelfAttention(dim, num_heads, num_heads, dim // num_heads, writers)
        if config["depthwise"]:
            self.depthwise = Depthwise(dim, writers)
        self.ff_norm = ones(dim)
        self.ff = SwiGlu(dim, config["ff_dim"], writers)

    def forward(self, x, angles, packing, grids):
        normed = rms_norm(x, self.attention_norm, self.eps)
        x = x + self.attention(normed, angles, packing, attn_mask=packing.seen[:, None, None])
        if hasattr(self, "depthwise"):
            x = x + self.depthwise(rms_norm(x, self.depthwise.norm, self.eps), grids)
        return x + self.ff(rms_norm(x, self.ff_norm, self.eps))


class VisionEncoder(nn.Module):
    def __init__(self, config):
        super().__init__()
        self.pairs = config["dim"] // config["num_heads"] // 2
        self.theta, self.eps = config["rope_theta"], config["norm_eps"]
        self.stem = Stem(config)
        self.blocks = nn.ModuleList(VisionBlock(config) for _ in range(config["num_layers"]))
        self.norm = ones(config["dim"])

    def forward(self, images):
        offsets = [0]
        places = []
        for rows, cols in images.grids:
            offsets.append(offsets[-1] + rows * cols)
            places.append(torch.cartesian_prod(torch.arange(rows), torch.arange(cols)))
        row, col = torch.cat(places).unbind(1)
        half = self.pairs // 2
        angles = torch.cat([angles_of(at, half, self.theta) for at in (row, col)], 1)
        angles = cos_sin(angles, images.patches.dtype)
        packing = Packing(offsets)
        x = self.stem(images)
        waves = [angles_of(at, x.shape[1] // 4, self.theta) for at in (row, col)]
        x = x + torch.cat([f(w) for w in waves for f in (torch.sin, torch.cos)], 1).to(x.dtype)
        for block in self.blocks:
            x = block(x, angles, packing, images.grids)
        return rms_norm(x, self.norm, self.eps), offsets


class ResamplerLayer(nn.Module):
    def __init__(self, dim, config):
        super().__init__()
        writers = 2 * config["num_layers"]
        self.image_norm = ones(dim)
        self.latent_norm = ones(dim)
        self.query = matrix(dim, dim)
        self.key = matrix(dim, dim)
        self.value = matrix(dim, dim)
        self.output = matrix(dim, dim, writers=writers)
        self.ff_norm = ones(dim)
        self.ff = SwiGlu(dim, config["ff_dim"], writers)


class PerceiverResampler(nn.Module):
    def __init__(self, config, vision):
        super().__init__()
        dim = vision["dim"]
        self.eps, self.head_dim = vision["norm_eps"], dim // config["num_heads"]
        self.latents = parameter((config["num_latents"], dim), stdev=1.0)
        self.layers = nn.ModuleList(
            ResamplerLayer(dim, config) for _ in range(config["num_layers"])
        )
        self.norm = ones(dim)

    def forward(self, rows, offsets):
        n, m = len(offsets) - 1, len(self.latents)
        packing = Packing(offsets)
        own = packing.seen.new_ones((n, m))
        mask = torch.cat([packing.seen, own], 1)[:, None, None]  # (N, 1, 1, L + M)
        x = self.latents.repeat(n, 1)  # (N * M, D_v)
        for layer in self.layers:
            latents = rms_norm(x, layer.latent_norm, self.eps)
            images = rms_norm(rows, layer.image_norm, self.eps)
            split = lambda t: heads_of(t, self.head_dim).view(n, m, -1, self.head_dim).transpose(1, 2)
            both = lambda w: torch.cat(
                [packing.pad(heads_of(F.linear(images, w), self.head_dim)), split(F.linear(latents, w))],
                2,
            )  # (N, H, L + M, K)
            query = split(F.linear(latents, layer.query))
            mixed = attend(query, both(layer.key), both(layer.value), attn_mask=mask)
            mixed = mixed.transpose(1, 2).reshape(n * m, -1)
            x = x + F.linear(mixed, layer.output)
            x = x + layer.ff(rms_norm(x, layer.ff_norm, self.eps))
        return rms_norm(x, self.norm, self.eps), list(range(0, n * m + 1, m))


class Avocet(nn.Module):
    """The whole model, from the same TOML (read by tomllib) as the Rust one."""

    def __init__(self, config):
        super().__init__()
        self.config = config
        decoder, vision = config["decoder"], config.get("vision")
        self.decoder = Decoder(decoder)
        if vision:
            self.vision = VisionEncoder(vision)
        if "resampler" in config:
            self.resampler = PerceiverResampler(config["resampler"], vision)
        cross = config.get("cross_attention")
        self.every = cross["every"] if cross else math.inf
        if cross:
            count = decoder["num_layers"] // self.every
            self.cross_attention = nn.ModuleList(
                GatedCrossAttention(decoder["dim"], vision["dim"], cross, count, decoder["norm_eps"])
                for _ in range(count)
            )

    def encode_images(self, images):
        """Rows and offsets of what the decoder attends to."""
        latents = self.vision(images)
        return self.resampler(*latents) if hasattr(self, "resampler") else latents

    def forward(self, text, latents=None):
        """Rows (T, D) after the final norm, and each layer's (balance, z) losses."""
        config = self.config["decoder"]
        packing = Packing(text.offsets)
        view = None
        if latents is not None:
            latents, offsets = latents
            view = CrossView(text, packing, offsets)
        starts = torch.tensor(text.offsets)
        positions = torch.arange(len(text.ids)) - starts[:-1].repeat_interleave(starts.diff())
        angles = angles_of(positions, config["head_dim"] // 2, config["rope_theta"])
        angles = cos_sin(angles, self.decoder.embedding.dtype)
        x = F.embedding(text.ids, self.decoder.embedding)
        losses = []
        for index, layer in enumerate(self.decoder.layers):
            if index % self.every == self.every - 1:
                x = self.cross_attention[index // self.every](x, latents, packing, view)
            x, router = layer(x, angles, packing)
            losses.append(router)
        return rms_norm(x, self.decoder.norm, config["norm_eps"]), losses

    def head(self):
        tied = self.config["decoder"]["tied_embeddings"]
        return self.decoder.embedding if tied else self.decoder.head
