"""Where the slices of a stack lie, measured once for all geometry checks."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..inventory.instance import Instance
from ..stacks.stack import Stack


@dataclass(frozen=True, slots=True, eq=False)
class Column:
    """The slices of one volume in order along the unit ``normal``: ``positions`` are (slices, 3) in LPS mm.

    ``along``  (slices,) position on the normal in mm; ``gaps`` (slices - 1,) from each to the next
    """

    volume: int
    normal: NDArray[np.float64]
    positions: NDArray[np.float64]
    along: NDArray[np.float64]

    @property
    def gaps(self) -> NDArray[np.float64]:
        """Distances between neighbouring slice centres in mm."""
        return np.diff(self.along)


@dataclass(frozen=True, slots=True, eq=False)
class Layout:
    """A stack with its slice positions. ``columns`` is empty for mosaics, where one instance holds all slices, and
    where a position or orientation is missing or degenerate (check G01)."""

    stack: Stack
    columns: tuple[Column, ...]

    @property
    def instances(self) -> tuple[Instance, ...]:
        """All instances of the stack."""
        return self.stack.instances


def layout_of(stack: Stack) -> Layout:
    """The layout of a stack; volumes at the same positions as the volume before are measured once."""
    if any(i.mosaic_tiles or len(i.ImagePositionPatient) != 3 for i in stack.instances):
        return Layout(stack, ())
    normal = unit_normal(stack.first)
    if normal is None:
        return Layout(stack, ())
    of_volume: dict[int, list[tuple[float, ...]]] = {}
    for instance, volume in zip(stack.instances, stack.volume, strict=True):
        of_volume.setdefault(volume, []).append(instance.ImagePositionPatient)
    columns: dict[tuple[tuple[float, ...], ...], Column] = {}
    for volume, places in of_volume.items():
        if tuple(places) not in columns:
            positions = np.array(places, dtype=float)
            positions = positions[np.argsort(positions @ normal, kind="stable")]
            columns[tuple(places)] = Column(volume, normal, positions, positions @ normal)
    return Layout(stack, tuple(columns.values()))


def unit_normal(instance: Instance) -> NDArray[np.float64] | None:
    """Row cosines × column cosines, of length 1; None where they are absent or parallel."""
    if len(instance.ImageOrientationPatient) != 6:
        return None
    cosines = np.array(instance.ImageOrientationPatient, dtype=float)
    normal = np.cross(cosines[:3], cosines[3:])
    length = float(np.linalg.norm(normal))
    return normal / length if length > 0.1 else None
