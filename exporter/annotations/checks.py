"""The checks of what was drawn, A01 to A06: two refuse a drawing that is put on its image, the others let it leave."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .readers import NOBODY
from .region import Drawing

HALF = 0.5
"""A fraction counts as inside from here on."""

REFUSALS = {"A01": "other grid than its image", "A02": "empty"}
"""What :meth:`.grid.Shape.on` refuses by itself."""


@dataclass(frozen=True, slots=True)
class Put:
    """A drawing on its image's grid: ``voxels`` ``[X, Y, Z]``, 1 inside or a fraction.

    ``gaps`` are the slices between drawn ones that hold no contour, of what was drawn slice by slice.
    """

    drawing: Drawing
    voxels: NDArray[Any]
    gaps: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class Caution:
    """What a check says of a drawing that leaves all the same."""

    check: str
    message: str


def label_is_known(put: Put) -> str:
    """A03: a label that the dictionary lacks was given by a person, as a word of the table."""
    return "" if put.drawing.is_listed else "its label is not in the dictionary: it leaves as it is, without a code"


def touches_border(put: Put) -> str:
    """A04: something at the border of the field of view is probably cut off."""
    sides = sides_touched(put.voxels >= HALF if put.voxels.dtype.kind == "f" else put.voxels)
    return f"touches {sides} side{'s' if sides > 1 else ''} of the field of view" if sides else ""


def sides_touched(inside: NDArray[Any]) -> int:
    """How many of the six sides of an image ``[X, Y, Z]`` a mask touches. An axis of one voxel has no border.

    Views alone are looked at: ``np.take`` would copy the whole of a mask that does not lie in C order.
    """
    axes = [np.moveaxis(inside, axis, 0) for axis, size in enumerate(inside.shape) if size > 1]
    return sum(bool(along[place].any()) for along in axes for place in (0, -1))


def islands(put: Put) -> str:
    """A05: several parts that do not touch, not even by a corner, where one label and number should be one thing."""
    sizes = part_sizes(put.voxels >= HALF if put.voxels.dtype.kind == "f" else put.voxels)
    if len(sizes) < 2:
        return ""
    return f"falls into {len(sizes)} parts, the smallest of {min(sizes)} voxel{'s' if min(sizes) > 1 else ''}"


def skipped_slices(put: Put) -> str:
    """A05: contours on some slices only, as who draws every second one leaves them; nothing is filled in between."""
    n = len(put.gaps)
    if not n:
        return ""
    return f"{n} slice{'s' if n > 1 else ''} between contoured ones {'have' if n > 1 else 'has'} no contour"


def annotator(put: Put) -> str:
    """A06: nobody signed it."""
    return "no reader is named" if put.drawing.reader == NOBODY else ""


CHECKS: tuple[tuple[str, Callable[[Put], str]], ...] = (
    ("A03", label_is_known),
    ("A04", touches_border),
    ("A05", islands),
    ("A05", skipped_slices),
    ("A06", annotator),
)
"""Each says what it finds, "" where that is nothing."""


def cautions(put: Put) -> tuple[Caution, ...]:
    """What the checks say of a region on its grid."""
    return tuple(Caution(code, message) for code, check in CHECKS if (message := check(put)))


def part_sizes(inside: NDArray[Any]) -> tuple[int, ...]:
    """Voxels of each part of a mask ``[X, Y, Z]``, by 26 neighbours, the largest first."""
    import SimpleITK as sitk  # takes long to load, and only a session with masks needs it

    places = [np.flatnonzero(inside.any(axis=tuple(a for a in range(3) if a != axis))) for axis in range(3)]
    if not all(p.size for p in places):
        return ()
    box = inside[tuple(slice(int(p[0]), int(p[-1]) + 1) for p in places)]
    as_it_lies = box.transpose(np.argsort(box.strides)[::-1])  # parts hang together in any order of the axes
    image = sitk.GetImageFromArray(np.ascontiguousarray(as_it_lies, dtype=np.uint8))
    parts = sitk.GetArrayFromImage(sitk.ConnectedComponent(image, True))
    return tuple(sorted((int(n) for n in np.bincount(parts.ravel())[1:]), reverse=True))
