"""One converted image, in memory."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Self

import numpy as np
from nibabel.nifti1 import Nifti1Header
from numpy.typing import NDArray


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Volume:
    """A stack as the NIfTI it will become. Nothing here is filtered: it never leaves the private side as it is.

    ``voxels``   stored values, (i, j, k) or (i, j, k, volume), RGB as a record of three bytes
    ``affine``   4x4, voxel index to RAS+ mm
    ``slope``, ``inter``   physical value = stored x slope + inter
    ``sidecar``  the converter's JSON, private text included
    ``bval``, ``bvec``     (volumes,) in s/mm² and (3, volumes) in FSL's convention, None where there are none
    ``converter``          ``dcm2niix v…`` or ``pydicom``
    ``note``     why dcm2niix's own output was not taken, empty where it was
    """

    header: Nifti1Header
    voxels: NDArray[np.generic]
    affine: NDArray[np.float64]
    slope: float
    inter: float
    sidecar: Mapping[str, object]
    bval: NDArray[np.float64] | None
    bvec: NDArray[np.float64] | None
    converter: str
    note: str = ""

    @property
    def n_volumes(self) -> int:
        """1 for a 3D image."""
        return self.voxels.shape[3] if self.voxels.ndim > 3 else 1

    def as_series(self, interval_s: float) -> Self:
        """A time series of one: 4D as BIDS wants every bold to be, with the repetition time as the fourth zoom."""
        header = self.header.copy()
        zooms = header.get_zooms()[:3]
        header.set_data_shape((*self.voxels.shape, 1))
        header.set_zooms((*zooms, interval_s))
        return self.but(voxels=self.voxels[..., np.newaxis], header=header)

    def but(self, **changes: object) -> Self:
        """A copy with some fields replaced."""
        return replace(self, **changes)  # type: ignore[arg-type]


def squeezed(voxels: NDArray[np.generic]) -> NDArray[np.generic]:
    """``voxels`` as 3D where the fourth axis holds one volume: BIDS refuses a T1w of shape (x, y, z, 1).

    >>> squeezed(np.zeros((2, 3, 4, 1))).shape
    (2, 3, 4)
    """
    return voxels[..., 0] if voxels.ndim == 4 and voxels.shape[3] == 1 else voxels
