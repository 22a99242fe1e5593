"""Makes the few image files that the tests of avocet-media cannot write themselves.

Run once with Pillow; the files are kept beside this script. Each shows four flat quarters:
red, green, blue, white, 16 pixels a side each.
"""

from pathlib import Path
from random import Random

from PIL import Image, ImageFilter

here = Path(__file__).parent
quarters = Image.new("RGB", (32, 32), "white")
quarters.paste((255, 0, 0), (0, 0, 16, 16))
quarters.paste((0, 255, 0), (16, 0, 32, 16))
quarters.paste((0, 0, 255), (0, 16, 16, 32))
quarters.convert("CMYK").save(here / "cmyk.jpg", quality=90)
quarters.convert("CMYK").save(here / "cmyk.tif", compression="tiff_lzw")
quarters.save(here / "progressive.jpg", quality=90, progressive=True)
quarters.save(here / "lossy.webp", quality=90)
quarters.convert("P", palette=Image.Palette.ADAPTIVE).save(here / "palette.png")
quarters.convert("1").save(here / "bits.tif", compression="group4")
black = Image.new("RGB", (32, 32), "black")
quarters.save(here / "frames.gif", save_all=True, append_images=[black], duration=100)
# Stored lying on its side, with the note that the camera was held so.
quarters.transpose(Image.Transpose.ROTATE_90).save(here / "turned.tif", tiffinfo={274: 6})

# Pictures to be cut off: every part of them takes about as many bytes as any other.
random = Random(7)
noise = Image.new("RGB", (64, 64))
noise.putdata([tuple(random.randrange(256) for _ in range(3)) for _ in range(64 * 64)])
noise = noise.filter(ImageFilter.GaussianBlur(1))
noise.save(here / "noise-progressive.jpg", quality=60, progressive=True)
noise.save(here / "noise-restarts.jpg", quality=60, subsampling="4:2:0", restart_marker_blocks=3)
noise.convert("CMYK").save(here / "noise-cmyk.jpg", quality=40, optimize=True)
tall = Image.new("RGB", (48, 256))
tall.putdata([tuple(random.randrange(256) for _ in range(3)) for _ in range(48 * 256)])
tall.filter(ImageFilter.GaussianBlur(1)).save(here / "noise-lossy.webp", quality=60)
noise.crop((0, 0, 48, 48)).save(here / "noise-lossless.webp", lossless=True)
noise.convert("P", palette=Image.Palette.ADAPTIVE).save(here / "noise.gif", interlace=False)
# The directory comes first, so that a file that is cut off can be told apart from none.
noise.crop((0, 0, 48, 48)).save(here / "noise.tif")
