"""Patches of 5 x 5 voxels that lie wholly in the foreground: their means and deviations."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import cv2
import numpy as np
from numpy.typing import NDArray

from ..pixels.picture import Picture

SIDE = 5
"""As in MRQy."""
MOST_FOR_FIELD = 4000
LEAST_FOR_FIELD = 100


@dataclass(frozen=True, eq=False)
class Patches:
    """``where`` (n, 3) slice, row and column in patches; ``means`` and ``deviations`` (n,) of physical values."""

    where: NDArray[np.intp]
    means: NDArray[np.float64]
    deviations: NDArray[np.float64]

    @cached_property
    def smooth_share(self) -> float | None:
        """The share of the variance of log(mean) that a polynomial of second order in the three coordinates explains:
        R² of least squares, over at most some 4000 patches; None below 100 of positive mean, or where all are equal."""
        kept = np.flatnonzero(self.means > 0)
        kept = kept[:: max(1, kept.size // MOST_FOR_FIELD)]
        if kept.size < LEAST_FOR_FIELD:
            return None
        logs = np.log(self.means[kept])
        total = float(logs.var())
        if total <= 1e-12:
            return None
        fitted = (terms := quadratic(self.where[kept])) @ np.linalg.lstsq(terms.T @ terms, terms.T @ logs, rcond=1e-10)[
            0
        ]
        return float(np.clip(1 - (logs - fitted).var() / total, 0, 1))


def quadratic(where: NDArray[np.intp]) -> NDArray[np.float64]:
    """(n, 10) the monomials up to second order of coordinates (n, 3), each stretched to -1 … 1."""
    least, span = where.min(axis=0), np.maximum(np.ptp(where, axis=0), 1)
    z, y, x = (2 * (where - least) / span - 1).T
    return np.stack([np.ones_like(x), x, y, z, x * x, y * y, z * z, x * y, x * z, y * z], axis=1)


def patches_of(picture: Picture) -> Patches:
    """The patches of a grid that begins at each slice's first voxel, of :attr:`.Picture.sampled` slices."""
    _, rows, columns = picture.shape
    down, across = rows // SIDE, columns // SIDE
    if not down or not across or not picture.inside_counts.any():
        return Patches(np.zeros((0, 3), np.intp), np.zeros(0), np.zeros(0))
    volume, centre = picture.volume, float(picture.threshold)
    found: list[tuple[NDArray[np.intp], ...]] = []
    for k in picture.sampled:
        mask = _shrunk(picture.inside[k] * np.uint8(255), down, across) == 255
        if not mask.any():
            continue
        # Squares of single precision keep their small differences only near 0.
        image = picture.stored[k] - np.float32(centre)
        means, squares = _shrunk(image, down, across)[mask], _shrunk(cv2.multiply(image, image), down, across)[mask]
        j, i = np.nonzero(mask)
        found.append((np.stack([np.full_like(i, k), j, i], axis=1), means, squares))
    if not found:
        return Patches(np.zeros((0, 3), np.intp), np.zeros(0), np.zeros(0))
    where, means, squares = (np.concatenate(parts) for parts in zip(*found, strict=True))
    means = means.astype(np.float64)
    deviations = np.sqrt(np.maximum(squares.astype(np.float64) - means**2, 0.0))
    return Patches(where, (means + centre) * volume.slope + volume.inter, deviations * abs(volume.slope))


def _shrunk(image: NDArray, down: int, across: int) -> NDArray:
    whole = image[: down * SIDE, : across * SIDE]
    return cv2.resize(whole, (across, down), interpolation=cv2.INTER_AREA)
