"""Writes kernels.safetensors: inputs, outputs and gradients of operations of
avocet-kernels, computed by PyTorch 2.9.1 on the CPU in float64 and stored in float32.

Run from anywhere: python3 make_kernels.py, with numpy installed. Seeded; no test runs it.

Names are CASE.in.NAME (an input that gets a gradient), CASE.data.NAME (int64 or float32),
CASE.out, CASE.up (the gradient of the output) and CASE.grad.NAME.
"""

import sys
from pathlib import Path

import torch
import torch.nn.functional as F

sys.dont_write_bytecode = True

from safetensors_file import write  # noqa: E402

torch.manual_seed(20260101)
torch.set_num_threads(1)
TENSORS = {}


def rand(*shape, scale=1.0):
    # Rounded to f32 first, so that both sides start from the same numbers.
    return (torch.randn(shape, dtype=torch.float32) * scale).double()


def case(name, function, inputs, **data):
    leaves = {key: value.clone().requires_grad_() for key, value in inputs.items()}
    out = function(**leaves)
    up = rand(*out.shape)
    out.backward(up)
    for key, value in leaves.items():
        TENSORS[f"{name}.in.{key}"] = value.detach().float()
        TENSORS[f"{name}.grad.{key}"] = value.grad.float()
    for key, value in data.items():
        TENSORS[f"{name}.data.{key}"] = value
    TENSORS[f"{name}.out"] = out.detach().float()
    TENSORS[f"{name}.up"] = up.float()


def ints(values):
    return torch.tensor(values, dtype=torch.int64)


case(
    "rms_norm",
    lambda x, weight: F.rms_norm(x, (24,), weight, eps=1e-5),
    dict(x=rand(7, 24), weight=rand(24)),
)
case(
    "layer_norm",
    lambda x, weight, bias: F.layer_norm(x, (24,), weight, bias, eps=1e-5),
    dict(x=rand(7, 24), weight=rand(24), bias=rand(24)),
)


def rotated(x, angles):
    """The Llama form: x cos + rotate_half(x) sin, with the angles twice side by side."""
    angles = torch.cat([angles, angles], dim=-1)[:, None, :]
    half = x.shape[-1] // 2
    turned = torch.cat([-x[..., half:], x[..., :half]], dim=-1)
    return x * angles.cos() + turned * angles.sin()


def frequencies(pairs, theta):
    return theta ** (-torch.arange(pairs, dtype=torch.float64) / pairs)


positions = ints([0, 1, 2, 7, 100])
case(
    "rope_text",
    lambda x: rotated(x, positions[:, None] * frequencies(6, 10000.0)),
    dict(x=rand(5, 2, 12)),
    positions=positions,
)
cells = ints([[0, 0], [0, 1], [3, 0], [5, 9]])
case(
    "rope_grid",
    lambda x: rotated(
        x,
        torch.cat([cells[:, :1] * frequencies(3, 100.0), cells[:, 1:] * frequencies(3, 100.0)], 1),
    ),
    dict(x=rand(4, 2, 12)),
    cells=cells,
)


def attention(ranges, scale):
    def run(q, k, v):
        group = q.shape[1] // k.shape[1]
        keys = torch.arange(k.shape[0])
        mask = (ranges[:, :1] <= keys) & (keys < ranges[:, 1:])
        seen = mask.any(1)
        heads = lambda x: x.transpose(0, 1)
        out = F.scaled_dot_product_attention(
            heads(q)[:, seen],
            heads(k).repeat_interleave(group, 0),
            heads(v).repeat_interleave(group, 0),
            attn_mask=mask[seen],
            scale=scale,
        )
        # PyTorch gives NaN where nothing is seen; ours is defined to be zero there.
        return torch.zeros_like(q).index_put((seen.nonzero()[:, 0],), out.transpose(0, 1))

    return run


def attention_case(name, queries, keys, head_dim, ranges, scale):
    inputs = dict(q=rand(*queries, head_dim), k=rand(*keys, head_dim), v=rand(*keys, head_dim))
    case(name, attention(ranges, scale), inputs, ranges=ranges, scale=torch.tensor([scale]))


causal = [[0, i + 1] for i in range(9)] + [[9, i + 1] for i in range(9, 14)]
attention_case("attention_causal_mqa", (14, 4), (14, 1), 8, ints(causal), 0.35)
within = [[0, 6]] * 6 + [[6, 13]] * 7
attention_case("attention_within_gqa", (13, 6), (13, 2), 8, ints(within), 0.3)
latest = [[0, 0]] * 3 + [[0, 5]] * 4 + [[5, 12]] * 3 + [[12, 12]]
attention_case("attention_cross", (11, 4), (12, 2), 8, ints(latest), 0.4)

