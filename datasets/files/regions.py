"""What stands beside annotations as a table: the regions of a label map, boxes and points."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import MappingProxyType

import numpy as np

from ..errors import ReadError
from .tables import read_tsv

COORDINATES: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {"boxes": ("i1", "j1", "k1", "i2", "j2", "k2"), "points": ("i", "j", "k")}
)
"""The columns of voxel coordinates by suffix; the two corners of a box are both inside it."""

INDEX = re.compile(r"[0-9]+")


def read_regions(path: Path) -> tuple[tuple[str, int], ...]:
    """Name and index of every region in a ``_dseg.tsv``, its abbreviation as a further name.

    Raises :class:`ReadError` naming the file and the line where an index is no whole number.
    """
    regions: dict[tuple[str, int], None] = {}
    for line, row in enumerate(read_tsv(path), start=2):
        cell = (row.get("index") or "").strip()
        if not INDEX.fullmatch(cell):
            raise ReadError(f"{path}, line {line}: the index {cell!r} is no whole number from 0 on.")
        for column in ("name", "abbreviation"):
            name = (row.get(column) or "").strip()
            if name not in ("", "n/a"):
                regions[name, int(cell)] = None
    return tuple(regions)


def read_labels(path: Path) -> tuple[str, ...]:
    """The labels in a table of boxes or points, each once."""
    return tuple(dict.fromkeys((row.get("label") or "").strip() for row in read_tsv(path)))


def read_coordinates(path: Path, labels: Sequence[str] = ()) -> np.ndarray:
    """The voxel coordinates of the rows with one of ``labels`` (of all without): float32 ``[N, 6]`` or ``[N, 3]``.

    Raises :class:`ReadError` naming the file and the line where a coordinate is no number.
    """
    columns = COORDINATES[suffix_of(path)]
    found: list[list[float]] = []
    for line, row in enumerate(read_tsv(path), start=2):
        if labels and (row.get("label") or "").strip() not in labels:
            continue
        try:
            found.append([float(row[column]) for column in columns])
        except (KeyError, TypeError, ValueError) as error:
            raise ReadError(f"{path}, line {line}: {' '.join(columns)} are not all numbers ({error}).") from error
    return np.asarray(found, dtype=np.float32).reshape(-1, len(columns))


def suffix_of(path: str | Path) -> str:
    """The BIDS suffix of a file."""
    return Path(path).name.partition(".")[0].rpartition("_")[2]
