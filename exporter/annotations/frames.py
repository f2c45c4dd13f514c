"""Masks given plane by plane: each pixel goes to the voxel of the grid whose centre it has."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..convert.grid import EVEN_MM, EVEN_SHARE
from .grid import Grid, MaskRefused

FARTHEST = 1e6
"""Voxel indices beyond this are of no image."""


@dataclass(frozen=True, slots=True, eq=False)
class Plane:
    """One frame: where it lies, and what reads it.

    ``affine`` (4×4) takes (column, row, 0, 1) to LPS mm; ``size`` is (rows, columns); ``pixels`` gives the array
    ``[rows, columns]``, and is not called before the plane was found to lie on the grid. ``spacing`` is the distance in
    mm to the next slice that the object states, None where it states none.
    """

    affine: NDArray[np.float64]
    size: tuple[int, int]
    pixels: Callable[[], NDArray[np.generic]]
    spacing: float | None = None

    @classmethod
    def of(
        cls,
        array: NDArray[np.generic],
        position: Sequence[float],
        orientation: Sequence[float],
        pixel_spacing: Sequence[float],
        spacing: float | None = None,
    ) -> Plane:
        """A plane of an array ``[rows, columns]`` and its ImagePositionPatient, -Orientation and PixelSpacing."""
        affine = plane_affine(position, orientation, pixel_spacing)
        return cls(affine, (array.shape[0], array.shape[1]), _Held(array), spacing)


@dataclass(frozen=True, slots=True, eq=False)
class _Held:
    """Pixels that are in memory; unlike a closure it can be sent to another process."""

    array: NDArray[np.generic]

    def __call__(self) -> NDArray[np.generic]:
        return self.array


def plane_affine(
    position: Sequence[float], orientation: Sequence[float], pixel_spacing: Sequence[float]
) -> NDArray[np.float64]:
    """(column, row, 0, 1) to LPS mm (DICOM PS3.3 C.7.6.2.1.1); PixelSpacing is (between rows, between columns)."""
    cosines = np.reshape(np.asarray(orientation, dtype=float), (2, 3))
    affine = np.eye(4)
    affine[:3, 0] = cosines[0] * pixel_spacing[1]
    affine[:3, 1] = cosines[1] * pixel_spacing[0]
    affine[:3, 2] = np.cross(cosines[0], cosines[1])
    affine[:3, 3] = np.asarray(position, dtype=float)
    return affine


@dataclass(frozen=True, slots=True, eq=False)
class FramesShape:
    """The union of planes; ``fraction`` says that pixels are shares of 0..1 and not inside or outside.

    Planes need not be in order, fill the image or be of its size, and several may lie on one slice.
    """

    planes: tuple[Plane, ...]
    fraction: bool = False

    def on(self, grid: Grid) -> NDArray[np.uint8] | NDArray[np.float32]:
        """The planes on the grid, uint8 or, of fractions, float32 ``[X, Y, Z]``.

        Raises ``MaskRefused``: A01 where centres lie beside those of the grid, where something drawn lies outside of it
        or where slices are stated to be further apart; A02 where nothing is inside; F03 where pixels cannot be read.
        """
        places = [_place(plane, grid) for plane in self.planes]
        size = grid.size[::-1]  # so that a slice lies in one piece
        voxels = np.zeros(size, np.float32).T if self.fraction else np.zeros(size, np.uint8).T
        for plane, place in zip(self.planes, places, strict=True):
            place.put(_checked(plane), voxels)
        if not voxels.any():
            raise MaskRefused("A02", "the mask is empty")
        return voxels


@dataclass(frozen=True, slots=True)
class _Place:
    """Where a plane lies: grid axes of its columns and rows, their directions, its first voxel and its slice."""

    axes: tuple[int, int]
    signs: tuple[int, int]
    first: tuple[int, int, int]

    def put(self, pixels: NDArray[np.generic], voxels: NDArray[np.uint8] | NDArray[np.float32]) -> None:
        """Add the pixels to the voxels in place; where planes meet the larger value stays."""
        normal = 3 - sum(self.axes)
        number = self.first[normal]
        if not 0 <= number < voxels.shape[normal]:
            if pixels.any():
                raise MaskRefused("A01", "the mask has slices outside of its image")
            return
        ordered = pixels.T[tuple(slice(None, None, sign) for sign in self.signs)]
        if self.axes[0] > self.axes[1]:
            ordered = ordered.T
        window: list[int | slice] = [number] * 3
        for axis, count in zip(self.axes, (pixels.shape[1], pixels.shape[0]), strict=True):
            window[axis] = slice(self.first[axis], self.first[axis] + count)
        here = voxels[tuple(window)]
        np.maximum(here, ordered.astype(voxels.dtype), out=here)


def _place(plane: Plane, grid: Grid) -> _Place:
    """Where the plane lies on the grid, told by the centres of its corners."""
    rows, columns = plane.size
    index = grid.from_lps() @ plane.affine
    if not (np.abs(index) < FARTHEST).all():  # also where it is no number
        raise MaskRefused("A01", "a frame does not say where it lies, or lies far outside of the image")
    steps = np.rint(index[:3, :2]).astype(int)
    axes = np.abs(steps).argmax(axis=0)
    if (np.abs(steps).sum(axis=0) != 1).any() or axes[0] == axes[1]:
        raise MaskRefused("A01", "the mask's pixels are of another size or orientation than those of its image")
    corners = np.array([[c, r, 0, 1] for c in (0, columns - 1) for r in (0, rows - 1)], dtype=float)
    centres = (corners @ index.T)[:, :3]
    wanted = np.rint(centres[0]).astype(int) + corners[:, :2].astype(int) @ steps.T
    normal = 3 - int(axes.sum())
    apart = np.abs(centres - wanted) * grid.edges
    if (apart > _allowed(grid.edges, normal)).any():
        raise MaskRefused("A01", f"the mask lies up to {apart.max():.3g} mm beside its image's grid")
    _same_distance(plane.spacing, grid, normal)
    lowest, highest = wanted.min(axis=0), wanted.max(axis=0)
    if (lowest[axes] < 0).any() or (highest[axes] >= np.array(grid.size)[axes]).any():
        raise MaskRefused("A01", "the mask reaches out of its image")
    return _Place(
        (int(axes[0]), int(axes[1])),
        (int(steps[axes[0], 0]), int(steps[axes[1], 1])),
        (int(lowest[0]), int(lowest[1]), int(lowest[2])),
    )


def _allowed(edges: NDArray[np.float64], normal: int) -> NDArray[np.float64]:
    """How many mm a centre may lie beside the grid along each axis.

    Frames repeat the positions of the image's own slices, which conversion takes as even within 0.1 mm or 5 %; within
    the slice nothing but rounding moves a centre.
    """
    allowed = np.minimum(EVEN_MM, EVEN_SHARE * edges)
    allowed[normal] = min(max(EVEN_MM, EVEN_SHARE * edges[normal]), edges[normal] / 4)
    return allowed


def _same_distance(spacing: float | None, grid: Grid, normal: int) -> None:
    """Slices drawn on another series may lie on every second slice of this one: what they state tells."""
    if spacing is None or grid.size[normal] == 1:
        return
    edge = grid.edges[normal]
    if abs(spacing - edge) > max(EVEN_MM, EVEN_SHARE * edge):
        raise MaskRefused("A01", f"the mask's slices are {spacing:.3g} mm apart, those of its image {edge:.3g} mm")


def _checked(plane: Plane) -> NDArray[np.generic]:
    pixels = plane.pixels()
    if pixels.shape != plane.size:
        raise MaskRefused("F03", "a frame does not hold the rows and columns that its header states")
    return pixels
