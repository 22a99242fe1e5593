"""Measures what the planner's model of a GPU is held against: products of many shapes, memory
bandwidth, and whole decoder layers forward and backward. Needs PyTorch and one GPU; prints one
JSON object. The rows kept in h100.json were made by it."""

import json

import torch
import torch.nn.functional as F

torch.manual_seed(0)
DEVICE = "cuda"


def seconds(work, repeats=10, warm=3):
    """Mean time of one call, after a few to warm up."""
    for _ in range(warm):
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
    """bf16 products (m, k) x (k, n) of a training layer's and of a decoding step's shapes."""
    rows = []
    shapes = [(m, n, k) for m in (2048, 8192) for n in (1280, 3584, 4096, 8192, 14336) for k in (512, 1024, 2048, 4096, 8192)]
    shapes += [(m, n, k) for m in (1, 8, 32, 64, 128, 256, 512, 1024) for n, k in ((4096, 4096), (14336, 4096), (8192, 8192), (28672, 8192), (8192, 1024))]
    for m, n, k in shapes:
        a = torch.randn(m, k, device=DEVICE, dtype=torch.bfloat16)
        # Several matrices in turn, so that a small one is not read from the cache.
        count = max(1, min(16, int(2e8 / (n * k * 2))))
        b = [torch.randn(n, k, device=DEVICE, dtype=torch.bfloat16) for _ in range(count)]
        turn = [0]

        def work():
            turn[0] = (turn[0] + 1) % count
            return F.linear(a, b[turn[0]])

        rows.append({"m": m, "n": n, "k": k, "seconds": seconds(work, 50 if m < 2048 else 20)})
        del a, b
    return rows


def bandwidth():
    """Bytes a second, read and written, of large copies."""
    a = torch.empty(2**31, device=DEVICE, dtype=torch.uint8)
    b = torch.empty_like(a)
    return 2 * a.numel() / seconds(lambda: b.copy_(a))


class Layer(torch.nn.Module):
    """A Llama layer, or one rank's part of it: fewer heads and a narrower feed-forward."""

    def __init__(self, dim, heads, kv_heads, head_dim, ff_dim):
        super().__init__()
        linear = lambda i, o: torch.nn.Linear(i, o, bias=False)
        self.heads, self.kv_heads, self.head_dim = heads, kv_heads, head_dim
        self.norm, self.ff_norm = torch.nn.RMSNorm(dim), torch.nn.RMSNorm(dim)
        self.qkv = linear(dim, (heads + 2 * kv_heads) * head_dim)
        self.output = linear(heads * head_dim, dim)
        self.gate_up, self.down = linear(dim, 2 * ff_dim), linear(ff_dim, dim)

    def forward(self, x, cos, sin):
        b, t, _ = x.shape
        qkv = self.qkv(self.norm(x)).view(b, t, -1, self.head_dim).transpose(1, 2)
        q, k, v = qkv.split([self.heads, self.kv_heads, self.kv_heads], dim=1)
        turn = lambda y: y * cos + torch.cat([-y[..., self.head_dim // 2 :], y[..., : self.head_dim // 2]], -1) * sin
        out = F.scaled_dot_product_attention(turn(q), turn(k), v, is_causal=True, enable_gqa=self.kv_heads != self.heads)
        x = x + self.output(out.transpose(1, 2).reshape(b, t, -1))
        gate, up = self.gate_up(self.ff_norm(x)).chunk(2, dim=-1)
        return x + self.down(F.silu(gate) * up)


def layers():
    """Forward and backward of whole layers, elementwise work fused by torch.compile."""
    rows = []
    cases = [
        (4096, 32, 8, 128, 14336, 1, 8192),
        (4096, 32, 32, 128, 11008, 2, 4096),
        (8192, 64, 8, 128, 28672, 1, 4096),
        (8192, 8, 1, 128, 3584, 1, 8192),
        (16384, 16, 1, 128, 6656, 1, 8192),
        (2048, 16, 16, 128, 5632, 8, 2048),
    ]
    for dim, heads, kv_heads, head_dim, ff_dim, batch, tokens in cases:
        torch._dynamo.reset()
        layer = Layer(dim, heads, kv_heads, head_dim, ff_dim).to(DEVICE, torch.bfloat16)
        compiled = torch.compile(layer)
        x = torch.randn(batch, tokens, dim, device=DEVICE, dtype=torch.bfloat16, requires_grad=True)
        cos, sin = (torch.randn(tokens, head_dim, device=DEVICE, dtype=torch.bfloat16) for _ in range(2))
        grad = torch.randn_like(x)
        compiled(x, cos, sin).backward(grad)
        x.grad = None
        layer.zero_grad(set_to_none=True)
        before = torch.cuda.memory_allocated()
        y = compiled(x, cos, sin)
        saved = torch.cuda.memory_allocated() - before - y.numel() * 2
        del y
        forward = seconds(lambda: compiled(x, cos, sin), 10)

        def both():
            x.grad = None
            layer.zero_grad(set_to_none=True)
            compiled(x, cos, sin).backward(grad)

        both_s = seconds(both, 10)
        rows.append(
            dict(dim=dim, num_heads=heads, num_kv_heads=kv_heads, head_dim=head_dim, ff_dim=ff_dim, batch=batch,
                 tokens=tokens, forward_s=forward, both_s=both_s, saved_bytes=saved)
        )
        del layer, compiled, x, grad
    return rows


def decoding():
    """One decoding step of Llama-like layers: `batch` sequences, `context` remembered tokens."""
    rows = []
    dim, heads, kv_heads, head_dim, ff_dim, count = 4096, 32, 8, 128, 14336, 8
    for batch, context in ((1, 2048), (16, 2048), (64, 2048), (128, 2048), (256, 1024)):
        stack = [Layer(dim, heads, kv_heads, head_dim, ff_dim).to(DEVICE, torch.bfloat16) for _ in range(count)]
        caches = [torch.randn(2, batch, kv_heads, context, head_dim, device=DEVICE, dtype=torch.bfloat16) for _ in range(count)]
        x = torch.randn(batch, 1, dim, device=DEVICE, dtype=torch.bfloat16)

        def step(y):
            for layer, (k, v) in zip(stack, caches):
                qkv = layer.qkv(layer.norm(y)).view(batch, 1, -1, head_dim).transpose(1, 2)
                q = qkv[:, :heads].reshape(batch, kv_heads, heads // kv_heads, head_dim)
                out = F.scaled_dot_product_attention(q, k, v).reshape(batch, 1, -1)
                y = y + layer.output(out)
                gate, up = layer.gate_up(layer.ff_norm(y)).chunk(2, dim=-1)
                y = y + layer.down(F.silu(gate) * up)
            return y

        with torch.no_grad():
            for _ in range(3):
                step(x)
            graph = torch.cuda.CUDAGraph()
            with torch.cuda.graph(graph):
                step(x)
            rows.append(dict(batch=batch, context=context, layer_s=seconds(graph.replay, 20) / count))
        del stack, caches, graph
    return rows


print(
    json.dumps(
        {
            "gpu": torch.cuda.get_device_name(),
            "torch": torch.__version__,
            "bandwidth": bandwidth(),
            "products": products(),
            "layers": layers(),
            "decoding": decoding(),
        }
    )
)
