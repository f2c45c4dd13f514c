"""A whole pipeline in a stock DataLoader: the same transforms of MONAI, the same tensors."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from monai.data import Dataset, list_data_collate
from monai.transforms import (
    Compose,
    LoadImaged,
    NormalizeIntensityd,
    Orientationd,
    RandFlipd,
    RandSpatialCropd,
    Spacingd,
)
from training.timing import Goal, epoch, in_turn
from training.ways import monai, ours, rows_of

from trialbids.datasets import Cohort, CohortDataset
from trialbids.datasets.reading.cache import Cache
from trialbids.datasets.reading.seeding import derived_seed, randomizables, seeded

BASE = "MONAI Dataset, LoadImaged"
WITHOUT, KEPT, KEPT_MONAI = "L0: no cache", "L2: what is not random kept", "L2 with MONAI's collate"
GOALS = (Goal(WITHOUT, BASE, 1.0, 1.5), Goal(KEPT, BASE, 1.5, 3), Goal(KEPT_MONAI, BASE, 1.5, 3))


def steps(cohort: Cohort) -> list[Any]:
    """Orientation, spacing, normalisation, and then a random crop and flip."""
    keys = cohort.keys
    return [
        Orientationd(keys, axcodes="RAS", labels=None),
        Spacingd(keys, pixdim=(1.0, 1.0, 4.0)),
        NormalizeIntensityd(keys),
        RandSpatialCropd(keys, (96, 96, 16), random_size=False),
        RandFlipd(keys, prob=0.5, spatial_axis=0),
    ]


def run(cohort: Cohort, scratch: Path, workers: int, repeats: int) -> list[str]:
    """The lines of the report. Raises :class:`SystemExit` where the tensors differ."""
    part = cohort[: max(4, len(cohort) // 4)]
    cache = Cache(scratch / "cache", max_bytes=None)
    check(part[:2], cache)
    epoch(ours(part, workers, steps(part), cache=cache, dtype=torch.float32))
    ways: dict[str, Callable[[], object]] = {
        BASE: lambda: epoch(monai(part, workers, steps(part))),
        WITHOUT: lambda: epoch(ours(part, workers, steps(part), dtype=torch.float32)),
        KEPT: lambda: epoch(ours(part, workers, steps(part), cache=cache, dtype=torch.float32)),
        KEPT_MONAI: lambda: epoch(
            ours(part, workers, steps(part), cache=cache, dtype=torch.float32, collate_fn=list_data_collate)
        ),
    }
    timed = in_turn("orientation … random flip", ways, repeats, len(part))
    return timed.lines(BASE, GOALS)


def check(cohort: Cohort, cache: Cache) -> None:
    """The tensors of both, with the same seeds."""
    theirs = Compose([LoadImaged(cohort.keys, ensure_channel_first=True), *steps(cohort)])
    plain = Dataset(rows_of(cohort), theirs)
    for way in (None, cache, cache):
        mine = CohortDataset(cohort, Compose(steps(cohort)), cache=way, dtype=torch.float32)
        for index in range(len(cohort)):
            made = mine[index]
            random = randomizables(tuple(theirs.transforms[-2:]))
            with seeded(derived_seed(0, 0, cohort[index]["sample_id"], 0), random):
                expected = plain[index]
            if not all(torch.equal(made[key].as_tensor(), expected[key].as_tensor()) for key in cohort.keys):
                raise SystemExit(f"{cohort[index]['sample_id']}: the tensors differ")
