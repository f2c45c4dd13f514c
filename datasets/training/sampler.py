"""Which sample comes next: shuffled, balanced, shared over processes, resumable, and the same every time."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from functools import cached_property
from typing import Any, cast

import torch.distributed
from torch.utils.data.distributed import DistributedSampler

from ..cohorts.cohort import Cohort
from ..errors import QueryError
from ..reading.draws import Draw
from .order import balanced_order, even, even_length, plain_order
from .values import groups


class CohortSampler(DistributedSampler[Any]):
    """Draws the samples of a cohort: ``DataLoader(dataset, sampler=CohortSampler(cohort, seed=0), …)``.

    The order of an epoch is a function of ``seed`` and the epoch alone. Each item is a :class:`Draw` (index, epoch,
    repeat), so that :class:`CohortDataset` augments by it, in whichever worker. Call :meth:`set_epoch` before each
    epoch (Lightning does).

    ``rank``, ``world``  this process and how many there are; from torch.distributed where it is running, else one.
                         Of n processes with batches of b, the k-th batches together are the k-th batch of one process
                         with batches of n·b.
    ``uneven``           what becomes of samples that do not share out: ``drop``, ``pad`` or ``keep`` (see
                         :func:`even_length`); None raises where it matters. torch's own sampler repeats some in
                         silence.
    ``balance``          a categorical target, ``site`` or a clinical column of words: each class has the same share
                         of an epoch; ``length`` draws in it (as many as samples)
    ``epoch``, ``start`` where to begin; ``start`` counts the draws of all processes

    A subclass of torch's ``DistributedSampler``, so that Lightning and Ignite leave it in its place.

    Raises :class:`QueryError` for arguments that cannot be meant, :class:`CohortError` for samples without a class.
    """

    def __init__(
        self,
        cohort: Cohort,
        *,
        shuffle: bool = True,
        seed: int = 0,
        rank: int | None = None,
        world: int | None = None,
        epoch: int = 0,
        start: int = 0,
        balance: str | None = None,
        length: int | None = None,
        uneven: str | None = None,
    ) -> None:
        rank, world = _place(rank, world)
        if not len(cohort):
            raise QueryError("CohortSampler: the cohort is empty; there is nothing to draw.")
        if balance is None and length is not None:
            raise QueryError("CohortSampler: length= is the number of draws of a balanced epoch; say balance= too.")
        if balance is not None and not shuffle:
            raise QueryError("CohortSampler: balance= draws in random order; it cannot be had with shuffle=False.")
        if length is not None and length < 1:
            raise QueryError(f"CohortSampler: length={length}; an epoch has at least one draw.")
        super().__init__(cast(Any, cohort), num_replicas=world, rank=rank, shuffle=shuffle, seed=seed)
        self.cohort = cohort
        self.balance = balance
        self.uneven = uneven
        self._groups = None if balance is None else groups(cohort, balance)
        self._length = len(cohort) if length is None else length
        self.total_size = even_length(self._length, world, uneven)
        self.num_samples = len(range(rank, self.total_size, world))
        self.epoch, self.start = epoch, self._checked(start)

    def __iter__(self) -> Iterator[Draw]:
        return iter(self._epoch_of_all()[self.start :][self.rank :: self.num_replicas])

    def __len__(self) -> int:
        """Draws of this process in a whole epoch, also while one is resumed in its middle."""
        return self.num_samples

    def set_epoch(self, epoch: int) -> None:
        """Begin another epoch. The one that is set already goes on from its ``start``."""
        if epoch != self.epoch:
            self.epoch, self.start = epoch, 0

    def state_dict(self, consumed: int = 0) -> dict[str, Any]:
        """Where a training stands: ``consumed`` draws of this process were used in this epoch, by the loop's count.

        The sampler cannot know it: workers fetch in advance. ``consumed`` counts from the beginning of the epoch, also
        where the epoch was resumed. A whole epoch used up is the next one at its beginning.
        """
        if not 0 <= consumed <= self.num_samples:
            raise QueryError(f"CohortSampler: consumed={consumed}; this process has {self.num_samples} draws an epoch.")
        done = consumed == self.num_samples
        return {
            "epoch": self.epoch + done,
            "start": 0 if done else consumed * self.num_replicas,
            **self._identity(),
        }

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on where :meth:`state_dict` was taken, also with another number of processes.

        Raises :class:`QueryError` where the state is of other samples, another seed or another way to draw them.
        """
        mine = self._identity()
        differing = [
            f"{name} was {state.get(name)!r}, is {mine[name]!r}" for name in mine if state.get(name) != mine[name]
        ]
        if differing:
            raise QueryError(f"CohortSampler: the state is of another training: {'; '.join(differing)}.")
        self.epoch, self.start = int(state["epoch"]), self._checked(int(state["start"]))

    def _epoch_of_all(self) -> list[Draw]:
        """The epoch of all processes together."""
        if self._groups is None:
            draws = plain_order(self._length, shuffle=self.shuffle, seed=self.seed, epoch=self.epoch)
        else:
            draws = balanced_order(self._groups, self._length, seed=self.seed, epoch=self.epoch)
        return even(draws, self.num_replicas, self.uneven)

    def _identity(self) -> dict[str, Any]:
        """What the order hangs on."""
        return {
            "seed": self.seed,
            "shuffle": self.shuffle,
            "balance": self.balance,
            "length": self._length,
            "samples": self._samples,
        }

    @cached_property
    def _samples(self) -> str:
        return hashlib.sha256("\n".join(self.cohort.column("sample_id")).encode()).hexdigest()[:16]

    def _checked(self, start: int) -> int:
        if not 0 <= start <= self.total_size or start % self.num_replicas:
            raise QueryError(
                f"CohortSampler: start={start} counts draws of all processes; it is a multiple of their number, "
                f"{self.num_replicas}, and at most {self.total_size}."
            )
        return start


def _place(rank: int | None, world: int | None) -> tuple[int, int]:
    if (rank is None) != (world is None):
        raise QueryError("CohortSampler: give both rank and world, or neither.")
    if rank is None or world is None:
        if not (torch.distributed.is_available() and torch.distributed.is_initialized()):
            return 0, 1
        return torch.distributed.get_rank(), torch.distributed.get_world_size()
    if not 0 <= rank < world:
        raise QueryError(f"CohortSampler: rank={rank} of world={world}; ranks count from 0 to {world - 1}.")
    return rank, world
