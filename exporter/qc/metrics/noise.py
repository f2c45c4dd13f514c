"""Metrics that set the foreground against the air around it, or against itself.

Air is what lies outside the hull of each slice's foreground and a margin of two voxels. Of CT numbers, phases and
images that are cut at the body's outline there is none that tells noise: such metrics are then absent.
"""

from __future__ import annotations

from math import pi, sqrt

import numpy as np

from .regions import Regions

RAYLEIGH = sqrt(2 / (4 - pi))
"""From the standard deviation of air in a magnitude image to that of the noise in each channel."""


def snr(regions: Regions) -> float | None:
    """Foreground mean over the noise of air, no unit; for magnitude images, whose air is Rayleigh distributed:
    mean / (sqrt(2 / (4 - pi)) x sd(air)) (Dietrich et al. 2007, doi:10.1002/jmri.20969, eq. A.12)."""
    return _over_air(regions, regions.signal.mean / RAYLEIGH)


def snr_foreground(regions: Regions) -> float | None:
    """Foreground mean over its own standard deviation x sqrt(n / (n - 1)), no unit (MRIQC's snr,
    doi:10.1371/journal.pone.0184661; of a whole body part it tells contrast as much as noise)."""
    n, deviation = regions.signal.n, regions.signal.deviation
    if not regions.is_magnitude or deviation == 0:
        return None
    return regions.signal.mean / (deviation * sqrt(n / (n - 1)))


def snr_1(regions: Regions) -> float | None:
    """Standard deviation of the foreground over that of the air, no unit (MRQy's SNR1, doi:10.1002/mp.14593)."""
    return _over_air(regions, regions.signal.deviation)


def cnr(regions: Regions) -> float | None:
    """Contrast-to-noise ratio, no unit: |mean(foreground) - mean(air)| / sd(air) (Magnotta & Friedman 2006,
    doi:10.1007/s10278-006-0264-x, with foreground and air in the place of two tissues, as in MRQy)."""
    return _over_air(regions, abs(regions.signal.mean - regions.air.mean)) if regions.air else None


def cjv(regions: Regions) -> float | None:
    """Coefficient of joint variation, no unit: (sd(foreground) + sd(air)) / |mean(foreground) - mean(air)|, lower is
    better (Ganzetti et al. 2016, doi:10.3389/fninf.2016.00010, with foreground and air in the place of two tissues, as
    in MRQy)."""
    if regions.air is None or regions.signal.mean == regions.air.mean:
        return None
    return (regions.signal.deviation + regions.air.deviation) / abs(regions.signal.mean - regions.air.mean)


def cvp(regions: Regions) -> float | None:
    """Coefficient of variation of a patch, no unit: standard deviation / mean of 5 x 5 voxels, the median over all such
    patches that lie wholly in the foreground (MRQy's CVP, doi:10.1002/mp.14593, which takes one patch)."""
    patches = regions.patches
    if not regions.is_magnitude or not patches.means.size:
        return None
    return float(np.median(patches.deviations / patches.means))


def fber(regions: Regions) -> float | None:
    """Foreground-background energy ratio, no unit: mean square of the foreground over that of the air (Shehzad et al.
    2015, doi:10.3389/conf.fnins.2015.91.00047)."""
    air, signal = regions.air, regions.signal
    if air is None or air.values[-1] == 0:
        return None
    return (signal.variance + signal.mean**2) / (air.variance + air.mean**2)


def qi_1(regions: Regions) -> float | None:
    """Quality index 1, 0 to 1: share of the air that artefacts cover. An artefact is brighter than median + 10 MADs of
    the air's values above 0, and holds a cross of three voxels (opening in the slice) (Mortamet et al. 2009,
    doi:10.1002/mrm.21992; z and MAD x 1.4826 as in MRIQC)."""
    found = regions.artefacts
    return found.opened / found.air if found else None


def background_spikes(regions: Regions) -> float | None:
    """Share of the air, 0 to 1, that is as bright as the artefacts of :func:`qi_1` but goes with the opening: single
    voxels and lines one voxel wide (ours)."""
    found = regions.artefacts
    return (found.bright - found.opened) / found.air if found else None


def _over_air(regions: Regions, value: float) -> float | None:
    air = regions.air
    return value / air.deviation if air is not None and air.variance > 0 else None
