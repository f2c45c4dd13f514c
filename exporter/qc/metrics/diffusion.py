"""Metrics of a diffusion image with several volumes, without registration and without a model of the tissue."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from math import sqrt

import cv2
import numpy as np
from numpy.typing import NDArray

from ...convert.volume import Volume
from ..pixels.picture import Mask, Picture
from .noise import RAYLEIGH
from .regions import LEAST_AIR

B0 = 50.0
"""s/mm²: a volume of at most so much counts as unweighted."""
SHELL = 100.0
SPIKE_Z, SPIKE_RISE = 6.0, 1.5
LOST, WINDOW = 0.7, 7
CUT_AT_THREE = 0.9866
"""Standard deviation of a standard normal distribution without what lies beyond 3."""
MOST_VOXELS = 50_000


@dataclass(frozen=True, eq=False)
class Weighted:
    """``volumes`` [T, X, Y, Z] of physical or stored values, ``bvalues`` (T,) in s/mm², ``vectors`` (3, T) or None;
    ``inside`` and ``air`` (Z, Y, X) are 1 in the foreground and outside its hull. ``slope`` makes values physical."""

    volumes: NDArray[np.generic]
    bvalues: NDArray[np.float64]
    vectors: NDArray[np.float64] | None
    inside: Mask
    air: Mask
    slope: float = 1.0

    @cached_property
    def unweighted(self) -> NDArray[np.intp]:
        """The volumes without diffusion weighting."""
        return np.flatnonzero(self.bvalues <= B0)

    @cached_property
    def sample(self) -> NDArray[np.float32]:
        """(T, n) at most 50,000 voxels of the foreground, evenly taken, in every volume."""
        return np.stack([self.image(t).ravel()[self._places] for t in range(len(self.bvalues))])

    @cached_property
    def _places(self) -> NDArray[np.intp]:
        places = np.flatnonzero(self.inside.ravel())
        return places[:: -(-places.size // MOST_VOXELS)] if places.size else places

    @cached_property
    def slice_signal(self) -> NDArray[np.float64]:
        """(T, Z) the mean of each slice's foreground, NaN where it has none."""
        return self._slice_means(self.inside)

    @cached_property
    def slice_air(self) -> NDArray[np.float64]:
        """(T, Z) the mean of each slice's air, NaN where it has less than 100 voxels."""
        return self._slice_means(self.air, LEAST_AIR)

    def _slice_means(self, mask: Mask, least: int = 1) -> NDArray[np.float64]:
        counts = np.array([cv2.countNonZero(part) for part in mask])
        sums = [[cv2.norm(i, cv2.NORM_L1, m) for i, m in zip(self.image(t), mask, strict=True)] for t in self._times]
        return np.where(counts >= least, np.array(sums) / np.maximum(counts, 1), np.nan)

    @property
    def _times(self) -> range:
        return range(len(self.bvalues))

    def image(self, t: int) -> NDArray[np.float32]:
        """(Z, Y, X) one volume as float32."""
        return np.nan_to_num(np.ascontiguousarray(self.volumes[t].T, np.float32), posinf=0.0, neginf=0.0)


def weighted_of(volume: Volume, picture: Picture) -> Weighted | None:
    """What the metrics of diffusion look at; None where the image is no diffusion series. The foreground is that of the
    volume of least b, which shows most."""
    bvalues = volume.bval
    if bvalues is None or volume.voxels.ndim != 4 or volume.voxels.dtype.names or len(bvalues) != volume.n_volumes:
        return None
    least = int(np.argmin(bvalues))
    picture = picture if least == 0 else Picture(volume, least)
    if not picture.inside_counts.any() or picture.levels.values[0] < 0 or volume.n_volumes < 2:
        return None
    series = np.moveaxis(volume.voxels, -1, 0)
    return Weighted(series, np.asarray(bvalues, float), volume.bvec, picture.inside, picture.air, abs(volume.slope))


def noise_b0(weighted: Weighted) -> float | None:
    """Standard deviation of the noise without diffusion weighting, in the unit of the rescaled image: that of the
    difference of two successive b=0 volumes over the foreground, without what lies beyond three robust standard
    deviations (motion), / sqrt(2), the median over the pairs; of a single b=0 volume the standard deviation of its air
    x sqrt(2 / (4 - pi)) (both Dietrich et al. 2007, doi:10.1002/jmri.20969)."""
    zeros = weighted.unweighted
    if zeros.size > 1:
        pairs = np.diff(weighted.sample[zeros], axis=0)
        return float(np.median([_core_deviation(pair) for pair in pairs])) / sqrt(2) * weighted.slope
    if not zeros.size or cv2.countNonZero(weighted.air.reshape(1, -1)) < LEAST_AIR:
        return None
    air = weighted.image(int(zeros[0]))[weighted.air.view(np.bool_)]
    return float(air.std()) * RAYLEIGH * weighted.slope if air.std() > 0 else None


