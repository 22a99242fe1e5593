"""Writes every_type.gguf, one small GGUF v3 file with every tensor type and every kind of metadata
that avocet reads, and every_type.safetensors, the numbers that its tensors stand for.

The file, its simple blocks and all expected numbers are made by the `gguf` package (0.19.0), the
K-blocks by ggml itself (d99724f, ggml-quants.c built with -ffp-contract=off), whose own numbers
are held against those of the package.

Run from anywhere: python3 make_gguf.py LIBGGML.so. Seeded; no test runs it.
"""

import ctypes
import sys
from pathlib import Path

import numpy as np
from gguf import GGMLQuantizationType as Type
from gguf import GGUFValueType as Kind
from gguf import GGUFWriter
from gguf.quants import dequantize, quantize

sys.dont_write_bytecode = True

from safetensors_file import write  # noqa: E402

HERE = Path(__file__).parent
SIMPLE = [Type.Q8_0, Type.Q4_0, Type.Q4_1]
BY_GGML = [Type.Q4_K, Type.Q5_K, Type.Q6_K]
BLOCK_BYTES = {Type.Q8_0: 34, Type.Q4_K: 144, Type.Q5_K: 176, Type.Q6_K: 210}

ggml = ctypes.CDLL(sys.argv[1])
random = np.random.default_rng(20261123)


def rows(count, width):
    """Numbers as weights are spread: rows of different scales, an outlier, a block of zeros."""
    values = random.normal(size=(count, width)) * 10.0 ** random.uniform(-3, 1, (count, 1))
    values[0, 5] *= 30
    values[-1, :256] = 0
    values[-1, 256:] += 4
    return values.astype(np.float32)


def by_ggml(values, kind):
    """The blocks of `values`, as ggml's reference quantiser makes them."""
    block = 32 if kind == Type.Q8_0 else 256
    blocks = np.zeros((len(values), values.shape[1] // block * BLOCK_BYTES[kind]), np.uint8)
    quantizer = getattr(ggml, f"quantize_row_{kind.name.lower().replace('_k', '_K')}_ref")
    quantizer(
        values.ctypes.data_as(ctypes.c_void_p),
        blocks.ctypes.data_as(ctypes.c_void_p),
        ctypes.c_int64(values.size),
    )
    return blocks


def numbers_by_ggml(blocks, kind, count):
    """What ggml reads out of blocks."""
    values = np.zeros(count, np.float32)
    reader = getattr(ggml, f"dequantize_row_{kind.name.lower().replace('_k', '_K')}")
    reader(
        blocks.ctypes.data_as(ctypes.c_void_p),
        values.ctypes.data_as(ctypes.c_void_p),
        ctypes.c_int64(count),
    )
    return values


writer = GGUFWriter(HERE / "every_type.gguf", "made-up")
writer.add_custom_alignment(64)
for kind, value in {
    Kind.UINT8: 200,
    Kind.INT8: -100,
    Kind.UINT16: 60000,
    Kind.INT16: -30000,
    Kind.UINT32: 4000000000,
    Kind.INT32: -2000000000,
    Kind.FLOAT32: 0.25,
    Kind.BOOL: True,
    Kind.STRING: "a red bicycle – 自転車",
    Kind.UINT64: 2**64 - 1,
    Kind.INT64: -(2**63),
    Kind.FLOAT64: 0.1,
}.items():
    writer.add_key_value(f"one.{kind.name.lower()}", value, kind)
    writer.add_key_value(f"many.{kind.name.lower()}", [value] * 3, Kind.ARRAY, kind)
writer.add_key_value("nested", [["a", "b"], ["c"]], Kind.ARRAY, Kind.ARRAY)

source = rows(3, 512)
expected = {"source": source}
plain = random.normal(size=(2, 3, 5)).astype(np.float32)
writer.add_tensor("plain.f32", plain)
writer.add_tensor("plain.f16", plain.astype(np.float16))
writer.add_tensor("plain.bf16", quantize(plain, Type.BF16), raw_dtype=Type.BF16)
expected["plain.f32"] = plain
expected["plain.f16"] = plain.astype(np.float16).astype(np.float32)
expected["plain.bf16"] = dequantize(quantize(plain, Type.BF16), Type.BF16).reshape(plain.shape)
for kind in SIMPLE + BY_GGML:
    blocks = by_ggml(source, kind) if kind in BY_GGML else quantize(source, kind)
    if kind == Type.Q8_0:
        assert (blocks == by_ggml(source, kind)).all()
    values = dequantize(blocks, kind).reshape(source.shape)
    assert (values.ravel() == numbers_by_ggml(blocks, kind, source.size)).all(), kind
    name = kind.name.lower()
    writer.add_tensor(f"blocks.{name}", blocks, raw_dtype=kind)
    expected[f"blocks.{name}"] = values
    if kind in (Type.Q8_0, Type.Q4_K):
        expected[f"bytes.{name}"] = blocks
# Blocks that no quantiser makes: every bit of the scales and of the high bits in use.
for kind, scales in {Type.Q4_K: (0, 2), Type.Q5_K: (0, 2), Type.Q6_K: (208,)}.items():
    blocks = random.integers(0, 256, (2, BLOCK_BYTES[kind]), np.uint8)
    for place in scales:
        blocks[:, place : place + 2] = random.normal(size=(2, 1)).astype(np.float16).view(np.uint8)
    name = f"random.{kind.name.lower()}"
    values = dequantize(blocks, kind).reshape(2, 256)
    assert (values.ravel() == numbers_by_ggml(blocks, kind, 512)).all(), kind
    writer.add_tensor(name, blocks, raw_dtype=kind)
    expected[name] = values
# A type that is listed and not read.
writer.add_tensor("listed.q5_0", quantize(source[:, :32], Type.Q5_0), raw_dtype=Type.Q5_0)

writer.write_header_to_file()
writer.write_kv_data_to_file()
writer.write_tensors_to_file()
writer.close()
write(HERE / "every_type.safetensors", expected)
