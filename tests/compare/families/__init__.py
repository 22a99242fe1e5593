"""Tiny random models of the public families, made and run with the reference libraries.

The versions are pinned: transformers 4.57 changed Mllama's vision states, open_clip 3 applies
ln_post, and Pillow 13 resizes in another order than every public tower was trained with.
open-flamingo 2.0.1 asks for PyTorch 2.0.1 but runs with later ones: `pip install --no-deps`.
"""

import logging
import warnings
from importlib.metadata import version

import transformers

PINNED = {
    "transformers": "4.51.3",
    "open-flamingo": "2.0.1",
    "open-clip-torch": "2.16.0",
    "pillow": "12.3.0",
}
for package, wanted in PINNED.items():
    if version(package) != wanted:
        raise SystemExit(f"{package} {version(package)} is installed, {wanted} is needed")

transformers.logging.set_verbosity_error()
transformers.logging.disable_progress_bar()
warnings.filterwarnings("ignore")
logging.disable(logging.WARNING)

from . import decoders, flamingo, idefics, mllama  # noqa: E402

CASES = [*decoders.CASES, *idefics.CASES, *mllama.CASES, *flamingo.CASES]


def chosen(families=(), golden=False):
    """The cases of these families (all if none is named), only golden ones if asked."""
    known = {case.family for case in CASES}
    for family in families:
        if family not in known:
            raise SystemExit(f"no family {family!r}; there are {', '.join(sorted(known))}")
    return [
        case
        for case in CASES
        if (not families or case.family in families) and (case.golden or not golden)
    ]
