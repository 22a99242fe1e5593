"""The safetensors format, written: header length, JSON header, raw little-endian tensors."""

import json
import struct

import torch

KINDS = {torch.float32: "F32", torch.int64: "I64"}


def write(path, tensors):
    """Writes named tensors, sorted by name, so that the same tensors give the same bytes."""
    header, body = {}, b""
    for name in sorted(tensors):
        tensor = tensors[name].contiguous()
        raw = tensor.numpy().astype(tensor.numpy().dtype.newbyteorder("<")).tobytes()
        header[name] = {
            "dtype": KINDS[tensor.dtype],
            "shape": list(tensor.shape),
            "data_offsets": [len(body), len(body) + len(raw)],
        }
        body += raw
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    path.write_bytes(struct.pack("<Q", len(text)) + text + body)
