"""Masks are told by their BIDS suffix, and hold 0 and 1 alone."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from ..errors import ReadError

ENDS = ("_mask.nii.gz", "_mask.nii")


def is_mask(path: str | Path) -> bool:
    """Whether a file is a mask by its name."""
    return str(path).endswith(ENDS)


def check_mask(path: str | Path, voxels: np.ndarray) -> None:
    """Raise :class:`ReadError` where a mask holds anything but 0 and 1. One without any 1 is a mask, and empty."""
    if not is_mask(path) or not voxels.size:
        return
    if voxels.dtype.kind in "iu" and voxels.min() >= 0 and voxels.max() <= 1:
        return
    strange = voxels[(voxels != 0) & (voxels != 1)]
    if strange.size:
        raise ReadError(
            f"{path}: a mask holds 0 and 1, this one {strange[0]:g} as well; a label map has the suffix dseg, "
            "fractions probseg."
        )
