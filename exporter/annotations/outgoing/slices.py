"""From the voxels of an exported image back to the pixels of its DICOM slices."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from ...convert.grid import EVEN_MM, EVEN_SHARE, first_volume, has_geometry
from ...errors import UsageError
from ...inventory.instance import Instance
from ...stacks import Stack
from ..frames import plane_affine
from ..grid import Grid, MaskRefused


def slices_of(stack: Stack, grid: Grid) -> list[Instance]:
    """The instances of one volume of the stack: one for every slice of the grid.

    Raises ``UsageError`` for what has no slices of its own (a mosaic), is not placed in space, or lacks some.
    """
    volume = first_volume(stack)
    if any(instance.mosaic_tiles for instance in volume):
        raise UsageError("its series is a mosaic: one object holds all slices, and a segmentation cannot name them")
    if not all(has_geometry(instance) for instance in volume):
        raise UsageError("its series does not say where its slices lie")
    if len(volume) not in grid.size:
        raise UsageError(f"its series has {len(volume)} slices a volume, and the image {_by(grid.size)} voxels")
    return volume


def pixels_of(voxels: NDArray[np.generic], grid: Grid, instances: Sequence[Instance]) -> list[NDArray[np.generic]]:
    """The pixels ``[rows, columns]`` of every instance: of each the voxel of the grid whose centre it has.

    Every voxel goes to exactly one pixel. Raises ``UsageError`` where a centre lies beside the grid, or some slice of
    the image has no instance.
    """
    try:
        to_index = grid.from_lps()
    except MaskRefused as error:
        raise UsageError(str(error)) from error
    taken = np.zeros(grid.size, bool)
    found = []
    for instance in instances:
        index = _index(to_index, grid, instance)
        if taken[index].any():
            raise UsageError("two slices of its series lie at one place of the image")
        taken[index] = True
        found.append(voxels[index])
    if not taken.all():
        raise UsageError("slices are missing: parts of the image have no pixel in its series")
    return found


def _index(to_index: NDArray[np.float64], grid: Grid, instance: Instance) -> tuple[NDArray[np.intp], ...]:
    """The voxel of every pixel of a slice, as three arrays ``[rows, columns]``."""
    plane = plane_affine(instance.ImagePositionPatient, instance.ImageOrientationPatient, instance.PixelSpacing)
    rows, columns = instance.Rows or 0, instance.Columns or 0
    row, column = np.meshgrid(np.arange(rows), np.arange(columns), indexing="ij")
    matrix = to_index @ plane
    centres = matrix[:3, 0, None, None] * column + matrix[:3, 1, None, None] * row + matrix[:3, 3, None, None]
    index = np.rint(centres).astype(np.intp)
    apart = float((np.abs(centres - index) * grid.edges[:, None, None]).max())
    if apart > max(EVEN_MM, EVEN_SHARE * float(grid.edges.max())) or apart > float(grid.edges.min()) / 4:
        raise UsageError(f"a slice of its series lies {apart:.3g} mm beside the grid of the image")
    if (index < 0).any() or (index >= np.array(grid.size)[:, None, None]).any():
        raise UsageError("a slice of its series lies outside of the image")
    return index[0], index[1], index[2]


def _by(size: tuple[int, ...]) -> str:
    return "×".join(map(str, size))
