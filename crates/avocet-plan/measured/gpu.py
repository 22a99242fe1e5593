"""Measures what the planner's model of a GPU is fitted on and held against: products of many shapes,
memory bandwidth, and Llama layers forward and backward. Needs PyTorch and one GPU; prints one JSON
object. h100.json beside this file is what it printed on an H100, rounded."""

import json

import torch
import torch.nn as nn
import torch.nn.functional as F

DEVICE, BF16 = "cuda", torch.bfloat16


def seconds(work, repeats):
    """Mean time of one call, after three to warm up."""
    for _ in range(3):
        work()
    torch.cuda.synchronize()
    start, end = (torch.cuda.Event(enable_timing=True) for _ in range(2))
    start.record()
    for _ in range(repeats):
        work()
    end.record()
    torch.cuda.synchronize()
    return start.elapsed_time(end) / 1e3 / repeats


def products():
    """(m, n, k, seconds) of bf16 products as layers in training and in decoding have them."""
    thick = [(m, n, k) for m in (2048, 8192) for n in (1280, 3584, 4096, 8192, 14336) for k in (512, 1024, 2048, 4096, 8192)]
    weights = ((4096, 4096), (14336, 4096), (8192, 8192), (28672, 8192), (8192, 1024))
    thin = [(m, n, k) for m in (1, 8, 32, 64, 128, 256, 512, 1024) for n, k in weights]
    rows = []
    for m, n, k in thick + thin:
        a = torch.randn(m, k, device=DEVICE, dtype=BF16)
        # Several matrices in turn, so that a small one is not read from the cache; one graph, so that
        # nothing waits for the CPU.
        count = max(1, min(16, int(2e8 / (n * k * 2))))
        b = [torch.randn(n, k, device=DEVICE, dtype=BF16) for _ in range(count)]
        repeats = max(16, count)
        for _ in range(3):
            F.linear(a, b[0])
        torch.cuda.synchronize()
        graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(graph):
            for i in range(repeats):
                F.linear(a, b[i % count])
        rows.append([m, n, k, seconds(graph.replay, 5) / repeats])
        del a, b, graph
    return rows


def bandwidth():
    """Bytes a second, read and written, of a large copy."""
    a = torch.empty(2**31, device=DEVICE, dtype=torch.uint8)
    b = torch.empty_like(a)
    return 2 * a.numel() / seconds(lambda: b.copy_(a), 20)


def products_8bit():
    """The same as products, of 8-bit floating-point operands."""
    rows = []
    for m in (512, 1024, 4096, 8192):
        for n, k in ((4096, 7168), (7168, 2048), (24576, 1536), (7168, 16384)):
            a = torch.randn(m, k, device=DEVICE).to(torch.float8_e4m3fn)
            b = torch.randn(n, k, device=DEVICE).to(torch.float8_e4m3fn).t()
            one = torch.tensor(1.0, device=DEVICE)
            rows.append([m, n, k, seconds(lambda: torch._scaled_mm(a, b, one, one, out_dtype=BF16), 20)])
    return rows


def linear(inputs, outputs):
    return nn.Linear(inputs, outputs, bias=False)


class Layer(nn.Module):
    """A Llama layer, or one GPU's part of it: fewer heads of 128 and a narrower feed-forward."""

    def __init__(self, dim, heads, kv_heads, ff_dim):
        super().__init__()
        self.heads, self.kv_heads = heads, kv_heads
        self.norm, self.ff_norm = nn.RMSNorm(dim), nn.RMSNorm(dim)
        self.qkv, self.output = linear(dim, (heads + 2 * kv_heads) * 128), linear(heads * 128, dim)
        self.gate_up, self.down = linear(dim, 2 * ff_dim), linear(ff_dim, dim)

    def forward(self, x, cos, sin):
        b, t, _ = x.shape
        qkv = self.qkv(self.norm(x)).view(b, t, -1, 128).transpose(1, 2)
        q, k, v = qkv.split([self.heads, self.kv_heads, self.kv_heads], 1)

        def turned(y):
            return y * cos + torch.cat([-y[..., 64:], y[..., :64]], -1) * sin

        grouped = self.kv_heads != self.heads
        y = F.scaled_dot_product_attention(turned(q), turned(k), v, is_causal=True, enable_gqa=grouped)
        x = x + self.output(y.transpose(1, 2).reshape(b, t, -1))
        gate, up = self.gate_up(self.ff_norm(x)).chunk(2, -1)
        return x + self.down(F.silu(gate) * up)


def layers():
    """Forward alone, forward and backward, and the bytes kept between them."""
    cases = [
        (4096, 32, 8, 14336, 1, 8192),
        (4096, 32, 32, 11008, 2, 4096),
        (8192, 64, 8, 28672, 1, 4096),
        (8192, 8, 1, 3584, 1, 8192),
        (16384, 16, 1, 6656, 1, 8192),
        (2048, 16, 16, 5632, 8, 2048),
    ]
    rows = []
    for dim, heads, kv_heads, ff_dim, batch, tokens in cases:
        torch._dynamo.reset()
        layer = Layer(dim, heads, kv_heads, ff_dim).to(DEVICE, BF16)
        compiled = torch.compile(layer)
        x = torch.randn(batch, tokens, dim, device=DEVICE, dtype=BF16, requires_grad=True)
        cos, sin = (torch.randn(tokens, 128, device=DEVICE, dtype=BF16) for _ in range(2))
        grad = torch.randn_like(x)

        def both():
            x.grad = None
            layer.zero_grad()
            compiled(x, cos, sin).backward(grad)

        both()
        x.grad = None
        layer.zero_grad()
        before = torch.cuda.memory_allocated()
        y = compiled(x, cos, sin)
        saved = torch.cuda.memory_allocated() - before
        del y
        row = dict(dim=dim, num_heads=heads, num_kv_heads=kv_heads, ff_dim=ff_dim, batch=batch, tokens=tokens)
        row["forward_s"] = seconds(lambda: compiled(x, cos, sin), 10)
        row["both_s"] = seconds(both, 10)
        row["saved_bytes"] = saved
        rows.append(row)
        del layer, compiled, x, grad
    return rows


print(
    json.dumps(
        {
            "gpu": torch.cuda.get_device_name(),
            "torch": torch.__version__,
            "bandwidth": bandwidth(),
            "products": products(),
            "products_8bit": products_8bit(),
            "layers": layers(),
        }
    )
)
