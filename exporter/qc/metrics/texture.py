"""Sums over the neighbourhoods of foreground voxels, slice by slice: a slice stays in the cache of the processor."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from ..pixels.picture import Picture

AROUND = np.array([[-1, -1, -1], [-1, 8, -1], [-1, -1, -1]], np.float32) / 8
"""A voxel less the mean of its eight neighbours: MRQy's filter, and -1/8 of the Laplacian of nine points."""
MEDIAN = 5


@dataclass(frozen=True, slots=True)
class Texture:
    """Means over ``n`` foreground voxels, in stored units (squared ones where the name says so).

    ``contrast``, ``contrast_square``   of |x - mean of the eight neighbours|, and of its square
    ``gradient_square``                 of the squared in-plane gradient, by central differences
    ``median_square``                   of the squared distance from the median of 5 x 5 voxels
    """

    n: int
    contrast: float
    contrast_square: float
    gradient_square: float
    median_square: float


def texture_of(picture: Picture) -> Texture:
    """The means of :attr:`.Picture.sampled` slices; what lies beyond the border of a slice mirrors it."""
    n = int(picture.inside_counts[picture.sampled].sum())
    sums = np.zeros(4)
    words = picture.words
    for k in picture.sampled:
        image, mask = picture.stored[k], picture.inside[k]
        around = cv2.filter2D(image, cv2.CV_32F, AROUND)
        whole = image if words is None else words[k]
        median = cv2.medianBlur(whole, MEDIAN)
        sums += (
            cv2.norm(around, cv2.NORM_L1, mask),
            cv2.norm(around, cv2.NORM_L2SQR, mask),
            _gradient(image, mask),
            cv2.norm(whole, median, cv2.NORM_L2SQR, mask),
        )
    return Texture(n, *(float(s) for s in sums / max(1, n)))


def _gradient(image: NDArray[np.float32], mask: NDArray[np.uint8]) -> float:
    """The sum of the squared gradient where the mask is 1; at the border of the image it is 0 across it."""
    squares = 0.0
    if image.shape[1] > 2:
        along = cv2.subtract(image[:, 2:], image[:, :-2])
        squares += cv2.norm(along, cv2.NORM_L2SQR, np.ascontiguousarray(mask[:, 1:-1]))
    if image.shape[0] > 2:
        squares += cv2.norm(cv2.subtract(image[2:], image[:-2]), cv2.NORM_L2SQR, mask[1:-1])
    return squares / 4
