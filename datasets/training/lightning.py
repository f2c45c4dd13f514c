"""The parts of a split as a LightningDataModule."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cached_property
from typing import Any

import torch
from torch.utils.data import DataLoader

from ..cohorts.cohort import Cohort
from ..errors import DatasetError, QueryError
from ..reading.batch import collate
from ..reading.cache import Cache
from ..reading.dataset import CohortDataset
from ..reading.seeding import may_be_random
from .loader import ResumableLoader
from .sampler import CohortSampler
from .statistics import IntensityStatistics

try:
    from lightning.pytorch import LightningDataModule
except ImportError as error:
    raise DatasetError("CohortDataModule needs Lightning: pip install 'trialbids[lightning]'") from error

Transform = Callable[[Any], Any] | Sequence[Callable[[Any], Any]]


class CohortDataModule(LightningDataModule):
    """``Trainer().fit(model, CohortDataModule(splits[0], [*prepare, *augment], prepare, batch_size=2, workers=4))``.

    ``split``           (train, val, test), as :class:`Splits` gives it; val and test may be None
    ``transform``       of the training part
    ``eval_transform``  of val and test; the same where nothing in ``transform`` is random, else it must be given
    ``balance``, ``uneven``, ``length``  of the training, see :class:`CohortSampler`. Val, test and predict take each
                        sample once, in the order of the cohort; of several processes some may have one more
    ``statistics``      :class:`IntensityStatistics`, which must have been fitted on this split
    ``dtype``, ``cache``, ``errors``, ``stack``  of the :class:`CohortDataset`; ``ragged`` of :func:`collate`
    ``predict``         the part that ``Trainer.predict`` sees
    ``loader``          anything else for the DataLoaders, such as ``prefetch_factor``

    The order and the augmentation are a function of ``seed`` and epoch, on any number of workers and processes;
    Lightning finds a sampler that is distributed already and leaves it. A checkpoint taken within an epoch resumes
    with the next batch. Raises :class:`QueryError` and :class:`CohortError` at construction.
    """

    def __init__(
        self,
        split: Sequence[Cohort | None],
        transform: Transform | None = None,
        eval_transform: Transform | None = None,
        *,
        batch_size: int = 1,
        eval_batch_size: int | None = None,
        workers: int = 0,
        seed: int = 0,
        dtype: torch.dtype | None = None,
        cache: Cache | None = None,
        errors: str = "raise",
        stack: str | None = None,
        balance: str | None = None,
        length: int | None = None,
        uneven: str | None = None,
        statistics: IntensityStatistics | None = None,
        ragged: str = "raise",
        predict: str = "test",
        **loader: Any,
    ) -> None:
        super().__init__()
        train, val, test = split
        if train is None:
            raise QueryError("CohortDataModule: the split has no training part.")
        if eval_transform is None and may_be_random(transform):
            raise QueryError("CohortDataModule: transform= draws at random; say eval_transform=… for val and test too.")
        self.parts = {"train": train, "val": val, "test": test}
        if predict not in self.parts:
            raise QueryError(f"CohortDataModule: predict={predict!r}; legal: {' '.join(self.parts)}")
        if statistics is not None:
            statistics.check(train, val, test)
        self.transform, self.eval_transform = transform, transform if eval_transform is None else eval_transform
        self.batch_size, self.eval_batch_size = batch_size, eval_batch_size or batch_size
        self.seed, self.predict = seed, predict
        self._reading: dict[str, Any] = {"seed": seed, "dtype": dtype, "cache": cache, "errors": errors, "stack": stack}
        self._drawing: dict[str, Any] = {"balance": balance, "length": length, "uneven": uneven}
        self._loading: dict[str, Any] = {
            "num_workers": workers,
            "persistent_workers": workers > 0,
            "pin_memory": torch.cuda.is_available(),
            "collate_fn": collate(ragged=ragged),
            **loader,
        }
        CohortSampler(train, seed=seed, rank=0, world=1, **self._drawing)  # what cannot be drawn is known now

    @cached_property
    def train_dataset(self) -> CohortDataset:
        """The training part, loaded and augmented."""
        train = self.parts["train"]
        assert train is not None
        return CohortDataset(train, self.transform, **self._reading)

    def train_dataloader(self) -> ResumableLoader:
        """Shuffled or balanced, shared over the processes; knows where a training stands."""
        sampler = CohortSampler(self.train_dataset.cohort, seed=self.seed, **self._drawing)
        return ResumableLoader(self.train_dataset, sampler=sampler, batch_size=self.batch_size, **self._loading)

    def val_dataloader(self) -> Any:
        """Each sample once, the same in every epoch; no loader where the split has no such part."""
        return self._plain("val")

    def test_dataloader(self) -> Any:
        """As :meth:`val_dataloader`."""
        return self._plain("test")

    def predict_dataloader(self) -> Any:
        """As :meth:`val_dataloader`, of the part that ``predict=`` names."""
        return self._plain(self.predict)

    def _plain(self, part: str) -> DataLoader[Any] | list[Any]:
        cohort = self.parts[part]
        if cohort is None:
            return []
        dataset = CohortDataset(cohort, self.eval_transform, **self._reading)
        sampler = _SameEveryEpoch(cohort, shuffle=False, uneven="keep")
        return DataLoader(dataset, sampler=sampler, batch_size=self.eval_batch_size, **self._loading)


class _SameEveryEpoch(CohortSampler):
    """What is random in an evaluation is the same each time, so that its results can be compared."""

    def set_epoch(self, epoch: int) -> None:
        """Stays at the first."""
