"""The ways to read a cohort that are compared: plain MONAI, TorchIO, ours, and an epoch made of nothing."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from monai.data import DataLoader as MonaiLoader
from monai.data import Dataset, PersistentDataset
from monai.transforms import Compose, LoadImaged
from torch.utils.data import DataLoader, default_collate

from trialbids.datasets import Cohort, CohortDataset, collate
from trialbids.datasets.reading.cache import Cache

BATCH = 2
Transforms = Callable[[], list[Any]]


def rows_of(cohort: Cohort) -> list[dict[str, str]]:
    """What one writes by hand for MONAI: a list of dicts of paths."""
    return [{key: sample[key] for key in cohort.keys} for sample in cohort]


def monai(cohort: Cohort, workers: int, transforms: Sequence[Any] = (), **options: Any) -> MonaiLoader:
    """MONAI's Dataset with LoadImaged."""
    load = LoadImaged(cohort.keys, ensure_channel_first=True, **options)
    return MonaiLoader(Dataset(rows_of(cohort), Compose([load, *transforms])), batch_size=BATCH, num_workers=workers)


def persistent(cohort: Cohort, workers: int, folder: Path, transforms: Sequence[Any] = ()) -> MonaiLoader:
    """MONAI's PersistentDataset."""
    load = LoadImaged(cohort.keys, ensure_channel_first=True)
    dataset = PersistentDataset(rows_of(cohort), Compose([load, *transforms]), cache_dir=folder)
    return MonaiLoader(dataset, batch_size=BATCH, num_workers=workers)


def ours(
    cohort: Cohort,
    workers: int,
    transforms: Sequence[Any] = (),
    *,
    cache: Cache | None = None,
    dtype: torch.dtype | None = None,
    collate_fn: Callable[[Any], Any] = collate,
) -> DataLoader:
    """CohortDataset in torch's own DataLoader."""
    dataset = CohortDataset(cohort, Compose(list(transforms)), cache=cache, dtype=dtype)
    return DataLoader(dataset, batch_size=BATCH, num_workers=workers, collate_fn=collate_fn)


class Nothing(torch.utils.data.Dataset):
    """Samples of the same size that cost nothing to make: what the DataLoader can carry at most."""

    def __init__(self, keys: Sequence[str], shape: Sequence[int], count: int, dtype: torch.dtype) -> None:
        self.sample = {key: torch.zeros(1, *shape, dtype=dtype) for key in keys}
        self.count = count

    def __len__(self) -> int:
        return self.count

    def __getitem__(self, index: int) -> Mapping[str, torch.Tensor]:
        return self.sample


def limit(cohort: Cohort, workers: int, shape: Sequence[int], dtype: torch.dtype = torch.int16) -> DataLoader:
    """Batches of the same size made of nothing, stacked by torch into shared memory."""
    dataset = Nothing(cohort.keys, shape, len(cohort), dtype)
    return DataLoader(dataset, batch_size=BATCH, num_workers=workers, collate_fn=default_collate)


def torchio(cohort: Cohort, workers: int, patch: Sequence[int], patches: int) -> DataLoader:
    """TorchIO's Queue of random patches; the loader of the queue itself has no workers, as TorchIO asks for."""
    import torchio as tio

    subjects = [tio.Subject({key: tio.ScalarImage(path) for key, path in row.items()}) for row in rows_of(cohort)]
    queue = tio.Queue(
        tio.SubjectsDataset(subjects),
        max_length=patches * 8,
        samples_per_volume=patches,
        sampler=tio.UniformSampler(tuple(patch)),
        num_workers=workers,
        verbose=False,
    )
    return tio.SubjectsLoader(queue, batch_size=BATCH, num_workers=0)
