"""Image metrics of a volume, for ``*_qc.json``. They inform; none excludes an image by itself.

Of a 4D image the first volume is measured, of a colour image the mean of its colours. A metric that is not defined
(no background, a constant image) is absent, never a made-up number.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from math import log, pi, sqrt

import cv2
import numpy as np
from numpy.typing import NDArray

from ..convert.foreground import first_volume, foreground
from ..convert.volume import Volume
from .metricnames import METRIC_NAMES


@dataclass(frozen=True, slots=True, eq=False)
class Regions:
    """What the metrics share: all rescaled values, row by row, and a foreground and a background in them."""

    values: NDArray[np.float32]
    lowest: float
    inside: Region
    outside: Region

    @property
    def is_magnitude(self) -> bool:
        """Whether there are two regions of a magnitude image: CT numbers and phases have no noise of air."""
        return self.lowest >= 0 and self.inside.n > 0 and self.outside.n > 0


@dataclass(frozen=True, slots=True)
class Region:
    """Number of voxels, their mean and their mean square."""

    n: int
    mean: float
    energy: float


def mean(regions: Regions) -> float | None:
    """Mean of the foreground, in the image's (rescaled) unit (Sadri et al. 2020, MRQy, doi:10.1002/mp.14593)."""
    return regions.inside.mean if regions.inside.n else None


def snr(regions: Regions) -> float | None:
    """Foreground mean over the noise of air, no unit; for magnitude images, whose air is Rayleigh distributed:
    mean / (sqrt(2 / (4 - pi)) x sd(air)) (Dietrich et al. 2007, doi:10.1002/jmri.20969)."""
    variance = regions.outside.energy - regions.outside.mean**2
    if not regions.is_magnitude or variance <= 0:
        return None
    return regions.inside.mean / sqrt(2 / (4 - pi) * variance)


def efc(regions: Regions) -> float | None:
    """Entropy focus criterion, 0 (all energy in one voxel) to 1 (blurred, ghosted), no unit: Shannon's entropy of
    x / sqrt(sum x²), over its greatest value sqrt(n) log sqrt(n) (Atkinson et al. 1997, doi:10.1109/42.650886,
    normalised as in MRIQC; 1e-16 keeps the logarithm finite)."""
    size, energy = regions.values.size, cv2.norm(regions.values, cv2.NORM_L2)
    if size < 2 or energy == 0:
        return None
    share = np.abs(regions.values) if regions.lowest < 0 else regions.values
    share = share * np.float32(1 / energy)
    logarithm = cv2.log(share + np.float32(1e-16))
    return -cv2.sumElems(cv2.multiply(share, logarithm))[0] / (sqrt(size) * log(sqrt(size)))


def fber(regions: Regions) -> float | None:
    """Foreground-background energy ratio, no unit: mean square of the foreground over that of the background
    (Shehzad et al. 2015, doi:10.3389/conf.fnins.2015.91.00047)."""
    if not regions.is_magnitude or regions.outside.energy == 0:
        return None
    return regions.inside.energy / regions.outside.energy


def cover(regions: Regions) -> float | None:
    """Share of the voxels that is foreground, 0 to 1 (ours)."""
    return regions.inside.n / regions.values.size if regions.values.size else None


METRICS: Mapping[str, Callable[[Regions], float | None]] = dict(
    zip(METRIC_NAMES, (mean, snr, efc, fber, cover), strict=True)
)


def measure(volume: Volume) -> dict[str, float]:
    """Every metric that is defined for this volume, by name."""
    regions = regions_of(volume)
    found = {name: metric(regions) for name, metric in METRICS.items()}
    return {name: float(f"{value:.6g}") for name, value in found.items() if value is not None and np.isfinite(value)}


def regions_of(volume: Volume) -> Regions:
    """The rescaled first volume and its two parts."""
    values = first_volume(volume.voxels)
    mask = foreground(values)
    if (volume.slope, volume.inter) != (1.0, 0.0):
        values = values * np.float32(volume.slope) + np.float32(volume.inter)
    # Rows as OpenCV knows them: it sums a row in single, rows in double precision.
    width = values.shape[0] if values.flags.f_contiguous else values.shape[-1]
    rows, inside = values.ravel(order="K").reshape(-1, width), mask.ravel(order="K").reshape(-1, width).view(np.uint8)
    lowest = cv2.minMaxLoc(rows)[0]
    return Regions(rows, lowest, region(rows, inside, lowest), region(rows, 1 - inside, lowest))


def region(values: NDArray[np.float32], mask: NDArray[np.uint8], lowest: float) -> Region:
    """The moments of the values where the mask is 1. Norms take a tenth of the time of OpenCV's masked mean."""
    n = cv2.countNonZero(mask)
    if n == 0:
        return Region(0, 0.0, 0.0)
    shift = min(lowest, 0.0)
    absolute = values - np.float32(shift) if shift else values
    return Region(n, cv2.norm(absolute, cv2.NORM_L1, mask) / n + shift, cv2.norm(values, cv2.NORM_L2SQR, mask) / n)
