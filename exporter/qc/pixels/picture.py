"""What all metrics and checks of voxels share: one volume of an image with all that is derived from it, made once."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from ...convert.volume import Volume
from .levels import Levels, levels_of, otsu

Mask = NDArray[np.uint8]
Images = NDArray[np.float32]
MOST_SLICES, LEAST_SLICES, MOST_VOXELS = 16, 3, 2**19
MARGIN = 2
CROSS = np.ascontiguousarray(cv2.getStructuringElement(cv2.MORPH_CROSS, (3, 3)))


@dataclass(frozen=True, eq=False)
class Picture:
    """One 3D volume of an image (of a 4D image the ``index``-th), slice by slice as OpenCV reads it.

    All arrays have the shape (k, j, i): slice, row, column, contiguous in memory, so that ``array[k]`` is an image
    for OpenCV. They are made when first asked for, and must not be written to.
    """

    volume: Volume
    index: int = 0

    @cached_property
    def raw(self) -> NDArray[np.generic]:
        """Stored voxels in their own type, of colours their mean as float32 (NaN and infinite values as they are)."""
        voxels: Any = self.volume.voxels
        voxels = voxels[..., self.index] if voxels.ndim > 3 else voxels
        if voxels.dtype.names:
            voxels = np.mean([voxels[name] for name in voxels.dtype.names], axis=0, dtype=np.float32)
        voxels = voxels.astype(voxels.dtype.newbyteorder("="), copy=False)
        return np.ascontiguousarray(voxels.reshape((*voxels.shape, 1, 1)[:3]).T)

    @property
    def shape(self) -> tuple[int, int, int]:
        """Slices, rows, columns."""
        k, j, i = self.raw.shape
        return k, j, i

    @cached_property
    def stored(self) -> Images:
        """Stored values, what is not finite as 0."""
        values = self.raw.astype(np.float32)
        if self.raw.dtype.kind not in "iub" and not cv2.checkRange(values.reshape(1, -1))[0]:
            values = np.nan_to_num(values, nan=0.0, posinf=0.0, neginf=0.0)
        return values

    @cached_property
    def values(self) -> Images:
        """Physical values: stored x slope + intercept."""
        slope, inter = self.volume.slope, self.volume.inter
        return self.stored if (slope, inter) == (1.0, 0.0) else self.stored * np.float32(slope) + np.float32(inter)

    @cached_property
    def words(self) -> NDArray[np.uint16] | None:
        """Stored integers of at most 16 bits as uint16 in the same order (signed ones plus 32768), else None."""
        if self.raw.dtype == np.int16:
            return np.bitwise_xor(self.raw.view(np.uint16), np.uint16(0x8000))
        return self.raw.astype(np.uint16, copy=False) if self.raw.dtype in (np.uint8, np.uint16) else None

    @cached_property
    def levels(self) -> Levels:
        """The exact histogram of ``stored``."""
        return levels_of(self.raw if self.raw.dtype.kind in "iu" else self.stored)

    @cached_property
    def threshold(self) -> float:
        """The lowest stored value of the foreground; infinite where there is no foreground."""
        return otsu(self.levels)

    @cached_property
    def inside(self) -> Mask:
        """1 where the voxel is foreground: above Otsu's threshold, as in ``convert.foreground``, but from the exact
        histogram, which is here already."""
        return (self.stored >= np.float32(self.threshold)).view(np.uint8)

    @property
    def hull(self) -> Mask:
        """1 in the convex hull of each slice's foreground without specks (opened by a cross three voxels wide)."""
        return self._parts[0]

    @property
    def air(self) -> Mask:
        """1 outside the hull and a margin of two voxels, where edges ring and specks of the outline lie."""
        return self._parts[1]

    @cached_property
    def _parts(self) -> tuple[Mask, Mask]:
        return hull_and_air(self.inside)

    @cached_property
    def air_levels(self) -> Levels:
        """The histogram of ``stored`` in the air."""
        return levels_of(self.raw if self.raw.dtype.kind in "iu" else self.stored, self.air)

    @cached_property
    def inside_counts(self) -> NDArray[np.int64]:
        """(k,) Foreground voxels of each slice."""
        return np.array([cv2.countNonZero(mask) for mask in self.inside], np.int64)

    @cached_property
    def sampled(self) -> NDArray[np.intp]:
        """The slices that show foreground, of which at most 16 and half a million voxels (at least three slices),
        evenly taken: for what is dear to reckon."""
        shown = np.flatnonzero(self.inside_counts)
        n = min(shown.size, MOST_SLICES, max(LEAST_SLICES, MOST_VOXELS // max(1, self.stored[0].size)))
        return shown[np.linspace(0, max(0, shown.size - 1), n).round().astype(int)]


def hull_and_air(inside: Mask) -> tuple[Mask, Mask]:
    """1 in the convex hull of each slice of a mask, its specks left out; 1 outside it and its margin."""
    opened = np.empty_like(inside)
    for image, result in zip(inside, opened, strict=True):
        cv2.morphologyEx(image, cv2.MORPH_OPEN, CROSS, dst=result)
    filled, air = np.zeros(inside.shape, np.uint8), np.ones(inside.shape, np.uint8)
    for k, points in _outlines(opened):
        outline = cv2.convexHull(points)
        cv2.fillConvexPoly(filled[k], outline, (1,))
        cv2.fillConvexPoly(air[k], outline, (0,))
        cv2.polylines(air[k], [outline], isClosed=True, color=(0,), thickness=2 * MARGIN + 1)
    return filled, air


def _outlines(mask: Mask) -> Iterator[tuple[int, NDArray[np.int32]]]:
    """The slices that hold anything, and (n, 2) column and row of the first and last voxel of each row that does: all
    that a convex hull needs."""
    slices, rows, columns = mask.shape
    wide = mask.reshape(-1, columns)
    first, points = wide.view(np.bool_).argmax(axis=1), np.empty((slices, 2, rows, 2), np.int32)
    points[:, 0, :, 0] = first.reshape(slices, rows)
    points[:, 1, :, 0] = (columns - 1 - cv2.flip(wide, 1).view(np.bool_).argmax(axis=1)).reshape(slices, rows)
    points[..., 1] = np.arange(rows)
    held = wide[np.arange(len(wide)), first].reshape(slices, rows) > 0
    for k in np.flatnonzero(held.any(axis=1)):
        yield int(k), points[k][:, held[k]].reshape(-1, 2)
