"""Where the slices of a made-up series lie in the patient."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

Vector = tuple[float, float, float]

PLANES: dict[str, tuple[Vector, Vector]] = {
    "ax": ((1.0, 0.0, 0.0), (0.0, 1.0, 0.0)),
    "sag": ((0.0, 1.0, 0.0), (0.0, 0.0, -1.0)),
    "cor": ((1.0, 0.0, 0.0), (0.0, 0.0, -1.0)),
}


@dataclass(frozen=True)
class Grid:
    """A block of parallel slices in the patient's system (LPS, mm).

    ``row`` points along a row (increasing column), ``column`` down a column; slices follow ``row`` × ``column``.
    ``gap`` is the distance between slice centres, ``centre`` the middle of the block.
    """

    plane: str
    matrix: tuple[int, int]
    pixel: float
    slices: int
    gap: float
    thickness: float
    centre: Vector = (0.0, 0.0, 0.0)
    tilt_deg: float = 0.0

    @cached_property
    def row(self) -> NDArray[np.float64]:
        """Unit vector along a row, tilted about the patient's left-right axis."""
        return np.round(self._tilt @ np.array(PLANES[self.plane][0]), 8)

    @cached_property
    def column(self) -> NDArray[np.float64]:
        """Unit vector down a column, tilted about the patient's left-right axis."""
        return np.round(self._tilt @ np.array(PLANES[self.plane][1]), 8)

    @cached_property
    def normal(self) -> NDArray[np.float64]:
        """Unit vector from the first slice to the last."""
        return np.cross(self.row, self.column)

    @property
    def _tilt(self) -> NDArray[np.float64]:
        angle = np.deg2rad(self.tilt_deg)
        cos, sin = np.cos(angle), np.sin(angle)
        return np.array([[1, 0, 0], [0, cos, -sin], [0, sin, cos]])

    @property
    def shape(self) -> tuple[int, int, int]:
        """Array shape as drawn and as DICOM stores it: slices, rows, columns."""
        return self.slices, *self.matrix

    def position(self, index: int) -> NDArray[np.float64]:
        """ImagePositionPatient of one slice: the centre of its first voxel, LPS mm."""
        rows, columns = self.matrix
        corner = (
            np.array(self.centre)
            - self.row * self.pixel * (columns - 1) / 2
            - self.column * self.pixel * (rows - 1) / 2
            - self.normal * self.gap * (self.slices - 1) / 2
        )
        return np.round(corner + self.normal * self.gap * index, 5)

    def points(self) -> NDArray[np.float32]:
        """The centre of every voxel, LPS mm: an array (slices, rows, columns, 3)."""
        rows, columns = self.matrix
        down = np.arange(rows)[:, None, None] * self.pixel * self.column
        along = np.arange(columns)[None, :, None] * self.pixel * self.row
        plane = (down + along).astype(np.float32)
        return np.stack([plane + self.position(k).astype(np.float32) for k in range(self.slices)])

    def nifti_affine(self) -> NDArray[np.float64]:
        """The RAS+ affine of the volume as dcm2niix writes it: columns, rows upside down, slices along the normal."""
        rows = self.matrix[0]
        lps = np.eye(4)
        lps[:3, 0] = self.row * self.pixel
        lps[:3, 1] = -self.column * self.pixel
        lps[:3, 2] = self.position(1) - self.position(0)
        lps[:3, 3] = self.position(0) + self.column * self.pixel * (rows - 1)
        return np.diag([-1.0, -1.0, 1.0, 1.0]) @ lps

    @staticmethod
    def to_nifti(volume: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """An array (slices, rows, columns) in the orientation of :meth:`nifti_affine`: (columns, rows, slices)."""
        return np.ascontiguousarray(volume[:, ::-1, :].transpose(2, 1, 0))
