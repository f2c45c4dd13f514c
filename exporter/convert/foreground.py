"""Which voxels show something: Otsu's threshold over the whole volume."""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray


def first_volume(voxels: NDArray[np.generic]) -> NDArray[np.float32]:
    """The first volume as float32 of the same layout: RGB as the mean of its colours, what is not finite as 0."""
    voxels = voxels[..., 0] if voxels.ndim > 3 else voxels
    if voxels.dtype.names:
        colours: Any = voxels
        return np.asarray(np.mean([colours[name] for name in voxels.dtype.names], axis=0, dtype=np.float32))
    values = voxels.astype(np.float32)
    return values if voxels.dtype.kind in "iub" else np.nan_to_num(values, nan=0.0, posinf=0.0, neginf=0.0)


def foreground(values: NDArray[np.float32]) -> NDArray[np.bool_]:
    """Voxels above Otsu's threshold (Otsu 1979, doi:10.1109/TSMC.1979.4310076), none where all are equal.

    The histogram has 256 bins between the lowest value and the 99.5th percentile, so that a few bright
    voxels do not decide; the percentile is taken on at most some 100,000 voxels.
    """
    flat = values.ravel(order="K")
    low, top = cv2.minMaxLoc(flat.reshape(1, -1))[:2]
    high = float(np.percentile(flat[:: max(1, flat.size // 100_000)], 99.5))
    if high <= low:
        high = top
    if high <= low:
        return np.zeros(values.shape, np.bool_)
    scale = 255.0 / (high - low)
    levels = cv2.convertScaleAbs(flat.reshape(1, -1), alpha=scale, beta=-low * scale)
    _, mask = cv2.threshold(levels, 0, 1, cv2.THRESH_BINARY | cv2.THRESH_OTSU)
    order = "F" if values.flags.f_contiguous else "C"
    return mask.ravel().view(np.bool_).reshape(values.shape, order=order)
