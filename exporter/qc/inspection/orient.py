"""How a plane of an image is laid on a page: the way radiologists hold it, with the letters at its edges."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

LETTERS = (("R", "L"), ("A", "P"), ("S", "I"))
"""Towards plus and minus of each world axis (NIfTI: x to the right of the patient, y to the front, z to the head)."""

DOWN_AND_RIGHT = {2: (1, 0), 1: (2, 0), 0: (2, 1)}
"""World axes that run down and across the page, by the axis that looks through it: on an axial and a coronal page the
patient's right is at the left, on a sagittal one the front is."""

LEAST = 0.35
"""A letter is written where the cosine with its axis is more: an oblique edge has two."""


@dataclass(frozen=True, slots=True)
class Page:
    """How to lay a plane of an array on a page: axes of the array that run through, down and across it.

    ``mm`` are the distances of voxels down and across, ``marks`` the letters at left, right, top and bottom.
    """

    through: int
    down: int
    across: int
    flip_down: bool
    flip_across: bool
    mm: tuple[float, float]
    marks: tuple[str, str, str, str]

    def lay(self, volume: NDArray[Any], position: int) -> NDArray[Any]:
        """One plane of the volume as rows and columns of the page."""
        plane = np.take(volume, position, axis=self.through)
        if self.down > self.across:
            plane = plane.T
        return plane[:: -1 if self.flip_down else 1, :: -1 if self.flip_across else 1]


def page(affine: NDArray[Any], through: int) -> Page:
    """The page that looks along one array axis of an image with this affine (RAS+, mm)."""
    world, sign = _world_axes(affine)
    axes = [axis for axis in range(3) if axis != through]
    order = DOWN_AND_RIGHT[world[through]]
    down, across = sorted(axes, key=lambda axis: order.index(world[axis]))
    zooms = np.linalg.norm(affine[:3, :3], axis=0)
    # All pages run towards minus: to the feet or the back, and to the left or the back.
    flips = sign[down] > 0, sign[across] > 0
    left, right = _ends(affine, across, flips[1])
    top, bottom = _ends(affine, down, flips[0])
    mm = (float(zooms[down]) or 1.0, float(zooms[across]) or 1.0)
    return Page(through, down, across, *flips, mm, (left, right, top, bottom))


def plane_name(affine: NDArray[Any], through: int) -> str:
    """What such a page shows."""
    return ("sagittal", "coronal", "axial")[_world_axes(affine)[0][through]]


def _world_axes(affine: NDArray[Any]) -> tuple[list[int], list[int]]:
    """For each array axis the world axis that is nearest, each one once, and the sign of its direction."""
    cosines = affine[:3, :3] / np.maximum(np.linalg.norm(affine[:3, :3], axis=0), 1e-12)
    world, sign = [-1] * 3, [1] * 3
    left = np.abs(cosines)
    for _ in range(3):
        row, column = np.unravel_index(int(np.argmax(left)), (3, 3))
        world[int(column)] = int(row)
        sign[int(column)] = -1 if cosines[row, column] < 0 else 1
        left[row, :] = left[:, column] = -1
    return world, sign


def _ends(affine: NDArray[Any], axis: int, flipped: bool) -> tuple[str, str]:
    """The letters at the first and the last voxel of an axis as it is laid."""
    direction = affine[:3, axis] / max(float(np.linalg.norm(affine[:3, axis])), 1e-12)
    towards, away = letters(direction), letters(-direction)
    return (towards, away) if flipped else (away, towards)


def letters(direction: NDArray[Any]) -> str:
    """Where a unit vector in world coordinates points to, the main letter first.

    >>> letters(np.array([0.0, -0.8, 0.6])), letters(np.array([1.0, 0.1, 0.0]))
    ('PS', 'R')
    """
    order = sorted(range(3), key=lambda k: -abs(direction[k]))
    return "".join(LETTERS[k][int(direction[k] < 0)] for k in order[:2] if abs(direction[k]) > LEAST)
