"""Sequences left out at random, so that a model learns to do without."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from typing import Any

import numpy as np
import torch
from monai.config.type_definitions import KeysCollection
from monai.transforms.transform import MapTransform, Randomizable

from ..errors import QueryError
from .standardise import is_missing


class DropSequencesd(Randomizable, MapTransform):
    """Set each image to zeros with probability ``prob``, and its flag in ``present`` to False; ``keep`` stay at least.

    Modality dropout (Neverova et al. 2016, doi:10.1109/TPAMI.2015.2461544). What is missing already counts as
    dropped; where no more than ``keep`` are there, all stay. Type, shape, memory order and meta stay. Put it behind
    the normalisation, so that a dropped image is like a missing one.

    ``prob``   one for all keys, or one a key
    ``order``  whose flags ``present`` holds, ``cohort.keys``; not needed where these are ``keys``. A sample without
               ``present`` gets one in the order of ``keys``

    Raises :class:`QueryError` for numbers that cannot be meant, and where ``present`` has another length.
    """

    def __init__(
        self,
        keys: KeysCollection,
        prob: float | Sequence[float],
        keep: int = 1,
        *,
        order: Sequence[str] | None = None,
        allow_missing_keys: bool = False,
    ) -> None:
        MapTransform.__init__(self, keys, allow_missing_keys)
        count = len(self.keys)
        self.prob = tuple(float(p) for p in prob) if isinstance(prob, Sequence) else (float(prob),) * count
        if len(self.prob) != count or not all(0 <= p <= 1 for p in self.prob):
            raise QueryError(f"DropSequencesd: prob={prob!r}; one probability from 0 to 1, or {count} of them")
        if not 1 <= keep <= count:
            raise QueryError(f"DropSequencesd: keep={keep}; of {count} images at least 1 and at most {count} stay")
        self.keep = keep
        self.order = tuple(self.keys if order is None else order)
        if unknown := [key for key in self.keys if key not in self.order]:
            raise QueryError(f"DropSequencesd: {unknown} are not in order={self.order}")
        self._drawn = np.zeros(count)

    def randomize(self, data: Any = None) -> None:
        """One number a key, whether it is there or not."""
        self._drawn = self.R.random_sample(len(self.keys))

    def __call__(self, data: Mapping[Hashable, Any]) -> dict[Hashable, Any]:
        sample = dict(data)
        self.randomize()
        flags = self._flags(sample)
        there = [n for n, key in enumerate(self.keys) if key in sample and flags[self.order.index(str(key))]]
        wanted = sorted(
            (n for n in there if self._drawn[n] < self.prob[n]), key=lambda n: self._drawn[n] / self.prob[n]
        )
        for n in wanted[: max(0, len(there) - self.keep)]:
            key = self.keys[n]
            sample[key] = torch.zeros_like(sample[key])
            flags[self.order.index(str(key))] = False
        sample["present"] = flags
        return sample

    def _flags(self, sample: Mapping[Hashable, Any]) -> torch.Tensor:
        missing = [key for key in self.keys if key not in sample]
        if missing and not self.allow_missing_keys:
            raise QueryError(f"DropSequencesd: the sample has no {' '.join(map(str, missing))}")
        if "present" not in sample:
            here = [key in sample and not is_missing(sample[key]) for key in self.order]
            return torch.tensor(here, dtype=torch.bool)
        flags = torch.as_tensor(sample["present"], dtype=torch.bool).clone()
        if len(flags) != len(self.order):
            raise QueryError(
                f"DropSequencesd: `present` has {len(flags)} flags, and {len(self.order)} keys are known; give "
                "order=cohort.keys"
            )
        return flags
