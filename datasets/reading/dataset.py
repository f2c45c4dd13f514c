"""A cohort as a MONAI dataset."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
from monai.data.dataset import Dataset
from monai.transforms.compose import Compose
from monai.transforms.transform import Randomizable

from ..cohorts.cohort import Cohort
from .loading import LoadSequencesd
from .seeding import derived_seed, randomizables, seeded

Transform = Callable[[Any], Any]


class CohortDataset(Dataset):
    """The samples of a cohort, loaded (:class:`LoadSequencesd`) and transformed.

    >>> dataset = CohortDataset(cohort, transform=RandFlipd(["t2"], prob=0.5), seed=0)   # doctest: +SKIP
    >>> loader = DataLoader(dataset, batch_size=2, num_workers=2, collate_fn=collate)    # doctest: +SKIP

    What is random in ``transform`` depends on ``seed``, the epoch and the sample alone, not on workers or order;
    :meth:`set_epoch` before an epoch draws anew. ``dtype`` casts every image, for instance to ``torch.float32``.
    """

    def __init__(
        self,
        cohort: Cohort,
        transform: Transform | Sequence[Transform] | None = None,
        *,
        seed: int = 0,
        dtype: torch.dtype | None = None,
    ) -> None:
        steps = [] if transform is None else [transform] if callable(transform) else list(transform)
        super().__init__(data=cohort, transform=Compose(steps))
        self.cohort = cohort
        self.load = LoadSequencesd(cohort.keys, dtype=dtype)
        self.seed = seed
        self._random: list[Randomizable] | None = None
        self._epoch = torch.zeros((), dtype=torch.int64).share_memory_()

    @property
    def epoch(self) -> int:
        """The epoch whose random numbers are drawn."""
        return int(self._epoch)

    def set_epoch(self, epoch: int) -> None:
        """Draw other random numbers; workers that are kept over epochs see it too."""
        self._epoch.fill_(epoch)

    def _transform(self, index: int) -> Any:
        sample = self.data[index]
        if self._random is None:
            self._random = randomizables(self.transform)
        with seeded(derived_seed(self.seed, self.epoch, sample["sample_id"]), self._random):
            return self.transform(self.load(sample))
