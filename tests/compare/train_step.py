"""Times one training step of `mini` in PyTorch and in avocet, on the same machine in one run, and
prints both peak memories and the ratios.

    cargo build --release -p avocet && python3 tests/compare/train_step.py

The step is a joint one as `avocet bench --train-step` takes it: 64 samples of 40 to 144 patches and
20 to 40 tokens; text loss on the answers, balance and z-loss, CTC on the patch columns; backward;
clipping; AdamW. The two sides take turns, and each side's best round counts, because other work on
the machine only ever adds time. PyTorch runs in a process of its own, as avocet does, so that its
peak memory is its own.
"""

import argparse
import json
import os
import random
import statistics
import subprocess
import sys
import time
import tomllib
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
SAMPLES = 64
WARM_UP = 2
# Labels of the CTC head, its frames a column, and its weight, as in avocet-train.
LABELS, FRAMES, CTC_WEIGHT = 96, 2, 0.1


def peak_rss_mib():
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) / 1024
    return 0.0


def synthetic_batch(config, torch):
    """The same distribution as step_bench.rs in avocet-train."""
    rng = random.Random(1)
    vision, decoder = config["vision"], config["decoder"]
    grids, offsets, latest_image, weights, spelled = [], [0], [], [], []
    for sample in range(SAMPLES):
        wanted = rng.randint(min(40, vision["max_patches"]), min(144, vision["max_patches"]))
        rows = rng.randint(1, int(wanted**0.5))
        grids.append((rows, wanted // rows))
        spelled.append([rng.randrange(1, LABELS) for _ in range(min(8, grids[-1][1]))])
        tokens, answer = rng.randint(20, 40), rng.randint(2, 8)
        weights += [float(place + answer >= tokens) for place in range(tokens)]
        latest_image += [sample if place > 0 else None for place in range(tokens)]
        offsets.append(offsets[-1] + tokens)
    count = sum(rows * cols for rows, cols in grids)
    return {
        "patches": 2 * torch.rand(count, 3 * vision["patch_size"] ** 2) - 1,
        "grids": grids,
        "ids": torch.randint(0, decoder["vocab_size"], (offsets[-1],)),
        "targets": torch.randint(0, decoder["vocab_size"], (offsets[-1],)),
        "weights": torch.tensor(weights),
        "offsets": offsets,
        "latest_image": latest_image,
        "spelled": spelled,
    }


def ctc_loss(torch, features, head, batch):
    """CTC over the means of each image's columns."""
    F = torch.nn.functional
    columns, starts = [], [0]
    for rows, cols in batch["grids"]:
        columns.append(torch.arange(cols).repeat(rows) + starts[-1])
        starts.append(starts[-1] + cols)
    columns = torch.cat(columns)
    rows = torch.tensor([rows for rows, _ in batch["grids"]])
    rows = rows.repeat_interleave(torch.tensor(starts).diff())
    means = features.new_zeros((starts[-1], features.shape[1])).index_add(0, columns, features)
    logits = head(means / rows[:, None]).float().view(-1, LABELS).log_softmax(-1)
    lengths = [FRAMES * (end - start) for start, end in zip(starts, starts[1:])]
    padded = torch.nn.utils.rnn.pad_sequence(logits.split(lengths))  # (frames, N, labels)
    spelled = batch["spelled"]
    flat = torch.tensor(sum(spelled, []))
    sizes = torch.tensor([len(text) for text in spelled])
    total = F.ctc_loss(
        padded, flat, torch.tensor(lengths), sizes, reduction="sum", zero_infinity=True
    )
    return total / len(flat)


def peer(args):
    """Runs in a process of its own: times PyTorch and prints a JSON object."""
    sys.dont_write_bytecode = True
    sys.path.insert(0, str(ROOT / "tests/golden"))
    import torch
    import torch.nn.functional as F
    from avocet_torch import Avocet, Images, Text

    torch.set_num_threads(args.threads)
    torch.manual_seed(1)
    config = tomllib.loads((ROOT / f"assets/configs/{args.model}.toml").read_text())
    model = Avocet(config)
    head = torch.nn.Linear(config["vision"]["dim"], LABELS * FRAMES)
    parameters = [*model.named_parameters(), *head.named_parameters()]
    decays = lambda name, value: value.dim() >= 2 and "embed" not in name
    groups = [
        {"params": [v for n, v in parameters if decays(n, v)], "weight_decay": 0.05},
        {"params": [v for n, v in parameters if not decays(n, v)], "weight_decay": 0.0},
    ]
    optimizer = torch.optim.AdamW(groups, lr=3e-4, fused=True)
    everything = [value for _, value in parameters]
    batch = synthetic_batch(config, torch)
    images = Images(batch["patches"], batch["grids"])
    text = Text(batch["ids"], batch["offsets"], batch["latest_image"])
    answers = batch["weights"].nonzero().squeeze(1)
    before = peak_rss_mib()

    def forward():
        with torch.autocast("cpu", torch.bfloat16, enabled=args.precision == "bf16"):
            features, offsets = model.vision(images)
            loss = CTC_WEIGHT * ctc_loss(torch, features, head, batch)
            latents = (features, offsets)
            if hasattr(model, "resampler"):
                latents = model.resampler(*latents)
            hidden, routers = model(text, latents)
            logits = F.linear(hidden[answers], model.head())
        loss = loss + F.cross_entropy(logits.float(), batch["targets"][answers])
        return loss + sum(0.01 * balance + 0.001 * z for balance, z in routers)

    times = []
    for _ in range(WARM_UP + args.steps):
        start = time.perf_counter()
        loss = forward()
        seen = time.perf_counter()
        loss.backward()
        back = time.perf_counter()
        torch.nn.utils.clip_grad_norm_(everything, 1.0)
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)
        end = time.perf_counter()
        times.append([end - start, seen - start, back - seen, end - back])
    step, forward_s, backward_s, optimizer_s = map(statistics.median, zip(*times[WARM_UP:]))
    report = {
        "train_step_ms": step * 1e3,
        "forward_ms": forward_s * 1e3,
        "backward_ms": backward_s * 1e3,
        "optimizer_ms": optimizer_s * 1e3,
        "tokens_per_s": len(text.ids) / step,
        "peak_rss_mib": peak_rss_mib(),
        "before_first_step_mib": before,
        "torch": torch.__version__,
    }
    print(json.dumps(report))


def reported(command, env=None):
    """The JSON object that a command prints, looked for in nested objects too."""
    done = subprocess.run(command, capture_output=True, text=True, env=env)
    if done.returncode != 0:
        sys.exit(f"{' '.join(map(str, command))} failed:\n{done.stderr.strip()}")
    value = json.loads(done.stdout)
    while "train_step_ms" not in value:
        nested = [v for v in value.values() if isinstance(v, dict) and "train_step" in json.dumps(v)]
        if not nested:
            sys.exit(f"{command[0]} reports no train_step_ms: {done.stdout.strip()}")
        value = nested[0]
    return value


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", default="mini", help="a preset of assets/configs")
    parser.add_argument("--threads", type=int, default=len(os.sched_getaffinity(0)))
    parser.add_argument("--steps", type=int, default=5, help="steps timed in a round")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--precision", choices=["f32", "bf16"], default="f32")
    parser.add_argument("--avocet", type=Path, default=ROOT / "target/release/avocet")
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--peer", action="store_true", help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.peer:
        return peer(args)
    if not args.avocet.exists():
        sys.exit(f"{args.avocet} is not built: cargo build --release -p avocet")
    ours_command = [args.avocet, "bench", "--train-step", "--json", "--model", args.model]
    if args.precision != "f32":
        ours_command += ["--precision", args.precision]
    threads = str(args.threads)
    env = {**os.environ, "RAYON_NUM_THREADS": threads, "OMP_NUM_THREADS": threads}
    peer_command = [sys.executable, __file__, "--peer", "--model", args.model]
    peer_command += ["--threads", threads, "--steps", str(args.steps)]
    peer_command += ["--precision", args.precision]
    rounds = [(reported(ours_command, env), reported(peer_command, env)) for _ in range(args.rounds)]
    best = lambda reports: min(reports, key=lambda report: report["train_step_ms"])
    ours, theirs = (best(side) for side in zip(*rounds))
    speed = theirs["train_step_ms"] / ours["train_step_ms"]
    memory = ours.get("peak_rss_mib", 0) / theirs["peak_rss_mib"]
    if args.json:
        result = {"avocet": ours, "pytorch": theirs, "speed": speed, "memory": memory}
        print(json.dumps(result))
        return
    print(f"{args.model}, {args.precision}, {threads} threads, best of {args.rounds} rounds")
    print(f"{'':<24}{'avocet':>10}{'PyTorch':>10}")
    for name in ["train_step_ms", "forward_ms", "backward_ms", "optimizer_ms", "tokens_per_s"]:
        print(f"{name:<24}{ours.get(name, float('nan')):>10.1f}{theirs[name]:>10.1f}")
    print(f"{'peak_rss_mib':<24}{ours.get('peak_rss_mib', 0):>10.0f}{theirs['peak_rss_mib']:>10.0f}")
    print(f"{'of it before a step':<24}{'':>10}{theirs['before_first_step_mib']:>10.0f}")
    print(f"speed {speed:.2f} x PyTorch (above 1 is faster), memory {memory:.2f} x PyTorch")


if __name__ == "__main__":
    main()
