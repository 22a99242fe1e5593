"""Tiny random models of the public families, made and run with the reference libraries."""

import logging
import warnings

import transformers

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
