"""Mean, spread and percentiles of more voxels than fit in memory."""

from __future__ import annotations

import numpy as np
from pydantic import BaseModel, ConfigDict

from ..reading.seeding import derived_seed

KEPT_A_SAMPLE = 10_000
KEPT_IN_ALL = 2_000_000


class ChannelStatistics(BaseModel):
    """Of all finite voxels of one channel: mean and standard deviation (of the population), extremes, percentiles."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    mean: float
    std: float
    minimum: float
    maximum: float
    percentiles: dict[float, float]
    voxels: int
    not_finite: int


class Moments:
    """Takes the voxels of one volume after the other.

    Mean and variance are exact, joined pairwise in float64 (Chan, Golub & LeVeque 1983,
    doi:10.1080/00031305.1983.10483115). For percentiles at most ``KEPT_A_SAMPLE`` voxels a volume are kept, as nnU-Net
    does (Isensee et al. 2021, doi:10.1038/s41592-020-01008-z), fewer where there are many volumes, each counting for
    all that it stands for. Which are kept is a function of the volume's name.
    """

    def __init__(self, volumes: int) -> None:
        self._keep = max(1, min(KEPT_A_SAMPLE, KEPT_IN_ALL // max(volumes, 1)))
        self._count, self._not_finite = 0, 0
        self._mean, self._squares = 0.0, 0.0
        self._least, self._most = float("inf"), float("-inf")
        self._kept: list[np.ndarray] = []
        self._weights: list[np.ndarray] = []

    def add(self, voxels: np.ndarray, name: str) -> None:
        """Join the voxels of a volume, 1-D."""
        if voxels.dtype.kind == "f":
            finite = np.isfinite(voxels)
            if not finite.all():
                self._not_finite += int(np.count_nonzero(~finite))
                voxels = voxels[finite]
        if not voxels.size:
            return
        mean = float(voxels.mean(dtype=np.float64))
        squares = float(voxels.var(dtype=np.float64)) * voxels.size
        count = self._count + voxels.size
        apart = mean - self._mean
        self._squares += squares + apart * apart * self._count * voxels.size / count
        self._mean += apart * voxels.size / count
        self._count = count
        self._least, self._most = min(self._least, float(voxels.min())), max(self._most, float(voxels.max()))
        self._sample(voxels, name)

    def result(self, percentiles: tuple[float, ...]) -> ChannelStatistics | None:
        """What was found, None where no voxel was."""
        if not self._count:
            return None
        kept, weights = np.concatenate(self._kept), np.concatenate(self._weights)
        points = np.quantile(kept, [p / 100 for p in percentiles], weights=weights, method="inverted_cdf")
        return ChannelStatistics(
            mean=self._mean,
            std=float(np.sqrt(self._squares / self._count)),
            minimum=self._least,
            maximum=self._most,
            percentiles={p: float(point) for p, point in zip(percentiles, points, strict=True)},
            voxels=self._count,
            not_finite=self._not_finite,
        )

    def _sample(self, voxels: np.ndarray, name: str) -> None:
        stands_for = max(1.0, voxels.size / self._keep)
        if voxels.size > self._keep:
            random = np.random.RandomState(derived_seed("voxels", name) & 0xFFFFFFFF)
            voxels = voxels[random.randint(0, voxels.size, self._keep)]
        self._kept.append(voxels.astype(np.float32))
        self._weights.append(np.full(voxels.size, stands_for))
