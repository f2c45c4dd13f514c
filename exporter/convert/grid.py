"""Where the voxels of a stack must lie, told from its headers alone."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import product

import numpy as np
from numpy.typing import NDArray

from ..errors import ConversionError
from ..inventory.instance import Instance
from ..stacks.geometry import normal
from ..stacks.stack import Stack

LPS_TO_RAS = np.diag([-1.0, -1.0, 1.0])
EVEN_MM, EVEN_SHARE = 0.1, 0.05
CORNER_MM = 0.1


@dataclass(frozen=True, slots=True, eq=False)
class Grid:
    """Shape (columns, rows, slices) and affine (RAS+ mm) of a stack, stored as dcm2niix stores an untilted image.

    i follows the columns, j the rows from the last to the first, k the slices in the order of the stack.
    """

    shape: tuple[int, int, int]
    affine: NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Placement:
    """How an image lies on a grid: image axis ``o`` runs along grid axis ``axes[o]``, backwards if ``flips[o]``."""

    axes: tuple[int, ...]
    flips: tuple[bool, ...]

    def undo(self, voxels: NDArray[np.generic]) -> NDArray[np.generic]:
        """A view of the image's voxels in the orientation of the grid; a volume axis stays last."""
        flipped = voxels[tuple(slice(None, None, -1 if flip else None) for flip in self.flips)]
        order = [self.axes.index(axis) for axis in range(3)] + list(range(3, voxels.ndim))
        return flipped.transpose(order)


def expected_grids(stack: Stack) -> tuple[Grid, ...]:
    """The grids a right conversion may have: one, or two for a mosaic, whose slice direction no public tag tells.

    Raises :class:`ConversionError` (``no-geometry``) where position, orientation or spacing is missing.
    """
    first = stack.first
    volume = first_volume(stack)
    if any(not has_geometry(instance) for instance in volume):
        raise ConversionError(
            "no-geometry",
            f"stack {stack.stack_id}: ImagePositionPatient, ImageOrientationPatient, PixelSpacing or the matrix size "
            "is missing, so the image cannot be placed; leave it out or ask the site for the original series",
        )
    if first.mosaic_tiles:
        step = slice_normal(first) * nominal_step(first)
        return tuple(make_grid(first, mosaic_corner(first), sign * step, stack.n_slices) for sign in (1.0, -1.0))
    positions = np.array([instance.ImagePositionPatient for instance in volume], dtype=float)
    return (make_grid(first, positions[0], step_vector(first, positions), stack.n_slices),)


def first_volume(stack: Stack) -> list[Instance]:
    """The instances of the stack's first volume, in slice order."""
    return [i for i, volume in zip(stack.instances, stack.volume, strict=True) if volume == stack.volume[0]]


def has_geometry(instance: Instance) -> bool:
    """Whether the instance can be placed in space."""
    return (
        len(instance.ImagePositionPatient) == 3
        and len(instance.ImageOrientationPatient) == 6
        and len(instance.PixelSpacing) == 2
        and min(instance.PixelSpacing) > 0
        and bool(instance.Rows and instance.Columns)
        and bool(normal(instance.ImageOrientationPatient))
    )


def slice_normal(instance: Instance) -> NDArray[np.float64]:
    """Unit normal of the slice in LPS: row cosines × column cosines (DICOM PS3.3 C.7.6.2.1.1)."""
    return np.array(normal(instance.ImageOrientationPatient))


def nominal_step(instance: Instance) -> float:
    """Distance of slice centres in mm as the header states it; 1 where it states none."""
    return abs(instance.SpacingBetweenSlices or instance.SliceThickness or 1.0) or 1.0


def is_even(gaps: NDArray[np.float64]) -> bool:
    """Whether the distances between slices differ by no more than rounding (the tolerance of check G05)."""
    middle = float(np.median(gaps))
    return bool(np.all(np.abs(gaps - middle) <= max(EVEN_MM, EVEN_SHARE * abs(middle))))


