"""The safetensors format: header length, JSON header, raw little-endian tensors."""

import json
import struct

import numpy as np

KINDS = {"float32": "F32", "int64": "I64", "uint8": "U8"}


def read(path):
    """Type, shape and bytes of every tensor of a file, by name."""
    raw = path.read_bytes()
    start = 8 + struct.unpack("<Q", raw[:8])[0]
    tensors = {}
    for name, entry in json.loads(raw[8:start]).items():
        begin, end = entry["data_offsets"]
        tensors[name] = entry["dtype"], entry["shape"], raw[start + begin : start + end]
    return tensors


def write(path, tensors):
    """Writes named tensors or arrays, sorted by name, so that the same give the same bytes.

    Prints what is new, and by name what of the file that was there is changed or gone.
    """
    before = read(path) if path.exists() else {}
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
    after = read(path)
    changed = [name for name in before if name in after and before[name] != after[name]]
    gone = [name for name in before if name not in after]
    counts = f"{len(after.keys() - before)} new, {len(changed)} changed, {len(gone)} gone"
    print(f"{path.name}: {counts}", *changed, *gone)
