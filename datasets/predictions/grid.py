"""From the grid of a network back to the grid of the image."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import product

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import affine_transform

HALF = 0.5
SNAP = 1e-3
"""Grids whose voxel centres meet within this part of a voxel are taken as meeting: affines are rounded in headers."""


class GridError(ValueError):
    """Two grids that cannot be brought together; the message says why."""


@dataclass(frozen=True, slots=True, eq=False)
class PutBack:
    """What a network said on the grid of its image.

    ``voxels`` are ``[C, X, Y, Z]``, 0 where the network saw nothing; ``seen`` is the share of the image's voxels that
    lie in what it saw, 0 to 1.
    """

    voxels: NDArray[np.generic]
    seen: float


def put_back(
    voxels: NDArray[np.generic],
    affine: NDArray[np.float64],
    shape: tuple[int, int, int],
    image_affine: NDArray[np.float64],
    *,
    linear: bool,
) -> PutBack:
    """Sample ``voxels`` (``[C, X, Y, Z]`` with their 4×4 ``affine``) at the voxel centres of the image.

    Both affines take voxel indices to RAS+ mm, so that whatever a pipeline did that an affine can tell (orientation,
    spacing, crop, pad, flip, rotation, in any order) is undone at once. The value of the nearest voxel is taken, or
    with ``linear`` the trilinear interpolation; where the centres of both grids meet, the values come back exactly.
    Beyond the network's field of view, that is half a voxel behind its last centres, the result is 0.

    Raises :class:`GridError` where an affine cannot be inverted, or where no voxel of the image was seen.
    """
    index = _index(affine, image_affine, shape)
    inside = _inside(index, shape, voxels.shape[1:])
    if not inside.any():
        raise GridError("nothing of the image lies in what the network saw")
    order = 1 if linear and not _meets(index) else 0
    out = np.zeros((len(voxels), *shape), voxels.dtype)
    for channel, target in zip(voxels, out, strict=True):
        affine_transform(channel, index, output_shape=shape, output=target, order=order, mode="nearest")
        target[~inside] = 0
    return PutBack(out, float(inside.mean()))


def _index(
    affine: NDArray[np.float64], image_affine: NDArray[np.float64], shape: tuple[int, int, int]
) -> NDArray[np.float64]:
    """Voxel index of the image to voxel index of the network, 4×4; whole numbers where it may be."""
    for matrix in (affine, image_affine):
        if matrix.shape != (4, 4) or not np.isfinite(matrix).all() or abs(np.linalg.det(matrix[:3, :3])) < 1e-9:
            raise GridError("an affine that cannot be inverted")
    index = np.asarray(np.linalg.solve(affine, image_affine), np.float64)
    whole = np.asarray(np.rint(index), np.float64)
    corners = np.array([[*corner, 1] for corner in product(*((0, size - 1) for size in shape))], float)
    meets = np.abs(corners @ (index - whole).T).max() < SNAP
    return whole if meets else index


def _meets(index: NDArray[np.float64]) -> bool:
    """Whether every centre of one grid is a centre of the other."""
    return bool((index == np.rint(index)).all())


def _inside(index: NDArray[np.float64], shape: tuple[int, ...], size: tuple[int, ...]) -> NDArray[np.bool_]:
    """Which voxels of the image have their centre in a voxel of the network."""
    i, j, k = np.ogrid[tuple(slice(n) for n in shape)]
    inside = np.ones(shape, bool)
    for (a, b, c, offset), count in zip(index[:3], size, strict=True):
        at = a * i + b * j + c * k + offset
        inside &= (at >= -HALF - SNAP) & (at <= count - HALF + SNAP)
    return inside
