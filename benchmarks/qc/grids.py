"""Where the slices of a made scan lie in the patient."""

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
    """Parallel slices in the patient's system (LPS, mm): ``gap`` is the distance between the centres of slices.

    ``tilt`` turns the planes about left-right and ``turn`` about head-feet, in degrees.
    """

    plane: str
    rows: int
    columns: int
    pixel: float
    slices: int
    gap: float
    thickness: float
    centre: Vector = (0.0, 0.0, 0.0)
    tilt: float = 0.0
    turn: float = 0.0

    @cached_property
    def _rotation(self) -> NDArray[np.float64]:
        a, b = np.deg2rad(self.tilt), np.deg2rad(self.turn)
        about_x = np.array([[1, 0, 0], [0, np.cos(a), -np.sin(a)], [0, np.sin(a), np.cos(a)]])
        about_z = np.array([[np.cos(b), -np.sin(b), 0], [np.sin(b), np.cos(b), 0], [0, 0, 1]])
        return about_z @ about_x

    @cached_property
    def row(self) -> NDArray[np.float64]:
        """Unit vector along a row."""
        return self._rotation @ np.array(PLANES[self.plane][0])

    @cached_property
    def column(self) -> NDArray[np.float64]:
        """Unit vector down a column."""
        return self._rotation @ np.array(PLANES[self.plane][1])

    @cached_property
    def normal(self) -> NDArray[np.float64]:
        """Unit vector from the first slice to the last."""
        return np.cross(self.row, self.column)

    def position(self, index: float) -> NDArray[np.float64]:
        """ImagePositionPatient of a slice: the centre of its first voxel."""
        corner = self.row * (self.columns - 1) / 2 + self.column * (self.rows - 1) / 2
        along = self.normal * self.gap * (index - (self.slices - 1) / 2)
        return np.array(self.centre) - self.pixel * corner + along

    def points(self) -> NDArray[np.float32]:
        """The centre of every voxel: an array (slices, rows, columns, 3)."""
        down = np.arange(self.rows)[:, None, None] * self.pixel * self.column
        across = np.arange(self.columns)[None, :, None] * self.pixel * self.row
        starts = np.stack([self.position(k) for k in range(self.slices)])
        return (starts[:, None, None, :] + (down + across)).astype(np.float32)
