"""Times avocet's CLIP tower against PyTorch's on the CPU: random weights in the shape of ViT-L/14.

    pip install torch transformers
    cargo build --release -p avocet && python3 tests/compare/vision.py

Both encode four pictures of 224 x 224 together on two threads, in alternating rounds; PyTorch runs
transformers' CLIPVisionModel in f32, avocet the weights as they lie in a mapped file of BF16, with
products in f32. The best of some runs counts in a round.

    --avocet PATH     the binary, target/release/avocet unless named
    --rounds N        rounds of each, 3 unless named
    --layers N        blocks of the tower, 24 unless named
    --json            prints one JSON object
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import torch
from transformers import CLIPVisionConfig, CLIPVisionModel

ROOT = Path(__file__).resolve().parents[2]
NUM_THREADS = 2
PICTURES = 4
RUNS = 3
SIZES = {"dim": 1024, "num_heads": 16, "ff_dim": 4096, "patch_size": 14, "image_size": 224}
CONFIG = """
name = "vit-l-14"

# The bench wants a decoder; this one takes no time.
[decoder]
vocab_size = 2048
dim = 64
num_layers = 1
num_heads = 1
num_kv_heads = 1
head_dim = 64
rope_theta = 10000.0
max_context = 64
norm_eps = 1e-5
tied_embeddings = true
ff_dim = 64

[clip]
norm_eps = 1e-5
ff = "quick_gelu"
class_token = true
pre_norm = true
"""


def ours(binary, config):
    env = {**os.environ, "RAYON_NUM_THREADS": str(NUM_THREADS)}
    command = [binary, "bench", "--json", "--family", config]
    done = subprocess.run(command, capture_output=True, text=True, env=env)
    if done.returncode != 0:
        sys.exit(f"avocet bench: exit {done.returncode}: {done.stderr[-400:]}")
    return json.loads(done.stdout)["families"][0]["vision"]["images_per_s"]


def theirs(model, pictures):
    best = 0.0
    for _ in range(RUNS):
        start = time.perf_counter()
        with torch.inference_mode():
            model(pictures)
        best = max(best, PICTURES / (time.perf_counter() - start))
    return best


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--avocet", type=Path, default=ROOT / "target/release/avocet")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--layers", type=int, default=24)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    binary = options.avocet.resolve()
    if not binary.is_file():
        parser.error(f"no binary at {binary}; build it with cargo build --release -p avocet")
    torch.set_num_threads(NUM_THREADS)
    torch.manual_seed(1)
    model = CLIPVisionModel(
        CLIPVisionConfig(
            hidden_size=SIZES["dim"],
            intermediate_size=SIZES["ff_dim"],
            num_hidden_layers=options.layers,
            num_attention_heads=SIZES["num_heads"],
            image_size=SIZES["image_size"],
            patch_size=SIZES["patch_size"],
        )
    ).eval()
    pictures = torch.randn(PICTURES, 3, SIZES["image_size"], SIZES["image_size"])
    speeds = {"avocet": [], "pytorch": []}
    with tempfile.TemporaryDirectory() as scratch:
        config = Path(scratch) / "vit.toml"
        sizes = "".join(f"{name} = {size}\n" for name, size in SIZES.items())
        config.write_text(f"{CONFIG}{sizes}num_layers = {options.layers}\n")
        for _ in range(options.rounds):
            speeds["avocet"].append(ours(binary, config))
            speeds["pytorch"].append(theirs(model, pictures))
    result = {"threads": NUM_THREADS, "layers": options.layers, "load": os.getloadavg()[0]}
    for name, values in speeds.items():
        result[name] = {"best": max(values), "median": statistics.median(values)}
    for kind in ("best", "median"):
        result[f"ratio_of_{kind}"] = result["avocet"][kind] / result["pytorch"][kind]
    if options.json:
        print(json.dumps(result))
        return
    print(f"ViT-L/14 of {options.layers} blocks, {NUM_THREADS} threads, load {result['load']:.1f}")
    for name in speeds:
        print(f"{name:<8} {result[name]['best']:6.2f} images/s, median {result[name]['median']:.2f}")
    print(f"ratio {result['ratio_of_best']:.2f} of the best, {result['ratio_of_median']:.2f} of medians")


if __name__ == "__main__":
    main()