def _core_deviation(values: NDArray[np.float32]) -> float:
    """The standard deviation within three robust ones of the median, as of a normal distribution cut there."""
    distances = np.abs(values - np.median(values))
    core = values[distances <= 3 * 1.4826 * np.median(distances) + 0.5]
    return float(core.std()) / CUT_AT_THREE


def drift(weighted: Weighted) -> float | None:
    """Change, in per cent of its first value, of the mean b=0 signal of the foreground from the first to the last
    volume, by a line through three or more b=0 volumes that span half of the series (Vos et al. 2017,
    doi:10.1002/mrm.26124)."""
    zeros, last = weighted.unweighted, len(weighted.bvalues) - 1
    if zeros.size < 3 or np.ptp(zeros) < last / 2:
        return None
    slope, start = np.polyfit(zeros, weighted.sample[zeros].mean(axis=1, dtype=np.float64), 1)
    return float(100 * slope * last / start) if start > 0 else None


def spike_rate(weighted: Weighted) -> float | None:
    """Share, 0 to 1, of slices (over all volumes) whose mean air is 6 robust standard deviations, and by half, above
    the median of the same slice over the volumes; of four volumes or more (as MRIQC finds spikes slice by slice,
    doi:10.1371/journal.pone.0184661; the limits are ours)."""
    air = weighted.slice_air[:, np.isfinite(weighted.slice_air[0])]
    if len(air) < 4 or not air.shape[1]:
        return None
    centre = np.median(air, axis=0)
    spread = 1.4826 * np.median(np.abs(air - centre), axis=0)
    found = (air > centre + SPIKE_Z * spread) & (air > SPIKE_RISE * centre)
    return float(found.mean()) if centre.any() else None


def ndc(weighted: Weighted) -> float | None:
    """Mean over the volumes of the correlation, -1 to 1, of a volume with its nearest neighbour in q-space, over the
    foreground: low where slices drop out or the body moves (Yeh et al. 2019, doi:10.1016/j.neuroimage.2019.116131)."""
    sample = weighted.sample - weighted.sample.mean(axis=1, keepdims=True)
    lengths = np.linalg.norm(sample, axis=1)
    if len(sample) < 2 or not lengths.all():
        return None
    unit = sample / lengths[:, None]
    near = _neighbours(weighted.bvalues, weighted.vectors)
    return float(np.mean([unit[t] @ unit[other] for t, other in enumerate(near)]))


def _neighbours(bvalues: NDArray[np.float64], vectors: NDArray[np.float64] | None) -> NDArray[np.intp]:
    """The volume nearest in q-space to each: q is along the gradient, its length goes with sqrt(b), and -q is q."""
    radius = np.sqrt(np.maximum(bvalues, 0))
    if vectors is None or vectors.shape != (3, len(radius)):
        q = np.stack([radius, np.zeros_like(radius), np.zeros_like(radius)])
    else:
        q = np.nan_to_num(vectors) * radius
    apart = np.minimum(_distances(q, q), _distances(q, -q))
    apart += 1e-3 * np.abs(radius[:, None] - radius)  # volumes without direction are told apart by b alone
    np.fill_diagonal(apart, np.inf)
    return apart.argmin(axis=1)


def _distances(p: NDArray[np.float64], q: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.linalg.norm(p[:, :, None] - q[:, None, :], axis=0)


def slice_dropout(weighted: Weighted) -> float | None:
    """Share, 0 to 1, of the slices of diffusion-weighted volumes that lost signal: below 0.7 x the median of the seven
    nearest slices, each as a share of the same slice's median over the volumes of the same b-value, or, of fewer than
    three such volumes, of its b=0 signal (drop-out as in Andersson et al. 2016, doi:10.1016/j.neuroimage.2016.06.058;
    the estimate and its limit are ours)."""
    signal = weighted.slice_signal[:, np.isfinite(weighted.slice_signal[0])]
    lost, looked = 0, 0
    if signal.shape[1] < 5:
        return None
    for t in np.flatnonzero(weighted.bvalues > B0):
        reference = _reference(weighted, signal, int(t))
        if reference is None or not (reference > 0).all():
            continue
        share = signal[t] / reference
        near = np.median(np.lib.stride_tricks.sliding_window_view(share, min(WINDOW, share.size)), axis=1)
        before = WINDOW // 2
        expected = np.pad(near, (before, share.size - near.size - before), mode="edge") if near.size > 1 else near
        lost += int((share < LOST * expected).sum())
        looked += share.size
    return lost / looked if looked else None


def _reference(weighted: Weighted, signal: NDArray[np.float64], t: int) -> NDArray[np.float64] | None:
    shell = np.abs(weighted.bvalues - weighted.bvalues[t]) <= SHELL
    if shell.sum() >= 3:
        return np.median(signal[shell], axis=0)
    return signal[weighted.unweighted].mean(axis=0) if weighted.unweighted.size else None
