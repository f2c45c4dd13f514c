"""Metrics of how bright and how contrasted the foreground is (MRQy: Sadri et al. 2020, doi:10.1002/mp.14593).

MRQy reckons each per slice and takes the mean over slices, in the hull; here it is reckoned once, over the foreground
of the volume.
"""

from __future__ import annotations

from math import log, log10, sqrt

import numpy as np

from .regions import Regions


def mean(regions: Regions) -> float | None:
    """Mean of the foreground, in the unit of the rescaled image (MRQy's MEAN, doi:10.1002/mp.14593)."""
    return regions.signal.mean if regions.signal.n else None


def extent(regions: Regions) -> float | None:
    """Greatest less least value of the foreground, in the unit of the rescaled image (MRQy's RNG,
    doi:10.1002/mp.14593)."""
    return float(regions.signal.values[-1] - regions.signal.values[0]) if regions.signal.n else None


def variance(regions: Regions) -> float | None:
    """Variance of the foreground, in the squared unit of the rescaled image (MRQy's VAR, doi:10.1002/mp.14593)."""
    return regions.signal.variance if regions.signal.n else None


def cv(regions: Regions) -> float | None:
    """Standard deviation of the foreground over its mean, in per cent (MRQy's CV, doi:10.1002/mp.14593)."""
    return 100 * regions.signal.deviation / regions.signal.mean if regions.is_magnitude else None


def cpp(regions: Regions) -> float | None:
    """Contrast per pixel, in the unit of the rescaled image: mean over the foreground of |x - mean of its eight
    neighbours| (MRQy's CPP, doi:10.1002/mp.14593, with the absolute value: MRQy's code takes the signed mean, which
    is 0 but for the border)."""
    return regions.texture.contrast * abs(regions.slope) if regions.texture.n else None


def psnr(regions: Regions) -> float | None:
    """Peak signal-to-noise ratio, in dB: 20 log10(greatest value / root of the mean squared distance from the median
    of 5 x 5 voxels), over the foreground (MRQy's PSNR, doi:10.1002/mp.14593). None where image and median are equal."""
    noise = sqrt(regions.texture.median_square) * abs(regions.slope)
    if not regions.is_magnitude or noise == 0:
        return None
    return 20 * log10(regions.signal.values[-1] / noise)


def efc(regions: Regions) -> float | None:
    """Entropy focus criterion, 0 (all energy in one voxel) to 1 (all voxels equal: blurred, ghosted), no unit:
    Shannon's entropy of x / sqrt(sum x²) over its greatest value sqrt(n) log sqrt(n) (Atkinson et al. 1997,
    doi:10.1109/42.650886, normalised as in MRIQC, doi:10.1371/journal.pone.0184661). 1e-16 keeps the logarithm finite
    (MRQy's published code has 1e16)."""
    values, counts = np.abs(regions.all.values), regions.all.counts
    n, energy = regions.all.n, sqrt(float(values**2 @ counts))
    if n < 2 or energy == 0:
        return None
    return float(-(counts * values / energy) @ np.log((values + 1e-16) / energy)) / (sqrt(n) * log(sqrt(n)))


def foreground(regions: Regions) -> float | None:
    """Share of the voxels that is foreground, 0 to 1 (ours, by Otsu's threshold, doi:10.1109/TSMC.1979.4310076)."""
    return regions.signal.n / regions.all.n if regions.all.n else None
