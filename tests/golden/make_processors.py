"""Writes processors.safetensors: what Pillow makes of pictures when it resizes them, and what the
image processors of transformers 4.51.3 and open_clip 2.16 make of them as patches.

Run from anywhere: python3 make_processors.py, with Pillow 12.3. No test runs it. Pillow 13 will not
do: it resizes a picture that shrinks more in height than in width down first and across then, and
every public tower was trained on the order before it.

A picture is made by a formula, `picture`, that the test repeats. A result is stored as its SHA-256
and every STRIDE-th value:

- resize.FILTER.WxH.WxH: eight-bit RGB, row by row;
- patches.FAMILY.SIDE.PATCH.WxH: float32 little-endian, patch by patch (tile after tile for
  mllama), channel-major; .grid has the rows and columns of patches.
"""

import hashlib
import sys
from pathlib import Path

import numpy as np
from open_clip.transform import image_transform
from PIL import Image, __version__ as pillow_version
from transformers import CLIPImageProcessor, SiglipImageProcessor
from transformers.models.idefics.image_processing_idefics import IdeficsImageProcessor
from transformers.models.mllama.image_processing_mllama import MllamaImageProcessor

sys.dont_write_bytecode = True

from safetensors_file import write  # noqa: E402

assert int(pillow_version.split(".")[0]) < 13, pillow_version

MEAN = [0.48145466, 0.4578275, 0.40821073]
STD = [0.26862954, 0.26130258, 0.27577711]
STRIDE = 211
MAX_VALUES = 100
TENSORS = {}


def picture(width, height):
    """Noise, slopes and black beside white, so that every rounding and clipping takes place."""
    y, x, c = np.meshgrid(
        np.arange(height, dtype=np.uint32),
        np.arange(width, dtype=np.uint32),
        np.arange(3, dtype=np.uint32),
        indexing="ij",
    )
    noise = (x * np.uint32(73856093)) ^ (y * np.uint32(19349663)) ^ (c * np.uint32(83492791))
    noise = (noise * np.uint32(2654435761)) >> np.uint32(16)
    slope = x * 3 + y * 2 + c * 85
    kind = (x // 5 + y // 7) % 3
    value = np.where(kind == 0, noise, np.where(kind == 1, slope, (noise & 1) * 255))
    return Image.fromarray((value & 255).astype(np.uint8), "RGB")


def keep(name, array):
    """Files the hash of an array, and a few of its values."""
    array = np.ascontiguousarray(array)
    digest = hashlib.sha256(array.astype(array.dtype.newbyteorder("<")).tobytes()).digest()
    TENSORS[f"{name}.sha256"] = np.frombuffer(digest, dtype=np.uint8)
    TENSORS[f"{name}.values"] = array.reshape(-1)[::STRIDE][:MAX_VALUES]


def patches(name, tiles, patch, grid):
    """Cuts tiles (N, 3, S, S) into patches, row by row within each."""
    tiles = np.ascontiguousarray(np.asarray(tiles, dtype=np.float32))
    n, c, side, _ = tiles.shape
    k = side // patch
    cut = tiles.reshape(n, c, k, patch, k, patch).transpose(0, 2, 4, 1, 3, 5)
    keep(name, cut)
    TENSORS[f"{name}.grid"] = np.array(grid, dtype=np.int64)


SIZES = [(1, 1), (3, 7), (37, 53), (224, 224), (301, 97), (640, 480)]
RESIZES = [(a, b) for a in SIZES for b in [(224, 224), (28, 28), (301, 31), (1, 1), (7, 500)]]
RESIZES += [((1, 2000), (224, 224)), ((2000, 1), (28, 56)), ((2000, 3), (3, 2000))]
for filter in ["bicubic", "bilinear"]:
    mode = getattr(Image.Resampling, filter.upper())
    for (w, h), to in RESIZES:
        out = picture(w, h).resize(to, resample=mode)
        keep(f"resize.{filter}.{w}x{h}.{to[0]}x{to[1]}", np.array(out))

for w, h in SIZES + [(97, 301), (480, 640), (1, 2000), (31, 37), (40, 27), (27, 44)]:
    image = picture(w, h)
    if h not in (1, 3):  # IDEFICS's takes these heights for channels.
        for side, patch in [(224, 14), (28, 14)]:
            processor = IdeficsImageProcessor(image_size=side, image_mean=MEAN, image_std=STD)
            out = processor.preprocess([image])
            patches(f"patches.idefics.{side}.{patch}.{w}x{h}", out, patch, (side // patch,) * 2)
    for side, patch in [(224, 14), (27, 9)]:
        grid = (side // patch,) * 2
        size = {"height": side, "width": side}
        processor = SiglipImageProcessor(size=size)
        out = processor.preprocess(
            image, do_convert_rgb=True, input_data_format="channels_last", return_tensors="np"
        )
        patches(f"patches.siglip.{side}.{patch}.{w}x{h}", out["pixel_values"], patch, grid)
        if w * 50 < h:  # Both CLIPs make hundreds of megabytes of these first.
            continue
        processor = CLIPImageProcessor(size={"shortest_edge": side}, crop_size=size)
        out = processor.preprocess(image, input_data_format="channels_last", return_tensors="np")
        patches(f"patches.clip.{side}.{patch}.{w}x{h}", out["pixel_values"], patch, grid)
        out = image_transform(side, is_train=False)(image).numpy()[None]
        patches(f"patches.open_clip.{side}.{patch}.{w}x{h}", out, patch, grid)
    for side, patch in [(28, 14), (560, 14)]:
        processor = MllamaImageProcessor(
            size={"height": side, "width": side}, max_image_tiles=4, image_mean=MEAN, image_std=STD
        )
        out = processor.preprocess(image, return_tensors="np")
        count = out["num_tiles"][0][0]
        supported = [(a, b) for a in range(1, 5) for b in range(1, 5) if a * b <= 4]
        down, across = supported[int(out["aspect_ratio_ids"][0, 0]) - 1]
        k = side // patch
        tiles = out["pixel_values"][0, 0, :count]
        patches(f"patches.mllama.{side}.{patch}.{w}x{h}", tiles, patch, (down * k, across * k))

write(Path(__file__).with_name("processors.safetensors"), TENSORS)
