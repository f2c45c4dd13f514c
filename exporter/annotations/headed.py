"""NRRD and MetaImage: volumes whose header is text, which may name another file that holds the voxels."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

from .metaimage import read_metaimage
from .nrrd import read_nrrd
from .stored import Stored

READERS: Mapping[str, Callable[[Path], Stored]] = {
    ".nrrd": read_nrrd, ".nhdr": read_nrrd, ".mha": read_metaimage, ".mhd": read_metaimage,
}  # fmt: skip
"""By the ending of a file's name."""


def is_headed(file: Path) -> bool:
    """Does the file's name say that it is one?"""
    return file.suffix.casefold() in READERS


def read_headed(file: Path) -> Stored:
    """What the header says. Raises ``MaskRefused`` F03, ``OSError`` or ``ValueError`` where it cannot be followed."""
    return READERS[file.suffix.casefold()](file).checked()


def data_of(file: Path) -> Path:
    """The file that holds the voxels; raises as :func:`read_headed`, though not where they are too few."""
    return READERS[file.suffix.casefold()](file).data
