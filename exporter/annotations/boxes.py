"""Boxes and points: from millimetres, or pixels of one slice, to the voxels of an image."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import product

import numpy as np
from numpy.typing import NDArray

from ..inventory.instance import Instance
from .grid import Grid, MaskRefused
from .region import Marked

BESIDE = 0.5
"""Voxels that a corner may lie outside the centres of the outermost: it is still in the image."""

ROUNDING = 1e-3
"""Voxels: what the rounding of headers and tables does."""

POINT_COLUMNS = ("i", "j", "k")
BOX_COLUMNS = ("i1", "j1", "k1", "i2", "j2", "k2")


@dataclass(frozen=True, slots=True)
class VoxelMark:
    """A box as its first and last voxel along each axis (both inside), or a point as voxel coordinates.

    Coordinates count from 0 at the centre of the first voxel; a point's are not rounded to voxels.
    """

    drawing: Marked
    numbers: tuple[float, ...]

    @property
    def is_box(self) -> bool:
        return len(self.numbers) == len(BOX_COLUMNS)

    @property
    def row(self) -> Mapping[str, str]:
        """The mark's cells: whole voxels of a box, a point to a hundredth of a voxel."""
        columns = BOX_COLUMNS if self.is_box else POINT_COLUMNS
        values = (f"{n:.0f}" if self.is_box else f"{n:.2f}" for n in self.numbers)
        return dict(zip(columns, values, strict=True))


def put_on(mark: Marked, grid: Grid, instance: Instance | None) -> VoxelMark:
    """A box or point in voxels of a grid.

    ``instance`` is the one that ``sop_uid`` names. Raises ``MaskRefused``: A01 where it lies outside the image, or the
    instance does not say where it lies; F03 where a coordinate is no number.
    """
    corners = np.array([mark.low] if mark.high is None else list(product(*zip(mark.low, mark.high, strict=True))))
    if mark.sop_uid:
        corners = _of_pixels(corners, instance)
    index = _voxels_of(corners, grid)
    if not np.isfinite(index).all():
        raise MaskRefused("F03", "a corner holds a coordinate that is no number")
    last = np.array(grid.size) - 1
    if (index < -BESIDE - ROUNDING).any() or (index > last + BESIDE + ROUNDING).any():
        farthest = float(max(-index.min(), (index - last).max()))
        raise MaskRefused("A01", f"it reaches {farthest:.1f} voxels beyond the first or last voxel of its image")
    if mark.high is None:
        return VoxelMark(mark, tuple(float(n) for n in np.clip(index[0], 0, last)))
    first = np.clip(np.floor(index.min(axis=0) + 0.5 + ROUNDING), 0, last)
    end = np.clip(np.ceil(index.max(axis=0) - 0.5 - ROUNDING), first, last)
    return VoxelMark(mark, tuple(float(n) for n in (*first, *end)))


def _voxels_of(corners: NDArray[np.float64], grid: Grid) -> NDArray[np.float64]:
    """Points ``[N, 3]`` in mm (LPS) as voxel coordinates."""
    inverse = grid.from_lps()
    return corners @ inverse[:3, :3].T + inverse[:3, 3]


def _of_pixels(corners: NDArray[np.float64], instance: Instance | None) -> NDArray[np.float64]:
    """Column and row of an instance as points in mm (LPS), by PS3.3 C.7.6.2.1.1."""
    if instance is None:
        raise MaskRefused("A01", "the instance that sop_uid names is not among the exported images")
    if len(instance.ImagePositionPatient) != 3 or len(instance.ImageOrientationPatient) != 6:
        raise MaskRefused("A01", "the instance does not say where it lies, so its pixels cannot be placed")
    if len(instance.PixelSpacing) != 2:
        raise MaskRefused("A01", "the instance does not say how large its pixels are, so they cannot be placed")
    along_row, along_column = np.reshape(instance.ImageOrientationPatient, (2, 3))
    between_rows, between_columns = instance.PixelSpacing
    steps = np.outer(corners[:, 0] * between_columns, along_row) + np.outer(corners[:, 1] * between_rows, along_column)
    return np.array(instance.ImagePositionPatient) + steps
