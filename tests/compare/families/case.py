"""What a case is, and how its expected values are taken from the reference library.

A case is a tiny random model in a folder as the hub would have it, some requests, and what the
reference computes for them. A seed is taken only if nothing in it is close to a tie: every greedy
token leads by `GREEDY_MARGIN`, every routing decision is decided by `ROUTING_MARGIN`, and no greedy
token is a special one, so that stop tokens and suppressed tokens play no part.
"""

import json
import platform
import shutil
from dataclasses import dataclass, field
from importlib.metadata import version
from pathlib import Path
from typing import Callable

import torch

from . import pictures

GREEDY_MARGIN = 1e-3
ROUTING_MARGIN = 1e-4
MAX_SEEDS = 60


@dataclass
class Request:
    """One line of requests.jsonl; pictures are named as `pictures.write` reads them."""

    id: str
    text: str
    images: tuple = ()


@dataclass
class Expected:
    """What the reference computes: logits (T, V), log-probs and the greedy continuation."""

    token_ids: list
    logits: torch.Tensor
    logprobs: list
    greedy_ids: list
    pixels: torch.Tensor | None = None


@dataclass
class Case:
    """`build(folder, seed)` writes the model folder and returns its reference.

    A reference has `encode(request, picture_paths)` giving token ids and pictures' tensors, and
    `logits(token_ids, pictures)` giving (T, V); `decisions` yields the margins of the routing
    decisions taken since it was last read; `special_ids` are not allowed in a greedy run.
    """

    name: str
    family: str
    build: Callable
    requests: list
    greedy: int = 8
    golden: bool = False
    versions: tuple = ("transformers",)
    attention: str = "eager"
    seed: int = 1
    note: str = ""
    tried: list = field(default_factory=list)

    def make(self, folder):
        """Writes model and pictures under `folder`; returns the expected values by request id."""
        folder = Path(folder)
        seed = self.seed
        while True:
            model_folder = fresh(folder / "model")
            torch.manual_seed(seed)
            with torch.no_grad():
                reference = self.build(model_folder, seed)
                expected, fault = self.run(reference, folder)
            if fault is None:
                self.seed = seed
                return expected
            self.tried.append((seed, fault))
            seed += 1
            if len(self.tried) > MAX_SEEDS:
                raise RuntimeError(f"{self.name}: no seed without a tie, last: {fault}")

    def run(self, reference, folder):
        lines, all_expected = [], {}
        for request in self.requests:
            paths = [pictures.write(folder / "pictures", name) for name in request.images]
            line = {"id": request.id, "text": request.text}
            if paths:
                line["images"] = [f"pictures/{name}" for name in request.images]
            lines.append(json.dumps(line, ensure_ascii=False))
            expected, fault = run_request(reference, request, paths, self.greedy)
            if fault:
                return None, f"{request.id}: {fault}"
            all_expected[request.id] = expected
        (folder / "requests.jsonl").write_text("\n".join(lines) + "\n")
        return all_expected, None

    def receipt_versions(self):
        names = dict.fromkeys((*self.versions, "torch", "tokenizers", "pillow"))
        return {"python": platform.python_version()} | {name: version(name) for name in names}


def fresh(folder):
    """An empty folder at this path; a former one is cleared."""
    if folder.exists():
        shutil.rmtree(folder)
    folder.mkdir(parents=True)
    return folder


def run_request(reference, request, paths, num_greedy):
    """Expected values of one request, or the reason why this seed will not do."""
    token_ids, images = reference.encode(request, paths)
    reference.clear_decisions()
    logits = reference.logits(token_ids, images)
    fault = tie(reference)
    greedy = []
    latest = logits
    while fault is None and len(greedy) < num_greedy:
        best = latest[-1].topk(2)
        if best.values[0] - best.values[1] < GREEDY_MARGIN:
            fault = f"greedy token {len(greedy)} leads by {best.values[0] - best.values[1]:.1e}"
        elif int(best.indices[0]) in reference.special_ids:
            fault = f"greedy token {len(greedy)} is special"
        else:
            greedy.append(int(best.indices[0]))
            latest = reference.logits(token_ids + greedy, images)
            fault = tie(reference)
    if fault is None and not torch.isfinite(logits).all():
        fault = "not finite"
    if fault:
        return None, fault
    logprobs = next_token_logprobs(logits, token_ids)
    return Expected(token_ids, logits, logprobs, greedy, reference.pixels(images)), None


def next_token_logprobs(logits, token_ids):
    """log p(token_ids[i] | before); None for the first and for tokens without a row in the head."""
    rows = logits.double().log_softmax(-1)
    found = [None]
    for place, token in enumerate(token_ids[1:]):
        found.append(rows[place, token].item() if token < rows.shape[-1] else None)
    return found


def tie(reference):
    closest = min(reference.clear_decisions(), default=1.0)
    return f"a routing decision by {closest:.1e}" if closest < ROUTING_MARGIN else None


class RoutingWatch:
    """Collects the margins of all routing decisions in a model."""

    def __init__(self, model, top_k, jitter=None):
        self.margins, self.top_k, self.jitter = [], top_k, jitter
        for name, module in model.named_modules():
            if name.endswith((".gate", ".router.layer")):
                module.register_forward_hook(self.see)

    def see(self, _module, _inputs, scores):
        if self.jitter is None:
            ordered = scores.float().softmax(-1).sort(-1, descending=True).values
            lead = ordered[..., self.top_k - 1] - ordered[..., self.top_k]
            self.margins.append(lead.min().item())
            return
        # Sparsemixer also decides, for either expert, which others stay inside its softmax.
        ordered = scores.float().sort(-1, descending=True).values
        gaps = [ordered[..., place] - ordered[..., place + 1] for place in (0, 1)]
        for place in (0, 1):
            best = ordered[..., place : place + 1]
            rest = ordered[..., place + 1 :]
            share = (best - rest) / torch.maximum(rest.abs(), best)
            gaps.append((share - 2 * self.jitter).abs().flatten())
        self.margins += [gap.min().item() for gap in gaps]

    def clear(self):
        margins, self.margins = self.margins, []
        return margins


class Reference:
    """The parts that all references share."""

    special_ids = frozenset()
    watch = None

    def clear_decisions(self):
        return self.watch.clear() if self.watch else []

    def pixels(self, images):
        """The pictures' tensor as the model takes it, if there is one."""
        return None
