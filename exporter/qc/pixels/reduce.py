"""Volumes made small in their plane: what checks of slices and of sibling images look at."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

Images = NDArray[np.float32]
LARGEST = 96
"""Pixels of a reduced slice along each axis at most."""
SMALLEST = 64
"""Fewer are not chosen for the sake of speed."""


def area_means(images: Images, slice_axis: int = 0, largest: int = LARGEST) -> Images:
    """A contiguous 3D array made smaller: along each axis but ``slice_axis`` at most ``largest`` means of areas.

    Axes keep their order. The array is read as it lies in memory whichever axis the slices have: to turn a large
    array costs more than to reduce it.
    """
    k, j, i = images.shape
    to_k, to_j, to_i = (n if axis == slice_axis else target(n, largest) for axis, n in enumerate(images.shape))
    if to_k < k:
        images = _resized(images.reshape(k, j * i), to_k, j * i).reshape(to_k, j, i)
    if to_j < j:
        return np.stack([_resized(image, to_j, to_i) for image in images])
    if to_i < i:
        return _resized(images.reshape(-1, i), to_k * j, to_i).reshape(to_k, j, to_i)
    return images


def target(n: int, largest: int = LARGEST) -> int:
    """The size of a reduced axis of ``n`` voxels: one that whole voxels fill, where that is not much smaller than
    ``largest``. Fractions of voxels take four times as long.

    >>> target(80), target(256), target(320), target(131)
    (80, 64, 80, 96)
    """
    if n <= largest:
        return n
    return max((size for size in range(SMALLEST, largest + 1) if n % size == 0), default=largest)


def _resized(image: Images, rows: int, columns: int) -> Images:
    return np.asarray(cv2.resize(image, (columns, rows), interpolation=cv2.INTER_AREA), np.float32)
