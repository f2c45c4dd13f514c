"""Metrics of a contrast-enhanced dynamic series, whose phases are images of their own, so made smaller where they are
converted and measured together."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from ...convert.foreground import foreground

LEAST_LATE = 4
ENHANCING = 0.05
"""Share of the foreground that is looked at: what enhances most."""
LEAST_RISE = 0.2


@dataclass(frozen=True, eq=False)
class Phases:
    """``images`` [T, X, Y, Z] float32, rising in time; ``times`` (T,) in s. Raises ``ValueError`` where they are not as
    many, or do not rise."""

    images: NDArray[np.float32]
    times: NDArray[np.float64]

    def __post_init__(self) -> None:
        if self.images.ndim != 4 or len(self.images) != len(self.times):
            raise ValueError(
                f"{self.images.shape} images and {len(self.times)} times: expected [T, X, Y, Z] and T times"
            )
        if not np.all(np.diff(self.times) > 0):
            raise ValueError("the times of the phases do not rise")

    @cached_property
    def curves(self) -> NDArray[np.float64]:
        """(T, n) the voxels of the foreground (Otsu, of the mean of all phases)."""
        clean = np.nan_to_num(self.images, posinf=0.0, neginf=0.0)
        inside = foreground(np.ascontiguousarray(clean.mean(axis=0)))
        return clean[:, inside].astype(np.float64)


def tsnr_late(phases: Phases) -> float | None:
    """Temporal signal-to-noise ratio of the last third of the phases (four at least), no unit: median over the
    foreground of mean / standard deviation of what a line in time leaves (n - 2 degrees of freedom) (Krüger & Glover
    2001, doi:10.1002/mrm.1240, as MRIQC's tsnr; late, because the signal then changes slowly)."""
    n = max(LEAST_LATE, len(phases.times) // 3)
    if len(phases.times) < n or not phases.curves.size:
        return None
    late, times = phases.curves[-n:], phases.times[-n:]
    line = np.stack([np.ones(n), times - times.mean()], axis=1)
    left = late - line @ np.linalg.lstsq(line, late, rcond=None)[0]
    deviation = np.sqrt((left**2).sum(axis=0) / (n - 2))
    means = late.mean(axis=0)
    kept = deviation > 1e-6 * np.abs(means)
    return float(np.median(means[kept] / deviation[kept])) if kept.any() else None


def motion(phases: Phases) -> float | None:
    """1 - mean over the phases of the correlation of a phase with the mean of all, over the foreground, 0 (nothing
    changes) to 2: rises with motion, and with enhancement (as AFNI's 3dTqual and MRIQC's aqi,
    doi:10.1371/journal.pone.0184661)."""
    curves = phases.curves
    if len(curves) < 2 or curves.shape[1] < 2:
        return None
    centred = curves - curves.mean(axis=1, keepdims=True)
    whole = centred.mean(axis=0)
    lengths = np.linalg.norm(centred, axis=1) * np.linalg.norm(whole)
    return float(1 - (centred @ whole / lengths).mean()) if lengths.all() else None


def bolus_arrival(phases: Phases) -> float | None:
    """Time in s from the first phase to the onset of enhancement: the corner of a constant and a straight rise fitted
    by least squares to the mean curve, up to 80 % of its rise, of the 5 % of the foreground that enhance most (Cheong
    et al. 2003, doi:10.1088/0031-9155/48/5/403, its linear form). None where that curve rises by less than a fifth,
    or begins with the rise."""
    curves, times = phases.curves, phases.times
    if len(times) < 4 or not curves.size:
        return None
    rise = curves.max(axis=0) - curves[0]
    n = max(1, round(ENHANCING * rise.size))
    curve = curves[:, np.argpartition(rise, -n)[-n:]].mean(axis=1)
    peak = _first_peak(curve)
    if peak < 2 or curve[0] <= 0 or curve[peak] < (1 + LEAST_RISE) * curve[0]:
        return None
    corners = np.linspace(times[0], times[peak], 201)[:-1]
    errors = [_error(times[: peak + 1], curve[: peak + 1], corner) for corner in corners]
    best = int(np.argmin(errors))
    return float(corners[best] - times[0]) if best else None


def _first_peak(curve: NDArray[np.float64]) -> int:
    """The first phase that has 80 % of the greatest rise: a curve may go on to rise slowly."""
    return int(np.flatnonzero(curve - curve[0] >= 0.8 * (curve.max() - curve[0]))[0])


def _error(times: NDArray[np.float64], curve: NDArray[np.float64], corner: float) -> float:
    ramp = np.stack([np.ones(len(times)), np.maximum(times - corner, 0)], axis=1)
    left = curve - ramp @ np.linalg.lstsq(ramp, curve, rcond=None)[0]
    return float(left @ left)
