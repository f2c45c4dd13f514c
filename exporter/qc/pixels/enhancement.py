"""How much brighter tissue becomes by a contrast agent."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ...convert.foreground import foreground

LIT = 0.3
"""Of the median of the foreground: darker voxels are noise, and noise divided by noise enhances. Low enough that the
depth of the body counts, where surface coils see little."""
FEWEST_VOXELS = 50


def enhancement(native: NDArray[np.float32], enhanced: NDArray[np.float32]) -> float | None:
    """The 99th percentile, over the tissue, of the ratio of two images (x, y, z), without and with contrast, each voxel
    the median of its 3 x 3 x 3 neighbours (ours); None where too little is shown."""
    from scipy.ndimage import median_filter  # only here: it takes long to import

    middle = ((native + enhanced) / 2).astype(np.float32)
    shown = foreground(middle)
    if not shown.any():
        return None
    floor = LIT * float(np.median(middle[shown]))
    shown = middle >= floor
    if shown.sum() < FEWEST_VOXELS:
        return None
    ratio = median_filter(enhanced / np.maximum(native, floor), size=3)
    return float(np.percentile(ratio[shown], 99))
