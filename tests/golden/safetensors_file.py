"""The safetensors format, written: header length, JSON header, raw little-endian tensors."""

import json
import struct

import numpy as np

KINDS = {"float32": "F32", "int64": "I64", "uint8": "U8"}


def write(path, tensors):
    """Writes named tensors or arrays, sorted by name, so that the same give the same bytes."""
    header, body = {}, b""
    for name in sorted(tensors):
        array = np.ascontiguousarray(tensors[name])
        raw = array.astype(array.dtype.newbyteorder("<")).tobytes()
        header[name] = {
            "dtype": KINDS[array.dtype.name],
            "shape": list(tensors[name].shape),
            "data_offsets": [len(body), len(body) + len(raw)],
        }
        body += raw
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    path.write_bytes(struct.pack("<Q", len(text)) + text + body)
