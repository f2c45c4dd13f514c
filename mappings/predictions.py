"""What a folder of predictions, ``derivatives/<model>/``, may hold: the words that writer and proof have in common."""

from __future__ import annotations

import re
from collections.abc import Mapping
from types import MappingProxyType

from .names import name_rules

MODEL = re.compile(r"(?!annotations(?![0-9A-Za-z_.-]))[0-9A-Za-z][0-9A-Za-z_.-]{0,47}")
"""A model's name, which is that of its folder; ``annotations`` is what people drew."""

KINDS: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "mask": (".nii.gz", ".json"),
        "probseg": (".nii.gz", ".json"),
        "dseg": (".nii.gz", ".json", ".tsv"),
        "map": (".nii.gz", ".json"),
    }
)
"""The kinds of predictions, which are their suffixes, each with the files that it has."""

DSEG_COLUMNS = ("index", "name")
"""The table of a label map's regions."""

PARTS = ("train", "val", "test")
"""The parts of a split that a participant can be in."""

PARAMETER = re.compile(r"[A-Za-z][0-9A-Za-z_]{0,47}")
"""The name of a parameter of a model."""

LONGEST_TEXT = 500
"""Characters of a model's description, and of one of its parameters."""


def label_of(model: str) -> str:
    """The model's name as a label of a file name: its letters and digits.

    >>> label_of("unet-v1.2")
    'unetv12'
    """
    return "".join(re.findall(r"[0-9A-Za-z]", model))


def bidsignore() -> tuple[str, ...]:
    """The lines of ``.bidsignore``: what BIDS has no name for."""
    return (*name_rules().annotations_bidsignore, "*_map.*")