case("linear", lambda x, w: F.linear(x, w), dict(x=rand(5, 12), w=rand(7, 12)))
case("linear_bias", F.linear, dict(input=rand(5, 12), weight=rand(7, 12), bias=rand(7)))


def swiglu_ffn(x, w_gate_up, w_down):
    gate, up = F.linear(x, w_gate_up).chunk(2, -1)
    return F.linear(F.silu(gate) * up, w_down)


case(
    "swiglu_ffn",
    swiglu_ffn,
    dict(x=rand(6, 12), w_gate_up=rand(20, 12, scale=0.3), w_down=rand(12, 10, scale=0.3)),
)


def expert_ffn(x, router, w_gate_up, w_down):
    p, chosen = F.linear(x, router).softmax(-1).topk(2, -1)
    p = p / p.sum(-1, keepdim=True)
    rows = []
    for row, weights, experts in zip(x, p, chosen):
        terms = [w * swiglu_ffn(row, w_gate_up[e], w_down[e]) for w, e in zip(weights, experts)]
        rows.append(sum(terms))
    return torch.stack(rows)


case(
    "expert_ffn",
    expert_ffn,
    dict(
        x=rand(10, 8),
        router=rand(4, 8),
        w_gate_up=rand(4, 12, 8, scale=0.4),
        w_down=rand(4, 8, 6, scale=0.4),
    ),
)

targets = ints([3, 0, 16, 5, 9, 16])
weights = torch.tensor([1.0, 0.5, 0.0, 2.0, 0.25, 1.0])
case(
    "cross_entropy",
    lambda h, w_head: (weights * F.cross_entropy(h @ w_head.T, targets, reduction="none")).sum(),
    dict(h=rand(6, 8), w_head=rand(17, 8)),
    targets=targets,
    weights=weights,
)
case(
    "embedding",
    lambda table: F.embedding(ints([2, 0, 2, 4, 2]), table),
    dict(table=rand(5, 6)),
    ids=ints([2, 0, 2, 4, 2]),
)
case(
    "gated_add",
    lambda x, y, gate: x + gate.tanh() * y,
    dict(x=rand(4, 9), y=rand(4, 9), gate=rand(1)),
)


def images(x, grids):
    """The packed grids of x as (1, C, h, w) images."""
    parts = x.split([h * w for h, w in grids])
    return [part.T.reshape(1, -1, h, w) for part, (h, w) in zip(parts, grids)]


def rows(image):
    return image[0].flatten(1).T


GRIDS = [(5, 4), (1, 3), (6, 7)]


def conv2d(x, w, b):
    kernel = w.reshape(w.shape[0], 3, 3, -1).permute(0, 3, 1, 2)  # (O, C, 3, 3)
    return torch.cat([rows(F.conv2d(i, kernel, b, 2, 1)) for i in images(x, GRIDS)])


def depthwise(x, w):
    kernel = w.T.reshape(-1, 1, 3, 3)
    return torch.cat(
        [rows(F.conv2d(i, kernel, padding=1, groups=len(kernel))) for i in images(x, GRIDS)]
    )


case("conv2d", conv2d, dict(x=rand(65, 5), w=rand(6, 45), b=rand(6)), grids=ints(GRIDS))
case("depthwise_conv3", depthwise, dict(x=rand(65, 5), w=rand(9, 5)), grids=ints(GRIDS))


def ctc(logits):
    losses = []
    for n, target in enumerate(CTC_TARGETS):
        part = logits[CTC_OFFSETS[n] : CTC_OFFSETS[n + 1]].log_softmax(-1)
        lengths = (ints([len(part)]), ints([len(target)]))
        losses.append(
            F.ctc_loss(part, ints(target), *lengths, blank=1, reduction="sum", zero_infinity=True)
        )
    return (torch.stack(losses) * CTC_WEIGHTS).sum()


CTC_OFFSETS = [0, 8, 10, 16]
CTC_TARGETS = [[2, 2, 0], [3, 3], [4, 0, 4, 2]]  # The second cannot be spelled in two frames.
CTC_WEIGHTS = torch.tensor([1.0, 1.0, 0.5])
case(
    "ctc",
    ctc,
    dict(logits=rand(16, 5)),
    offsets=ints(CTC_OFFSETS),
    targets=ints(sum(CTC_TARGETS, [])),
    lengths=ints([len(t) for t in CTC_TARGETS]),
    weights=CTC_WEIGHTS,
)


write(Path(__file__).parent / "kernels.safetensors", TENSORS)
