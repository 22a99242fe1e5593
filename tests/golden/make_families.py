"""Writes tests/golden/families: one tiny random model per public family, with what the reference
libraries compute for it.

    python3 tests/golden/make_families.py [CASE...]

Each folder holds `model/` as the hub has such a checkpoint, `requests.jsonl` and `pictures/` as
`avocet score` takes them (paths are relative to the folder), `expected.safetensors` (logits (T, V)
by request id, and `ID.pixel_values` of one request with pictures) and `expected.json` (token ids,
log-probs and greedy ids by request id, and the versions that made them). The encoders' folders hold
the hidden states of one picture instead. A rerun with the same versions gives the same bytes.
"""

import json
import shutil
import sys
import tempfile
from functools import partial
from importlib.metadata import version
from pathlib import Path

import torch
from safetensors.torch import save_file

sys.dont_write_bytecode = True
HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "compare"))

import families  # noqa: E402
from families import encoders  # noqa: E402

MAX_BYTES = 300_000


def store(folder, tensors, described):
    tensors = {name: tensor.contiguous() for name, tensor in tensors.items()}
    save_file(tensors, folder / "expected.safetensors")
    (folder / "expected.json").write_text(json.dumps(described, indent=1) + "\n")


def write_case(case, folder):
    expected = case.make(folder)
    tensors = {name: values.logits for name, values in expected.items()}
    for name, values in expected.items():
        if values.pixels is not None:
            tensors[f"{name}.pixel_values"] = values.pixels
            break
    described = {
        "family": case.family,
        "seed": case.seed,
        "dtype": "float32",
        "attention": case.attention,
        "versions": case.receipt_versions(),
        "requests": {
            name: {
                "token_ids": values.token_ids,
                "greedy_ids": values.greedy_ids,
                "logprobs": [p if p is None else round(p, 7) for p in values.logprobs],
            }
            for name, values in expected.items()
        },
    }
    store(folder, tensors, described)


def write_encoder(name, folder):
    described = {
        "family": name,
        "picture": f"pictures/{encoders.PICTURE}",
        "dtype": "float32",
        "attention": "eager",
        "versions": {p: version(p) for p in ("transformers", "torch", "pillow")},
    }
    store(folder, encoders.make(name, folder), described)


def main():
    wanted = sys.argv[1:]
    jobs = {case.name: partial(write_case, case) for case in families.chosen(golden=True)}
    jobs |= {name: partial(write_encoder, name) for name in encoders.ENCODERS}
    for name in wanted:
        if name not in jobs:
            raise SystemExit(f"no golden case {name!r}; there are {', '.join(jobs)}")
    for name, write in jobs.items():
        if wanted and name not in wanted:
            continue
        with tempfile.TemporaryDirectory() as scratch:
            made = Path(scratch) / name
            made.mkdir()
            write(made)
            size = sum(path.stat().st_size for path in made.rglob("*") if path.is_file())
            print(f"{name:<24} {size / 1000:7.0f} kB", flush=True)
            if size > MAX_BYTES:
                raise SystemExit(f"{name}: {size} bytes, at most {MAX_BYTES}")
            final = HERE / "families" / name
            shutil.rmtree(final, ignore_errors=True)
            shutil.copytree(made, final)


if __name__ == "__main__":
    torch.set_num_threads(1)
    main()
