"""Random patches taken right after reading: only the pages of the patch are touched."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from monai.transforms import RandSpatialCropd
from training.timing import Goal, epoch, in_turn
from training.ways import limit, monai, ours, torchio

from trialbids.datasets import Cohort
from trialbids.datasets.reading.cache import Cache

PATCH = (96, 96, 16)
BASE = "MONAI Dataset, LoadImaged"
QUEUE = "TorchIO Queue, 8 patches a volume"
MAPPED = "L1: mapped volumes"
GOALS = (
    Goal(MAPPED, BASE, 40, 60),
    Goal(MAPPED, QUEUE, 12, 20),
    Goal(MAPPED, "the limit: batches of nothing", 0.5, 0.7),
)
EPOCHS = 8
"""An epoch of patches is short, and starting the workers would be most of it."""


def run(cohort: Cohort, scratch: Path, workers: int, repeats: int) -> list[str]:
    """The lines of the report; figures are patches, and the quick ways read every sample several times."""
    crop = RandSpatialCropd(cohort.keys, PATCH, random_size=False)
    many = cohort[list(range(len(cohort))) * EPOCHS]
    cache = Cache(scratch / "cache", max_bytes=None)
    epoch(ours(cohort, workers, cache=cache))
    ways: dict[str, Callable[[], object]] = {
        BASE: lambda: epoch(monai(cohort, workers, [crop])),
        QUEUE: lambda: epoch(torchio(cohort, workers, PATCH, EPOCHS)),
        "L0: no cache": lambda: epoch(ours(cohort, workers, [crop])),
        MAPPED: lambda: epoch(ours(many, workers, [crop], cache=cache)),
        "the limit: batches of nothing": lambda: epoch(limit(many, workers, PATCH)),
    }
    timed = in_turn(f"patches {PATCH}", ways, repeats, len(cohort))
    for name in (QUEUE, MAPPED, "the limit: batches of nothing"):
        timed.seconds[name][:] = [taken / EPOCHS for taken in timed.seconds[name]]
    return timed.lines(BASE, GOALS)
