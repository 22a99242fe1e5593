"""Milliseconds of PyTorch for the work of crates/avocet-kernels/benches/kernels.rs.

Run side by side with `cargo bench -p avocet-kernels`; torch.set_num_threads follows the machine.
Packed sequences become padded or equal-sized batches, which favours PyTorch.
"""

import time

import torch
import torch.nn.functional as F


def best(run):
    """The best of several runs: on the clock, and processor time (steady on a busy machine)."""
    run()
    wall = cpu = float("inf")
    started, runs = time.perf_counter(), 0
    while runs < 3 or time.perf_counter() - started < 0.4:
        start, cpu_start = time.perf_counter(), time.process_time()
        run()
        wall = min(wall, time.perf_counter() - start)
        cpu = min(cpu, time.process_time() - cpu_start)
        runs += 1
    return wall * 1e3, cpu * 1e3


def report(name, inputs, f):
    plain = [x.detach() for x in inputs]
    with torch.no_grad():
        forward = best(lambda: f(*plain))
        up = torch.ones_like(f(*plain))

    def both():
        leaves = [x.detach().requires_grad_() for x in inputs]
        f(*leaves).backward(up)

    (wall, cpu), (both_wall, both_cpu) = forward, best(both)
    print(f"{name:<48} {wall:9.3f} {both_wall:9.3f} {cpu:9.3f} {both_cpu:9.3f}")


def rand(*shape):
    return torch.rand(shape) * 2 - 1


def attend(causal):
    return lambda q, k, v: F.scaled_dot_product_attention(
        q, k, v, is_causal=causal, enable_gqa=q.shape[1] != k.shape[1]
    )


print(f"{'milliseconds':<48} {'forward':>9} {'both':>9} {'cpu':>9} {'both':>9}")
for n in (64, 144):
    qkv = [rand(64, 6, n, 32) for _ in range(3)]
    report(f"attention, 64 images x {n}, 6 heads x 32", qkv, attend(False))
qkv = [rand(64, 8, 40, 32), rand(64, 1, 40, 32), rand(64, 1, 40, 32)]
report("attention, 64 texts x 40 tokens, MQA 8 x 32", qkv, attend(True))
qkv = [rand(64, 8, 25, 32), rand(64, 8, 144, 32), rand(64, 8, 144, 32)]
report("attention, 64 x 25 tokens x 144 latents, 8 x 32", qkv, attend(False))
for keys in (512, 8192):
    qkv = [rand(1, 8, 1, 32), rand(1, 1, keys, 32), rand(1, 1, keys, 32)]
    report(f"attention, decode over {keys} keys, MQA 8 x 32", qkv, attend(False))
qkv = [rand(1, 8, 2048, 32), rand(1, 1, 2048, 32), rand(1, 1, 2048, 32)]
report("attention, causal, 2048 tokens, MQA 8 x 32", qkv, attend(True))
for side, channels, outputs in ((96, 3, 32), (48, 32, 64), (24, 64, 192)):
    x = rand(64, channels, side, side).contiguous(memory_format=torch.channels_last)
    w = rand(outputs, channels, 3, 3).contiguous(memory_format=torch.channels_last)
    conv = lambda x, w, b: F.conv2d(x, w, b, stride=2, padding=1)
    report(f"conv2d, 64 x {side} x {side}, {channels} to {outputs}", [x, w, rand(outputs)], conv)
x = rand(64, 192, 12, 12).contiguous(memory_format=torch.channels_last)
depthwise = lambda x, w: F.conv2d(x, w, padding=1, groups=192)
report("depthwise_conv3, 64 x 12 x 12, 192", [x, rand(192, 1, 3, 3)], depthwise)
x = rand(9216, 192)
report("rms_norm, 9216 x 192", [x, rand(192)], lambda x, w: F.rms_norm(x, (192,), w, 1e-5))
layer_norm = lambda x, w, b: F.layer_norm(x, (192,), w, b, 1e-5)
report("layer_norm, 9216 x 192", [x, rand(192), rand(192)], layer_norm)
report("gated_add, 9216 x 192", [x, rand(9216, 192), rand(1)], lambda x, y, g: x + g.tanh() * y)
report("gelu, 9216 x 768", [rand(9216, 768)], F.gelu)
targets = torch.randint(2048, (2048,))
loss = lambda h, w: F.cross_entropy(h @ w.T, targets, reduction="sum")
report("cross_entropy, 2048 x 256, vocabulary 2048", [rand(2048, 256), rand(2048, 256)], loss)
lengths = torch.full((64,), 48), torch.full((64,), 12)
labels = torch.randint(1, 100, (64, 12))
ctc = lambda x: F.ctc_loss(x.log_softmax(-1), labels, *lengths, reduction="sum")
report("ctc_loss, 64 x 48 frames, 100 labels", [rand(48, 64, 100)], ctc)
