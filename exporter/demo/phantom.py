"""A simple female pelvis in patient coordinates, so that all series of a study agree in space."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Vector = tuple[float, float, float]


@dataclass(frozen=True)
class Tissue:
    """What a voxel gives signal by.

    ``t1``, ``t2`` in ms at 3 T; ``adc`` in mm²/s; ``fat`` is the fat fraction; ``uptake`` is the rise of 1/T1 by
    the contrast agent, per second, reached with the time constant ``wash_in`` (s). Values are of the usual order,
    rounded; the point is that they differ.
    """

    density: float
    t1: float
    t2: float
    adc: float
    fat: float = 0.02
    uptake: float = 0.0
    wash_in: float = 40.0


AIR, LESION = 0, 10

TISSUES: dict[int, Tissue] = {
    AIR: Tissue(0.0, 1000, 50, 0.0, fat=0.0),
    1: Tissue(0.9, 380, 130, 0.05e-3, fat=0.92, uptake=0.05),  # subcutaneous fat
    2: Tissue(0.8, 1400, 34, 1.5e-3, fat=0.05, uptake=0.25, wash_in=80),  # muscle
    3: Tissue(0.7, 600, 70, 0.5e-3, fat=0.55, uptake=0.15),  # marrow
    4: Tissue(1.0, 4000, 600, 2.9e-3),  # urine
    5: Tissue(0.9, 1500, 70, 1.45e-3, uptake=2.0),  # myometrium
    6: Tissue(0.95, 1800, 130, 1.25e-3, uptake=0.8, wash_in=70),  # endometrium
    7: Tissue(0.9, 1700, 110, 1.6e-3, uptake=1.0, wash_in=60),  # ovary
    8: Tissue(0.85, 1300, 60, 1.35e-3, uptake=0.8, wash_in=60),  # bowel wall
    9: Tissue(0.9, 1700, 150, 1.9e-3, uptake=6.0, wash_in=8),  # blood
}


@dataclass(frozen=True)
class Ellipsoid:
    """An ellipsoid along the patient's axes. A half axis of ``inf`` makes a cylinder."""

    tissue: int
    centre: Vector
    half_axes: Vector

    def contains(self, points: NDArray[np.float32]) -> NDArray[np.bool_]:
        """Which of the points (…, 3) lie inside."""
        scaled = (points - np.array(self.centre, np.float32)) / np.array(self.half_axes, np.float32)
        return np.einsum("...i,...i->...", scaled, scaled) <= 1


INF = float("inf")

ANATOMY: tuple[Ellipsoid, ...] = (
    Ellipsoid(1, (0, 0, 0), (160, 104, INF)),
    Ellipsoid(2, (0, 2, 0), (140, 84, INF)),
    Ellipsoid(3, (90, 10, -30), (24, 24, 26)),
    Ellipsoid(3, (-90, 10, -30), (24, 24, 26)),
    Ellipsoid(3, (0, 68, 20), (36, 13, 45)),
    Ellipsoid(9, (62, -18, 0), (6, 6, INF)),
    Ellipsoid(9, (-62, -18, 0), (6, 6, INF)),
    Ellipsoid(8, (2, 42, -15), (14, 13, 45)),
    Ellipsoid(4, (0, -45, -22), (34, 24, 22)),
    Ellipsoid(5, (0, -4, 14), (27, 30, 38)),
    Ellipsoid(6, (0, -4, 17), (6, 12, 24)),
    Ellipsoid(7, (42, 8, 24), (13, 11, 14)),
    Ellipsoid(7, (-42, 8, 24), (13, 11, 14)),
)


def lesion_tissue(score: int) -> Tissue:
    """The adnexal lesion of an O-RADS score: 2 is a cyst, 5 is solid, restricts diffusion and enhances early."""
    solid = (min(max(score, 2), 5) - 2) / 3
    return Tissue(
        density=0.95,
        t1=2800 - 1100 * solid,
        t2=420 - 340 * solid,
        adc=(2.6 - 1.75 * solid) * 1e-3,
        uptake=0.15 + 3.2 * solid,
        wash_in=60 - 42 * solid,
    )


@dataclass(frozen=True)
class Phantom:
    """The pelvis of one patient at one visit: the anatomy, and a lesion of a given score, place and size (mm)."""

    score: int
    lesion_centre: Vector
    lesion_radius: float

    @property
    def lesion(self) -> Ellipsoid:
        """The lesion: a little flattened from front to back."""
        r = self.lesion_radius
        return Ellipsoid(LESION, self.lesion_centre, (r, 0.8 * r, 0.9 * r))

    @property
    def tissues(self) -> tuple[Tissue, ...]:
        """The tissue of every label, in the order of the labels."""
        return (*(TISSUES[label] for label in sorted(TISSUES)), lesion_tissue(self.score))

    def labels(self, points: NDArray[np.float32]) -> NDArray[np.uint8]:
        """The tissue label at every point (…, 3), LPS mm."""
        labels = np.zeros(points.shape[:-1], np.uint8)
        for part in (*ANATOMY, self.lesion):
            labels[part.contains(points)] = part.tissue
        return labels
