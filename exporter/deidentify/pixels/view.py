"""A volume as its slices were shown on the screen: text is drawn there, upright, whatever a converter turns since."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

Pixels = NDArray[Any]

LPS_TO_RAS = np.array((-1.0, -1.0, 1.0))


def as_shown(voxels: Pixels, affine: NDArray[np.float64], orientation: Sequence[float] | None) -> Pixels:
    """A view of a 3D volume as (slice, row, column), rows from the top and columns from the left of the screen.

    ``affine`` leads from voxels to RAS+ mm, ``orientation`` is the ImageOrientationPatient of the slices (PS3.3
    C.7.6.2.1.1). Without it, slices are the third axis and rows run as dcm2niix stores them, the last one first.
    """
    if orientation is None or len(orientation) != 6 or not np.isfinite(orientation).all():
        return voxels.transpose(2, 1, 0)[:, ::-1]
    directions = affine[:3, :3] / np.maximum(np.linalg.norm(affine[:3, :3], axis=0), 1e-12)
    along_row = directions.T @ (np.asarray(orientation[:3]) * LPS_TO_RAS)
    along_column = directions.T @ (np.asarray(orientation[3:]) * LPS_TO_RAS)
    columns = int(np.argmax(np.abs(along_row)))
    rows = max((axis for axis in range(3) if axis != columns), key=lambda axis: abs(along_column[axis]))
    shown = voxels.transpose(3 - rows - columns, rows, columns)
    if along_column[rows] < 0:
        shown = shown[:, ::-1]
    return shown[:, :, ::-1] if along_row[columns] < 0 else shown
