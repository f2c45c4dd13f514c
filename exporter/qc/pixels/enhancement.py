"""How much brighter tissue becomes by a contrast agent."""

from __future__ import annotations

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from ...convert.foreground import foreground

LIT = 0.3
"""Of the median of the foreground: darker voxels are noise, and noise divided by noise enhances. Low enough that the
depth of the body counts, where surface coils see little."""
FEWEST_VOXELS = 50


def enhancement(native: NDArray[np.float32], enhanced: NDArray[np.float32]) -> float | None:
    """The 99th percentile, over the tissue, of the ratio of two images (x, y, z), without and with contrast, each voxel
    the median of its 3 x 3 x 3 neighbours (ours); None where too little is shown."""
    middle = ((native + enhanced) / 2).astype(np.float32)
    shown = foreground(middle)
    if not shown.any():
        return None
    floor = LIT * float(np.median(middle[shown]))
    shown = middle >= floor
    if shown.sum() < FEWEST_VOXELS:
        return None
    ratio = np.pad(enhanced / np.maximum(native, floor), 1, mode="symmetric")
    around = sliding_window_view(ratio, (3, 3, 3))[shown].reshape(-1, 27)
    return float(np.percentile(np.median(around, axis=1), 99))
