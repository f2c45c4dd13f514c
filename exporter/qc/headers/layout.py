"""Where the slices of a stack lie, measured once for all geometry checks."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise
from statistics import median

import numpy as np
from numpy.typing import NDArray

from ...inventory.instance import Floats, Instance
from ...stacks.stack import Stack

ROUNDING_MM = 0.1
"""The absolute part of "max(0.1 mm, x %)": positions are often written to a tenth of a millimetre."""
WRITING_MM = 1e-4
"""Noise of binary numbers and of cosines written to six digits."""
MISSING_FACTOR = 1.5
"""A gap of more than this many steps misses a slice (reference/qc.md, G04)."""
LEAST_GAP_MM = 0.02
WHOLE_SHARE, WHOLE_MM = 0.1, 0.15
"""How far a gap may be from a whole number of steps, as a share of one and in mm (positions written to 0.1 mm)."""
PLAIN_SHARE = 0.2
"""At least this share of the gaps is one step wide where slices are lost and not merely moved."""
GAPS_ENOUGH = 3
"""So many gaps show the step by themselves; fewer need a header value that says the same."""


@dataclass(frozen=True, slots=True, eq=False)
class Column:
    """The slices of one volume in order along the unit ``normal``: ``positions`` are (slices, 3) in LPS mm.

    ``along``  (slices,) position on the normal in mm; ``gaps`` (slices - 1,) from each to the next; ``median`` of
    the gaps; ``step``, the distance at which slices were planned, which the median is not where many are lost
    """

    volume: int
    normal: NDArray[np.float64]
    positions: NDArray[np.float64]
    along: NDArray[np.float64]
    gaps: NDArray[np.float64]
    median: float
    step: float

    @property
    def holes(self) -> list[tuple[int, int]]:
        """Each gap that misses slices: the index of the slice before it, and how many would fill it."""
        if self.step <= 0:
            return []
        wide = np.flatnonzero(self.gaps > MISSING_FACTOR * self.step)
        return [(int(k), max(1, round(float(self.gaps[k]) / self.step) - 1)) for k in wide]


@dataclass(frozen=True, slots=True, eq=False)
class Layout:
    """A stack with its slice positions. ``columns`` is empty for mosaics, where one instance holds all slices, and
    where a position or orientation is missing or degenerate (check G01). A gap of more than ``missing`` steps misses
    slices."""

    stack: Stack
    columns: tuple[Column, ...]
    missing: float = MISSING_FACTOR

    @property
    def instances(self) -> tuple[Instance, ...]:
        """All instances of the stack."""
        return self.stack.instances


def layout_of(stack: Stack) -> Layout:
    """The layout of a stack; volumes at the same positions as the volume before are measured once."""
    normal = unit_normal(stack.first.ImageOrientationPatient)
    if normal is None or any(i.mosaic_tiles or len(i.ImagePositionPatient) != 3 for i in stack.instances):
        return Layout(stack, ())
    of_volume: dict[int, list[Instance]] = {}
    for instance, volume in zip(stack.instances, stack.volume, strict=True):
        of_volume.setdefault(volume, []).append(instance)
    columns: dict[tuple[tuple[float, ...], ...], Column] = {}
    for volume, rows in of_volume.items():
        places = tuple(i.ImagePositionPatient for i in rows)
        if places not in columns:
            columns[places] = column_of(volume, normal, rows)
    finite = all(math.isfinite(sum(c.along)) for c in columns.values())
    return Layout(stack, tuple(columns.values()) if finite else ())


def column_of(volume: int, normal: NDArray[np.float64], rows: Sequence[Instance]) -> Column:
    """The slices of one volume along the normal."""
    positions = np.array([i.ImagePositionPatient for i in rows], dtype=float)
    along = positions @ normal
    order = np.argsort(along, kind="stable")
    positions, along = positions[order], along[order]
    gaps = np.diff(along)
    middle = median(gaps.tolist()) if gaps.size else 0.0
    return Column(volume, normal, positions, along, gaps, middle, planned_step(gaps, middle, [rows[k] for k in order]))


def planned_step(gaps: NDArray[np.float64], middle: float, rows: Sequence[Instance]) -> float:
    """The distance at which slices were planned, in mm: 0 for a single slice, the median gap where nothing is lost.

    Where all gaps are whole numbers of the smallest, that is the step however many slices are lost. Where they are
    all alike, every second slice may be lost: then the header must state a step, and InstanceNumber skip as much.
    """
    wide = gaps[gaps > LEAST_GAP_MM]
    if not wide.size:
        return middle
    smallest = float(wide.min())
    if float(wide.max()) <= MISSING_FACTOR * smallest:
        return skipped_step(middle, rows)
    plain = wide[wide <= MISSING_FACTOR * smallest]
    step = float(np.median(plain))
    times = np.rint(wide / step)
    whole = np.abs(wide - times * step) <= np.maximum(WHOLE_MM, WHOLE_SHARE * step * np.sqrt(times))
    enough = wide.size >= GAPS_ENOUGH and plain.size >= PLAIN_SHARE * wide.size
    if bool(whole.all()) and (enough or is_stated(step, rows[0]) or counts(rows, times.tolist())):
        return step
    return middle


def is_stated(step: float, instance: Instance) -> bool:
    """Whether the header says that slices are so far apart, or at least that they are about as thick."""
    stated, thickness = abs(instance.SpacingBetweenSlices or 0.0), instance.SliceThickness or 0.0
    if stated:
        return abs(step - stated) <= max(WHOLE_MM, WHOLE_SHARE * stated)
    return thickness > 0 and 0.9 * thickness <= step <= 1.5 * thickness


def skipped_step(gap: float, rows: Sequence[Instance]) -> float:
    """The step of slices that are evenly ``gap`` apart: a part of it where the header and InstanceNumber say so."""
    first = rows[0]
    said = abs(first.SpacingBetweenSlices or 0.0) or first.SliceThickness or 0.0
    times = round(gap / said) if said else 1
    if times < 2 or gap <= MISSING_FACTOR * said or not counts(rows, [float(times)] * (len(rows) - 1)):
        return gap
    return gap / times


def counts(rows: Sequence[Instance], times: Sequence[float]) -> bool:
    """Whether InstanceNumber goes on from slice to slice by these numbers, upwards or downwards."""
    numbers = [i.InstanceNumber for i in rows]
    known = [n for n in numbers if n is not None]
    if len(known) != len(numbers):
        return False
    jumps = [b - a for a, b in pairwise(known)]
    return jumps == list(times) or [-j for j in jumps] == list(times)


@lru_cache(maxsize=4096)
def unit_normal(orientation: Floats) -> NDArray[np.float64] | None:
    """Row cosines × column cosines, of length 1; None where they are absent or parallel."""
    if not is_point(orientation, 6):
        return None
    cosines = np.array(orientation, dtype=float)
    normal = np.cross(cosines[:3], cosines[3:])
    length = float(np.linalg.norm(normal))
    return normal / length if length > 0.1 else None


def is_point(values: Sequence[float], length: int) -> bool:
    """Whether there are so many numbers, each finite."""
    return len(values) == length and all(map(math.isfinite, values))
