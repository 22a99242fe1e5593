"""Makes the few image files that the tests of avocet-media cannot write themselves.

Run once with Pillow; the files are kept beside this script. Each shows four flat quarters:
red, green, blue, white, 16 pixels a side each.
"""

from pathlib import Path

from PIL import Image

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
