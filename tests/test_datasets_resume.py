"""The same samples bit for bit: any number of workers, one process or two, fresh or resumed within an epoch."""

from __future__ import annotations

import random
from collections.abc import Iterable
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from monai.transforms import (
    Compose,
    Lambdad,
    OneOf,
    RandAffined,
    RandFlipd,
    RandGaussianNoised,
    RandSpatialCropd,
    RandZoomd,
)
from torch.utils.data import DataLoader
from treemaker import small_trial

from trialbids.datasets import Categorical, Cohort, CohortDataset, Database, Q, collate
from trialbids.datasets.reading.cache import Cache
from trialbids.datasets.training.dropout import DropSequencesd
from trialbids.datasets.training.loader import ResumableLoader
from trialbids.datasets.training.sampler import CohortSampler

Seen = list[tuple[str, int, bytes]]


@pytest.fixture(scope="module")
def cohort(tmp_path_factory: pytest.TempPathFactory) -> Cohort:
    return Database(small_trial(tmp_path_factory.mktemp("trial") / "bids")).cohort(
        images={"t2": Q("T2w"), "dce": Q("DCE")}, targets={"score": Categorical("orads_score")},
        qc="warn", missing="drop",
    )  # fmt: skip


def by_python(image: torch.Tensor) -> torch.Tensor:
    return image + random.random()


def by_numpy(image: torch.Tensor) -> torch.Tensor:
    return image + float(np.random.rand())


def by_torch(image: torch.Tensor) -> torch.Tensor:
    return image + torch.rand(())


class WithGenerator:
    """Somebody's transform that holds a generator."""

    def __init__(self) -> None:
        self.random = np.random.default_rng()

    def __call__(self, data: Any) -> Any:
        return {**data, "t2": data["t2"] * self.random.random()}


def dataset(cohort: Cohort, seed: int = 0, cache: Cache | None = None) -> CohortDataset:
    """A random transform of each kind."""
    keys = ("t2", "dce")
    flips = OneOf([RandFlipd(keys, prob=0.7, spatial_axis=0), RandZoomd(keys, prob=0.7)])
    steps = [
        *(Compose([RandAffined(keys, prob=0.8, rotate_range=0.2), flips]), RandSpatialCropd(keys, (4, 4, 3))),
        *(RandGaussianNoised("t2", prob=0.8), DropSequencesd(keys, 0.3), WithGenerator()),
        *(Lambdad("t2", by_python), Lambdad("t2", by_numpy), Lambdad("dce", by_torch)),
    ]
    return CohortDataset(cohort, steps, seed=seed, dtype=torch.float32, cache=cache)


def seen(batches: Iterable[dict[str, Any]]) -> Seen:
    """What a training loop saw: names, flags and voxels."""
    return [
        (
            name,
            int(batch["present"][n].sum()),
            torch.cat([batch[k][n].flatten() for k in ("t2", "dce")]).numpy().tobytes(),
        )
        for batch in batches
        for n, name in enumerate(batch["sample_id"])
    ]


def loader(cohort: Cohort, *, balance: str | None = "score", seed: int = 0, **options: Any) -> ResumableLoader:
    sampler = CohortSampler(cohort, seed=seed, balance=balance, length=None if balance is None else 7)
    return ResumableLoader(dataset(cohort, seed), sampler=sampler, batch_size=2, collate_fn=collate, **options)


def epochs(loader: ResumableLoader, count: int = 2) -> list[Seen]:
    out: list[Seen] = []
    for epoch in range(count):
        loader.sampler.set_epoch(epoch)  # pyright: ignore[reportAttributeAccessIssue]
        out.append(seen(loader))
    return out


@pytest.fixture(scope="module")
def expected(cohort: Cohort) -> list[Seen]:
    """Two epochs of seven draws without workers."""
    return epochs(loader(cohort))


def test_draws_of_one_sample_differ_and_epochs_too(expected: list[Seen]) -> None:
    assert [len(epoch) for epoch in expected] == [7, 7]
    voxels = [voxels for epoch in expected for _, _, voxels in epoch]
    assert len(set(voxels)) == 14 and len({name for name, _, _ in expected[0]}) < 7


