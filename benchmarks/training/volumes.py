"""Full volumes: every layer against plain MONAI, and against what a DataLoader can carry at most."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterable
from pathlib import Path

import torch
from training.timing import Goal, epoch, in_turn
from training.tree import SHAPE
from training.ways import limit, monai, ours, persistent

from trialbids.datasets import Cohort, NiftiReader
from trialbids.datasets.reading.cache import Cache

BASE = "MONAI Dataset, LoadImaged"
GOALS = (
    Goal("L0: no cache", BASE, 3.5, 5),
    Goal("L1: mapped volumes", BASE, 10, 14),
    Goal("L1: mapped volumes", "the limit: batches of nothing", 0.7, 0.9),
    Goal("L1, first epoch", "MONAI PersistentDataset, first epoch", 2, 3),
)


def run(cohort: Cohort, scratch: Path, workers: int, repeats: int) -> list[str]:
    """The lines of the report. Raises :class:`SystemExit` where two ways give different voxels."""
    cache = Cache(scratch / "cache", max_bytes=None)
    kept = scratch / "persistent"
    plain, mapped = monai(cohort, workers), ours(cohort, workers, cache=cache)
    epoch(mapped)
    later = persistent(cohort, workers, kept)
    epoch(later)
    same(cohort, [monai(cohort, 0), ours(cohort, 0), ours(cohort, 0, cache=cache)])
    ways: dict[str, Callable[[], object]] = {
        BASE: lambda: epoch(plain),
        "MONAI with NiftiReader": lambda: epoch(monai(cohort, workers, reader=NiftiReader)),
        "L0: no cache": lambda: epoch(ours(cohort, workers)),
        "L0, float32": lambda: epoch(ours(cohort, workers, dtype=torch.float32)),
        "L1: mapped volumes": lambda: epoch(mapped),
        "L1, float32": lambda: epoch(ours(cohort, workers, cache=cache, dtype=torch.float32)),
        "the limit: batches of nothing": lambda: epoch(limit(cohort, workers, SHAPE)),
        "MONAI PersistentDataset, first epoch": lambda: first_persistent(cohort, workers, scratch / "p1"),
        "MONAI PersistentDataset, later": lambda: epoch(later),
        "L1, first epoch": lambda: first_ours(cohort, workers, scratch / "c1"),
    }
    timed = in_turn("full volumes", ways, repeats, len(cohort))
    return timed.lines(BASE, GOALS)


def first_persistent(cohort: Cohort, workers: int, folder: Path) -> None:
    """An epoch with an empty cache, which is removed."""
    epoch(persistent(cohort, workers, folder))
    shutil.rmtree(folder)


def first_ours(cohort: Cohort, workers: int, folder: Path) -> None:
    """The same of ours."""
    epoch(ours(cohort, workers, cache=Cache(folder, max_bytes=None)))
    shutil.rmtree(folder)


def same(cohort: Cohort, loaders: Iterable) -> None:
    """Compare the first batch of all, value by value."""
    first, *others = (next(iter(loader)) for loader in loaders)
    for other in others:
        for key in cohort.keys:
            if not torch.equal(first[key].float(), other[key].float()):
                raise SystemExit(f"{key}: the loaders do not give the same values")
