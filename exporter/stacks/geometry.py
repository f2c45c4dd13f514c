"""Where slices lie: the normal, the position along it, orientations that agree (DICOM PS3.3 C.7.6.2.1.1)."""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import lru_cache

from ..inventory.instance import Floats, Instance

SAME_ORIENTATION_DEGREES = 1.0
"""Slices of one volume differ by rounding only; blocks planned apart differ by more than this."""

SAME_POSITION_MM = 0.02
"""Two slices closer than this along the normal lie at the same place."""

OBLIQUE_DEGREES = 35.0
"""A normal farther than this from every patient axis is called oblique."""


@lru_cache(maxsize=8192)
def normal(orientation: Floats) -> Floats:
    """The unit slice normal of six direction cosines, () where there are none or they are degenerate."""
    if len(orientation) != 6:
        return ()
    a, b, c, d, e, f = orientation
    n = (b * f - c * e, c * d - a * f, a * e - b * d)
    length = math.sqrt(sum(x * x for x in n))
    return tuple(x / length for x in n) if length > 0.5 else ()


def position(instance: Instance) -> float | None:
    """Millimetres along the slice normal, None where the header holds no geometry."""
    n = normal(instance.ImageOrientationPatient)
    p = instance.ImagePositionPatient
    return n[0] * p[0] + n[1] * p[1] + n[2] * p[2] if n and len(p) == 3 else None


@lru_cache(maxsize=8192)
def plane(orientation: Floats) -> str:
    """``ax``, ``sag``, ``cor`` by the axis nearest to the normal, ``obl`` beyond 35 degrees, ``unknown`` without."""
    n = normal(orientation)
    if not n:
        return "unknown"
    cosine, word = max(zip((abs(x) for x in n), ("sag", "cor", "ax"), strict=True))
    return word if math.degrees(math.acos(min(1.0, cosine))) <= OBLIQUE_DEGREES else "obl"


def agree(a: Floats, b: Floats, degrees: float = SAME_ORIENTATION_DEGREES) -> bool:
    """Whether row and column directions agree within an angle; two absent orientations agree."""
    if len(a) != 6 or len(b) != 6:
        return len(a) == len(b)
    least = math.cos(math.radians(degrees))
    rows = sum(x * y for x, y in zip(a[:3], b[:3], strict=True))
    columns = sum(x * y for x, y in zip(a[3:], b[3:], strict=True))
    return rows >= least and columns >= least


def orientation_groups(instances: Sequence[Instance]) -> dict[Floats, Floats]:
    """Each orientation met, mapped to the first (in sorted order) that it agrees with."""
    representative: dict[Floats, Floats] = {}
    chosen: list[Floats] = []
    for orientation in sorted({i.ImageOrientationPatient for i in instances}):
        match = next((c for c in chosen if agree(orientation, c)), None)
        if match is None:
            chosen.append(orientation)
        representative[orientation] = orientation if match is None else match
    return representative


def along_widest_axis(positions: Sequence[Floats]) -> list[float | None]:
    """The coordinate of each position on the axis along which they differ most; None where one is not told."""
    if not positions or any(len(p) != 3 for p in positions):
        return [None] * len(positions)
    axis = max(range(3), key=lambda a: max(p[a] for p in positions) - min(p[a] for p in positions))
    return [p[axis] for p in positions]


def position_bins(instances: Sequence[Instance]) -> list[int]:
    """For each instance the index of its position along the normal, from 0; without geometry each is its own.

    A mosaic holds a whole volume, so all mosaics lie at position 0. Where the header tells positions and no
    orientation, the axis along which they differ most stands for the normal.
    """
    if instances and instances[0].mosaic_tiles:
        return [0] * len(instances)
    where = [position(i) for i in instances]
    if all(not i.ImageOrientationPatient for i in instances):
        where = along_widest_axis([i.ImagePositionPatient for i in instances])
    if any(p is None for p in where):
        return list(range(len(instances)))
    order = sorted(range(len(instances)), key=lambda k: where[k] or 0.0)
    bins = [0] * len(instances)
    index, last = -1, -math.inf
    for k in order:
        here = where[k] or 0.0
        if here - last > SAME_POSITION_MM:
            index += 1
            last = here
        bins[k] = index
    return bins
