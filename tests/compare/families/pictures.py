"""Small pictures of odd sizes and of every pixel layout people have."""

import numpy as np
from PIL import Image


def draw(width, height, mode, seed):
    """A gradient with boxes and a little noise, so that every pixel of a resize matters."""
    rng = np.random.default_rng(seed)
    rows, columns = np.mgrid[0:height, 0:width]
    channels = []
    for _ in range(4):
        a, b, phase = rng.uniform(-1, 1, 3)
        wave = np.sin(a * rows / 3 + b * columns / 4 + 3 * phase)
        channels.append(128 + 90 * wave + rng.integers(-12, 13, (height, width)))
    pixels = np.stack(channels, -1)
    for _ in range(3):
        top, left = rng.integers(0, height), rng.integers(0, width)
        pixels[top : top + height // 3 + 1, left : left + width // 3 + 1] = rng.integers(0, 256, 4)
    pixels = pixels.clip(0, 255).astype(np.uint8)
    if mode == "L":
        return Image.fromarray(pixels[..., 0])
    if mode == "RGBA":
        return Image.fromarray(pixels)
    if mode == "P":
        return Image.fromarray(pixels[..., :3]).quantize(16)
    return Image.fromarray(pixels[..., :3])


def write(folder, name):
    """Draws the picture that `name` describes (KIND-WIDTHxHEIGHT-SEED.png) into `folder`."""
    mode, size, seed = name.removesuffix(".png").split("-")
    width, height = map(int, size.split("x"))
    mode = {"rgb": "RGB", "rgba": "RGBA", "grey": "L", "palette": "P"}[mode]
    folder.mkdir(exist_ok=True)
    path = folder / name
    draw(width, height, mode, int(seed)).save(path, optimize=True)
    return path
