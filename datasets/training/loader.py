"""A DataLoader that knows how far the training is."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from torch.utils.data import DataLoader

from ..errors import QueryError
from .sampler import CohortSampler


class ResumableLoader(DataLoader[Any]):
    """torch's ``DataLoader`` over a :class:`CohortSampler`, with ``state_dict`` and ``load_state_dict``.

    It counts the batches that the loop took, not those that workers fetched in advance, so a state taken after any
    step resumes with the very next batch. Lightning keeps such a state in its checkpoints. The order of an epoch is
    asked for with its first batch, so that ``set_epoch`` is in time even where somebody made the iterator early.

    Raises :class:`QueryError` where there is no ``CohortSampler`` or no ``batch_size``.
    """

    def __init__(self, dataset: Any, **options: Any) -> None:
        super().__init__(dataset, **options)
        sampler = options.get("sampler")
        if not isinstance(sampler, CohortSampler) or self.batch_size is None:
            raise QueryError("ResumableLoader: give sampler=CohortSampler(…) and a batch_size.")
        self._draws, self._size = sampler, self.batch_size
        self._taken, self._of_epoch = 0, -1

    def __iter__(self) -> Iterator[Any]:  # pyright: ignore[reportIncompatibleMethodOverride]
        draws = self._draws
        self._taken, self._of_epoch = draws.start // draws.num_replicas, draws.epoch
        for batch in super().__iter__():
            self._taken = min(self._taken + self._size, len(draws))
            yield batch
        self._taken = len(draws)

    def state_dict(self) -> dict[str, Any]:
        """Where the training stands after the batch that was taken last."""
        draws = self._draws
        if self._of_epoch != draws.epoch:  # no batch of this epoch was taken yet
            return draws.state_dict(draws.start // draws.num_replicas)
        whole = self._taken // self._size >= len(self)  # an incomplete last batch may be left out
        return draws.state_dict(len(draws) if whole else self._taken)

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on behind that batch. Raises :class:`QueryError` where the state is of another training."""
        self._draws.load_state_dict(state)
        self._of_epoch = -1
