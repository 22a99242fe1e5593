"""Writes pickle_*.pt, small files as torch.save makes them (PyTorch 2.9.1), and for those that are
to be read pickle_expected.safetensors, the tensors of all of them under FILE/NAME.

Floating-point tensors are expected in float32, whole numbers in int64, truth values as 0 and 1.

Run from anywhere: python3 make_pickle.py. Seeded; no test runs it.
"""

import os
import sys
from collections import OrderedDict
from pathlib import Path

import torch

sys.dont_write_bytecode = True

from safetensors_file import write  # noqa: E402

HERE = Path(__file__).parent
torch.manual_seed(20261123)


class Malicious:
    """Runs a command when it is unpickled by anything that executes."""

    def __reduce__(self):
        return os.system, ("touch /tmp/a-pickle-was-executed",)


shared = torch.randn(4, 6)
state = torch.nn.Sequential(torch.nn.Linear(4, 3), torch.nn.BatchNorm1d(3)).state_dict()
files = {
    "nested": {
        "a": {"b": torch.randn(2, 3), 7: {"c": torch.randn(3)}},
        "list": [torch.randn(2), (torch.randn(1), "text", None, True, 2.5)],
        "scalar": torch.tensor(1.5),
        "empty": torch.zeros(0, 3),
        "epoch": 300,
        "big": 2**70,
        "size": torch.Size([2, 3]),
        "device": torch.device("cpu"),
    },
    "types": {
        str(dtype).split(".")[-1]: (torch.randn(3, 5) * 50).to(dtype)
        for dtype in [
            torch.float32,
            torch.float16,
            torch.bfloat16,
            torch.float64,
            torch.int64,
            torch.int32,
            torch.int16,
            torch.int8,
            torch.bool,
        ]
    }
    | {"uint8": torch.arange(0, 250, 50, dtype=torch.uint8)},
    "views": {
        "whole": shared,
        "same": shared,
        "transposed": shared.t(),
        "sliced": shared[1:3, 2::2],
        "permuted": torch.arange(24.0).reshape(2, 3, 4).permute(2, 0, 1),
        "column": shared[:, 3],
        "expanded": torch.tensor([[1.0], [2.0]]).expand(2, 3),
    },
    "parameters": OrderedDict(
        weight=torch.nn.Parameter(torch.randn(3, 2)),
        bias=torch.nn.Parameter(torch.randn(3), requires_grad=False),
    ),
    "wrapped": {"model_state_dict": state, "optimizer": {"state": {0: {"step": torch.tensor(3.0)}}}},
}


def tensors_of(value, path=()):
    """Dotted paths and tensors of nested containers."""
    if isinstance(value, torch.Tensor):
        yield ".".join(path), value.detach()
    elif isinstance(value, dict):
        for key, inner in value.items():
            yield from tensors_of(inner, (*path, str(key)))
    elif isinstance(value, (list, tuple)):
        for index, inner in enumerate(value):
            yield from tensors_of(inner, (*path, str(index)))


expected = {}
for name, content in files.items():
    torch.save(content, HERE / f"pickle_{name}.pt")
    for path, tensor in tensors_of(content):
        kind = torch.float32 if tensor.is_floating_point() else torch.int64
        expected[f"{name}/{path}"] = tensor.to(kind).clone()
torch.save(files["views"], HERE / "pickle_protocol4.pt", pickle_protocol=4)
torch.save({"weight": torch.ones(2), "x": Malicious()}, HERE / "pickle_malicious.pt")
torch.save({"weight": torch.ones(2)}, HERE / "pickle_legacy.pt", _use_new_zipfile_serialization=False)
torch.save({"huge": torch.zeros(1).expand(1000, 1000)}, HERE / "pickle_expanded.pt")
write(HERE / "pickle_expected.safetensors", expected)
