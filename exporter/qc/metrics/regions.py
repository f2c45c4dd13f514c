"""Signal and air of a picture, as histograms of physical values: what most metrics are reckoned from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

import cv2
import numpy as np
from numpy.typing import NDArray

from ..pixels.levels import Levels
from ..pixels.picture import CROSS, Picture
from .patches import Patches, patches_of
from .texture import Texture, texture_of

LEAST_AIR = 100
"""So many voxels of air at least tell the noise (as in MRIQC)."""
ARTEFACT_Z = 10.0
"""As in MRIQC."""


@dataclass(frozen=True, slots=True)
class Artefacts:
    """Numbers of voxels: of air that is too bright for noise, of it what holds a cross of three voxels, of all air."""

    bright: int
    opened: int
    air: int


@dataclass(frozen=True, eq=False)
class Regions:
    """A picture and what several metrics want of it. ``phase_axis`` is the voxel axis (0, 1, 2) along which the phase
    was encoded, None where it is not known or lies across the slices."""

    picture: Picture
    phase_axis: int | None = None

    @cached_property
    def all(self) -> Levels:
        """All voxels."""
        return self._physical(self.picture.levels)

    @cached_property
    def signal(self) -> Levels:
        """The foreground: voxels above Otsu's threshold."""
        return self._physical(self.picture.levels.of_at_least(self.picture.threshold))

    @property
    def is_magnitude(self) -> bool:
        """Whether there is a foreground and no negative value: ratios to a mean tell nothing of CT and phases."""
        return self.signal.n > 0 and self.all.values[0] >= 0

    @cached_property
    def air(self) -> Levels | None:
        """Voxels outside the hull of the foreground in a magnitude image, whose air tells its noise; None of others
        (CT numbers, phases), and where there are too few of them."""
        if not self.is_magnitude:
            return None
        levels = self._physical(self.picture.air_levels)
        return levels if levels.n >= LEAST_AIR else None

    @cached_property
    def texture(self) -> Texture:
        """Sums over the neighbourhoods of all foreground voxels."""
        return texture_of(self.picture)

    @cached_property
    def patches(self) -> Patches:
        """Means and deviations of patches of the foreground."""
        return patches_of(self.picture)

    @cached_property
    def artefacts(self) -> Artefacts | None:
        """Voxels of air brighter than median + 10 MADs of the air's values above 0; None where there is no spread."""
        if self.air is None or self.slope <= 0:
            return None
        lit = self.air.above(0.0)
        if lit.n < 2 or lit.spread == 0:
            return None
        limit = np.float32((lit.median + ARTEFACT_Z * lit.spread - self.picture.volume.inter) / self.slope)
        n = self.picture.air_levels.above(float(limit)).n
        return Artefacts(n, _opened(self.picture, limit) if n else 0, self.air.n)

    @property
    def slope(self) -> float:
        """From stored to physical values."""
        return self.picture.volume.slope

    def _physical(self, levels: Levels) -> Levels:
        return levels.rescaled(self.picture.volume.slope, self.picture.volume.inter)


def _opened(picture: Picture, limit: np.float32) -> int:
    """How many of the air's voxels above the limit are left by an opening in the slice."""
    bright = np.bitwise_and((picture.stored > limit).view(np.uint8), picture.air)
    shown = bright.view(np.bool_).reshape(len(bright), -1).any(axis=1)
    return sum(cv2.countNonZero(cv2.morphologyEx(image, cv2.MORPH_OPEN, CROSS)) for image in bright[shown])


def phase_axis(sidecar: Mapping[str, object], affine: NDArray[np.float64]) -> int | None:
    """The voxel axis that runs along the phase encoding, None where the converter's JSON does not tell.

    InPlanePhaseEncodingDirection (DICOM PS3.3 C.8.3.1) is ROW or COL: the first or the second direction of
    ImageOrientationPatient, which is looked for among the axes of the ``affine`` (RAS+), since a converter may turn a
    volume.

    >>> said = {"InPlanePhaseEncodingDirectionDICOM": "COL", "ImageOrientationPatientDICOM": [1, 0, 0, 0, 1, 0]}
    >>> phase_axis(said, np.diag([-1.5, 1.5, 3, 1]))
    1
    """
    direction = str(sidecar.get("InPlanePhaseEncodingDirectionDICOM", "")).upper()[:3]
    cosines = sidecar.get("ImageOrientationPatientDICOM")
    if direction not in ("ROW", "COL") or not isinstance(cosines, list) or len(cosines) != 6:
        return None
    along = np.array(cosines[:3] if direction == "ROW" else cosines[3:], float) * (-1, -1, 1)
    axes = affine[:3, :3] / np.maximum(np.linalg.norm(affine[:3, :3], axis=0), 1e-12)
    likeness = np.abs(along @ axes)
    return int(likeness.argmax()) if likeness.max() > 0.9 else None