@pytest.mark.parametrize("workers", [1, 2, 4])
def test_workers_change_nothing(cohort: Cohort, expected: list[Seen], workers: int) -> None:
    """Workers that are kept serve the second epoch, and have fetched parts of it in advance."""
    assert epochs(loader(cohort, num_workers=workers, persistent_workers=workers == 2)) == expected


def test_two_processes_see_what_one_sees(cohort: Cohort) -> None:
    one = {name: (flags, voxels) for name, flags, voxels in epochs(loader(cohort, balance=None), 1)[0]}
    two: dict[str, Any] = {}
    for rank in (0, 1):
        sampler = CohortSampler(cohort, seed=0, rank=rank, world=2, uneven="keep")
        two |= {
            name: (f, v) for name, f, v in seen(DataLoader(dataset(cohort), 2, sampler=sampler, collate_fn=collate))
        }
    assert two == one


@pytest.mark.parametrize(("used", "workers"), [(0, 0), (1, 2), (3, 0), (4, 0)])
def test_an_interrupted_epoch_goes_on_with_the_next_batch(
    cohort: Cohort, expected: list[Seen], used: int, workers: int
) -> None:
    first = loader(cohort, num_workers=workers)
    first.sampler.set_epoch(0)  # pyright: ignore[reportAttributeAccessIssue]
    before = seen(islice(first, used))
    state = first.state_dict()
    resumed = loader(cohort)
    resumed.load_state_dict(state)
    assert len(resumed) == 4
    after: list[Seen] = []
    for epoch in range(resumed.sampler.epoch, 2):  # pyright: ignore[reportAttributeAccessIssue]
        resumed.sampler.set_epoch(epoch)  # pyright: ignore[reportAttributeAccessIssue]
        after.append(seen(resumed))
    assert [*before, *(each for epoch in after for each in epoch)] == [each for epoch in expected for each in epoch]


def test_a_state_is_of_the_epoch_that_is_set(cohort: Cohort) -> None:
    trained = loader(cohort)
    epochs(trained, 1)
    assert (trained.state_dict()["epoch"], trained.state_dict()["start"]) == (1, 0)
    trained.sampler.set_epoch(1)  # pyright: ignore[reportAttributeAccessIssue]
    assert (trained.state_dict()["epoch"], trained.state_dict()["start"]) == (1, 0)
    next(iter(trained))
    assert (trained.state_dict()["epoch"], trained.state_dict()["start"]) == (1, 2)
    again = loader(cohort)
    again.load_state_dict(trained.state_dict())
    assert again.state_dict() == trained.state_dict()


def test_a_last_batch_that_is_left_out_ends_the_epoch_too(cohort: Cohort) -> None:
    trained = loader(cohort, drop_last=True)
    assert len(list(trained)) == 3 and trained.state_dict()["epoch"] == 1


def test_the_epoch_may_be_set_after_the_iterator_was_made(cohort: Cohort, expected: list[Seen]) -> None:
    late = loader(cohort, num_workers=1)
    batches = iter(late)  # as Lightning does before it says which epoch it is
    late.sampler.set_epoch(1)  # pyright: ignore[reportAttributeAccessIssue]
    assert seen(batches) == expected[1]


def test_the_cache_changes_nothing_that_is_random(cohort: Cohort, expected: list[Seen], tmp_path: Path) -> None:
    cached = dataset(cohort, cache=Cache(tmp_path / "cache"))
    for _ in range(2):
        sampler = CohortSampler(cohort, seed=0, balance="score", length=7)
        assert seen(DataLoader(cached, 2, sampler=sampler, collate_fn=collate)) == expected[0]


def test_another_seed_is_another_training(cohort: Cohort, expected: list[Seen]) -> None:
    other = epochs(loader(cohort, seed=1), 1)[0]
    assert not {voxels for _, _, voxels in other} & {voxels for _, _, voxels in expected[0]}


def test_batches_go_into_a_compiled_network(cohort: Cohort) -> None:
    batch = next(iter(loader(cohort)))
    layer = torch.nn.Conv3d(1, 2, 1)
    network = torch.compile(layer, backend="eager", fullgraph=True)
    assert torch.equal(network(batch["t2"].as_tensor()), layer(batch["t2"].as_tensor()))