def step_vector(instance: Instance, positions: NDArray[np.float64]) -> NDArray[np.float64]:
    """The vector from one slice to the next in LPS mm, shear of a tilted gantry included.

    Even slices take the mean step, which rounding of single positions does not move; uneven ones (a slice
    is missing) the median step, which the gap does not move.
    """
    if len(positions) < 2:
        return slice_normal(instance) * nominal_step(instance)
    steps = np.diff(positions, axis=0)
    if is_even(steps @ slice_normal(instance)):
        step = steps.mean(axis=0)
    else:
        step = np.median(steps, axis=0)
    if abs(float(step @ slice_normal(instance))) < 1e-6:
        raise ConversionError("no-geometry", "slices of one volume lie at the same position, so no volume can be built")
    return step


def tile_shape(instance: Instance) -> tuple[int, int]:
    """Rows and columns of one slice: of one tile where the instance is a mosaic (tiles fill a square, row by row)."""
    rows, columns = instance.Rows or 0, instance.Columns or 0
    side = int(np.ceil(np.sqrt(instance.mosaic_tiles))) if instance.mosaic_tiles else 1
    return rows // side, columns // side


def mosaic_corner(instance: Instance) -> NDArray[np.float64]:
    """Position of the first voxel of a mosaic's tiles in LPS mm.

    The header gives the corner that a slice as large as the whole mosaic would have (nibabel's DICOM mosaic page).
    """
    rows, columns = tile_shape(instance)
    cosines = np.array(instance.ImageOrientationPatient, dtype=float)
    down, across = instance.PixelSpacing
    return (
        np.array(instance.ImagePositionPatient, dtype=float)
        + cosines[:3] * across * ((instance.Columns or 0) - columns) / 2
        + cosines[3:] * down * ((instance.Rows or 0) - rows) / 2
    )


def make_grid(instance: Instance, corner: NDArray[np.float64], step: NDArray[np.float64], n_slices: int) -> Grid:
    """The grid of slices of ``instance``'s shape from ``corner`` (LPS) on, one ``step`` (LPS) apart."""
    rows, columns = tile_shape(instance)
    cosines = np.array(instance.ImageOrientationPatient, dtype=float)
    across = cosines[:3] * instance.PixelSpacing[1]
    down = cosines[3:] * instance.PixelSpacing[0]
    affine = np.eye(4)
    affine[:3, :3] = LPS_TO_RAS @ np.column_stack([across, -down, step])
    affine[:3, 3] = LPS_TO_RAS @ (corner + (rows - 1) * down)
    return Grid((columns, rows, n_slices), affine)


def place(grid: Grid, shape: tuple[int, ...], affine: NDArray[np.float64]) -> Placement | None:
    """How an image of this shape and affine lies on the grid, or None where its corners are elsewhere.

    The corners must agree within 0.1 mm; axes may be swapped and reversed, as dcm2niix does with 3D acquisitions.
    """
    if len(shape) < 3 or not np.all(np.isfinite(affine)):
        return None
    ours, theirs = (matrix[:3, :3] / np.linalg.norm(matrix[:3, :3], axis=0) for matrix in (grid.affine, affine))
    cosines = ours.T @ theirs
    axes = tuple(int(axis) for axis in np.abs(cosines).argmax(axis=0))
    if sorted(axes) != [0, 1, 2] or any(grid.shape[axis] != size for axis, size in zip(axes, shape[:3], strict=True)):
        return None
    flips = tuple(bool(cosines[axis, o] < 0) for o, axis in enumerate(axes))
    for corner in product(*((0, size - 1) for size in shape[:3])):
        index = np.zeros(3)
        for o, axis in enumerate(axes):
            index[axis] = shape[o] - 1 - corner[o] if flips[o] else corner[o]
        distance = (affine - grid.affine)[:3, 3] + affine[:3, :3] @ np.array(corner) - grid.affine[:3, :3] @ index
        if np.linalg.norm(distance) > CORNER_MM:
            return None
    return Placement(axes, flips)
