"""Ghosts along the phase axis, in the plane of the slices. None where that axis is not known or lies across slices."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from ..pixels.picture import Mask, Picture
from .regions import LEAST_AIR, Regions


def gsr(regions: Regions) -> float | None:
    """Ghost to signal ratio, no unit, about 0 without a ghost: (mean of the air where the hull, shifted by half the
    field of view along the phase axis, lies - mean of the other air) / mean of the foreground (Giannelli et al. 2010,
    doi:10.1120/jacmp.v11i4.3237, as in MRIQC)."""
    if not _can_be_told(regions):
        return None
    picture, axis = regions.picture, _image_axis(regions)
    ghost = np.bitwise_and(np.roll(picture.hull, picture.shape[axis] // 2, axis=axis), picture.air)
    other = np.bitwise_xor(picture.air, ghost)
    within, outside = _mean(picture, ghost), _mean(picture, other)
    return None if within is None or outside is None else _share(regions, within - outside)


def ghosting(regions: Regions) -> float | None:
    """Ghosting ratio, no unit, about 0 without a ghost: (mean of the air beside the hull along the phase axis - mean of
    that along the read axis) / mean of the foreground, over rectangles from the hull's bounding box to the border of
    each slice (the ACR's percent signal ghosting as a share with its sign, ACR MRI Accreditation Program Phantom Test
    Guidance, section 6)."""
    if not _can_be_told(regions):
        return None
    picture = regions.picture
    along, across = np.zeros(2), np.zeros(2)
    for image, hull in zip(picture.values, picture.hull, strict=True):
        x, y, width, height = cv2.boundingRect(hull)
        if width:
            along += _sums(image[:y, x : x + width], image[y + height :, x : x + width])
            across += _sums(image[y : y + height, :x], image[y : y + height, x + width :])
    if _image_axis(regions) == 2:
        along, across = across, along
    if min(along[1], across[1]) < LEAST_AIR:
        return None
    return _share(regions, along[0] / along[1] - across[0] / across[1])


def _can_be_told(regions: Regions) -> bool:
    return regions.air is not None and regions.phase_axis in (0, 1)


def _image_axis(regions: Regions) -> int:
    """The axis of the picture's arrays (k, j, i) for a voxel axis (i, j, k)."""
    return 2 - (regions.phase_axis or 0)


def _share(regions: Regions, difference: float) -> float:
    return difference / regions.signal.mean


def _mean(picture: Picture, mask: Mask) -> float | None:
    n = cv2.countNonZero(mask.reshape(-1, picture.shape[2]))
    total = cv2.norm(picture.values.reshape(-1, picture.shape[2]), cv2.NORM_L1, mask.reshape(-1, picture.shape[2]))
    return total / n if n >= LEAST_AIR else None


def _sums(*parts: NDArray[np.float32]) -> NDArray[np.float64]:
    """The sum and the number of some voxels."""
    return np.array([sum(float(cv2.sumElems(p)[0]) for p in parts if p.size), sum(p.size for p in parts)])
