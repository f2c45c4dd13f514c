"""Which samples an epoch has: all of them, shared out, balanced, and in an order that can be had again."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.utils.data import DataLoader
from torch.utils.data.distributed import DistributedSampler
from treemaker import small_trial

from trialbids.datasets import Categorical, Cohort, CohortError, Database, Q, QueryError, Regression
from trialbids.datasets.reading.draws import Draw
from trialbids.datasets.training.loader import ResumableLoader
from trialbids.datasets.training.order import balanced_order, even, even_length, plain_order
from trialbids.datasets.training.sampler import CohortSampler
from trialbids.datasets.training.values import by_column


@pytest.fixture(scope="module")
def db(tmp_path_factory: pytest.TempPathFactory) -> Database:
    return Database(small_trial(tmp_path_factory.mktemp("trial") / "bids"))


@pytest.fixture(scope="module")
def cohort(db: Database) -> Cohort:
    """Five samples of scores 3, 4, 2, 3, 2 at sites S01 S01 S01 S02 S02."""
    return db.cohort(images={"t2": Q("T2w")}, targets={"score": Categorical("orads_score")}, qc="warn", missing="drop")


def places(sampler: CohortSampler) -> list[int]:
    return [draw.index for draw in sampler]


# --- laws of the order

EPOCHS = st.integers(0, 50)
WORLDS = st.integers(1, 5)


@given(st.integers(1, 40), EPOCHS, WORLDS, st.sampled_from(["drop", "pad", "keep"]), st.booleans())
@settings(max_examples=80, deadline=None)
def test_the_processes_together_have_the_epoch_of_one(n: int, epoch: int, world: int, uneven: str, mix: bool) -> None:
    order = plain_order(n, shuffle=mix, seed=1, epoch=epoch)
    assert sorted(draw.index for draw in order) == list(range(n))
    shared = even(order, world, uneven)
    assert len(shared) == even_length(n, world, uneven)
    lengths = {len(shared[rank::world]) for rank in range(world)}
    assert max(lengths) - min(lengths) <= (uneven == "keep") and (uneven == "keep" or len(lengths) == 1)
    assert shared[:n] == order[: len(shared)]
    assert len(set(shared)) == len(shared)  # what comes twice comes as another repeat


@given(st.lists(st.sampled_from("abc"), min_size=1, max_size=30), st.integers(1, 60), EPOCHS)
@settings(max_examples=80, deadline=None)
def test_a_balanced_epoch_gives_each_class_and_each_of_its_samples_the_same(
    groups: list[str], length: int, epoch: int
) -> None:
    draws = balanced_order(groups, length, seed=0, epoch=epoch)
    assert len(draws) == length and len(set(draws)) == length
    by_class = Counter(groups[draw.index] for draw in draws)
    assert max(by_class.values()) - min(by_class.get(name, 0) for name in set(groups)) <= 1
    times = Counter(draw.index for draw in draws)
    for name in set(groups):
        counts = [times.get(place, 0) for place, other in enumerate(groups) if other == name]
        assert max(counts) - min(counts) <= 1
    for place, count in times.items():
        assert sorted(draw.repeat for draw in draws if draw.index == place) == list(range(count))


# --- the sampler


def test_the_order_is_a_function_of_seed_and_epoch(cohort: Cohort) -> None:
    first, again = CohortSampler(cohort, seed=3), CohortSampler(cohort, seed=3)
    orders = []
    for epoch in range(4):
        first.set_epoch(epoch)
        orders.append(places(first))
        assert list(first) == [Draw(place, epoch) for place in places(first)]
    again.set_epoch(2)
    assert places(again) == orders[2] and len({tuple(order) for order in orders}) > 1
    assert [places(CohortSampler(cohort, seed=seed)) for seed in (3, 4)][1] != orders[0]
    assert places(CohortSampler(cohort, shuffle=False)) == [0, 1, 2, 3, 4]
    assert places(CohortSampler(cohort, seed=3)) == [1, 4, 2, 0, 3], "orders of old runs can be had again"


def test_samples_that_do_not_share_out_are_a_question_not_a_silent_repeat(cohort: Cohort) -> None:
    with pytest.raises(QueryError, match=r"5 samples do not share out evenly over 2 processes.*'drop'.*'pad'.*'keep'"):
        CohortSampler(cohort, rank=0, world=2)
    shares = {
        uneven: [places(CohortSampler(cohort, rank=rank, world=2, uneven=uneven)) for rank in (0, 1)]
        for uneven in ("drop", "pad", "keep")
    }
    assert {uneven: [len(share) for share in both] for uneven, both in shares.items()} == {
        "drop": [2, 2], "pad": [3, 3], "keep": [3, 2],
    }  # fmt: skip
    assert sorted(place for share in shares["keep"] for place in share) == [0, 1, 2, 3, 4]
    padded = [draw for rank in (0, 1) for draw in CohortSampler(cohort, rank=rank, world=2, uneven="pad")]
    assert sorted(draw.repeat for draw in padded) == [0, 0, 0, 0, 0, 1]


def test_batches_of_two_processes_are_the_batches_of_one(cohort: Cohort) -> None:
    one = [draw.index for draw in CohortSampler(cohort[:4], seed=1)]
    two = [places(CohortSampler(cohort[:4], seed=1, rank=rank, world=2)) for rank in (0, 1)]
    assert [sorted([a, b]) for a, b in zip(*two, strict=True)] == [sorted(one[:2]), sorted(one[2:])]


def test_classes_and_sites_are_drawn_evenly(cohort: Cohort) -> None:
    sampler = CohortSampler(cohort, balance="score", length=12)
    score = cohort.column("score")
    assert Counter(score[place] for place in places(sampler)) == {2: 4, 3: 4, 4: 4} and len(sampler) == 12
    site = cohort.column("site")
    assert Counter(site[place] for place in places(CohortSampler(cohort, balance="site", length=12))) == {
        "S01": 6, "S02": 6,
    }  # fmt: skip


def test_what_has_no_classes_cannot_be_balanced(db: Database, cohort: Cohort) -> None:
    aged = db.cohort(
        images={"t2": Q("T2w")},
        targets={"age": Regression("age"), "score": Categorical("orads_score", gaps="mask")},
        qc="warn",
    )
    with pytest.raises(QueryError, match=r"'age' holds 31\.0: it has no classes"):
        CohortSampler(aged, balance="age")
    with pytest.raises(CohortError, match=r"'score' is empty in 1 of 6 samples.*\n  sub-05_ses-01"):
        CohortSampler(aged, balance="score")
    with pytest.raises(QueryError, match=r"there is no such column.*did you mean 'score'"):
        CohortSampler(cohort, balance="scores")


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"rank": 0}, "both rank and world"),
        ({"rank": 2, "world": 2}, "ranks count from 0 to 1"),
        ({"balance": "score", "shuffle": False}, "cannot be had with shuffle=False"),
        ({"length": 3}, "say balance= too"),
        ({"balance": "score", "length": 0}, "at least one draw"),
        ({"uneven": "ignore"}, "legal: drop pad keep"),
        ({"start": 6}, "at most 5"),
        ({"start": 1, "rank": 0, "world": 2, "uneven": "drop"}, "a multiple of their number"),
    ],
)
def test_arguments_that_cannot_be_meant(cohort: Cohort, arguments: dict, words: str) -> None:
    with pytest.raises(QueryError, match=words):
        CohortSampler(cohort, **arguments)


def test_an_empty_cohort_and_a_loader_without_a_sampler(cohort: Cohort) -> None:
    with pytest.raises(QueryError, match="the cohort is empty"):
        CohortSampler(cohort[:0])
    with pytest.raises(QueryError, match="give sampler=CohortSampler"):
        ResumableLoader(cohort, batch_size=2, shuffle=True)


def test_lightning_and_ignite_take_it_for_a_distributed_sampler(cohort: Cohort) -> None:
    loader = DataLoader(cohort, sampler=CohortSampler(cohort), batch_size=2)
    assert isinstance(loader.sampler, DistributedSampler) and len(loader) == 3


def test_a_cohort_taken_apart_by_site(cohort: Cohort) -> None:
    parts = by_column(cohort, "site")
    assert {site: part.column("sample_id") for site, part in parts.items()} == {
        "S01": ("sub-01_ses-01", "sub-02_ses-01", "sub-03_ses-01"),
        "S02": ("sub-04_ses-01", "sub-06_ses-01"),
    }


# --- where a training stands


@given(st.integers(1, 3), st.integers(0, 5), st.sampled_from([None, "score"]))
@settings(max_examples=30, deadline=None)
def test_a_resumed_epoch_is_the_rest_of_the_epoch(world: int, consumed: int, balance: str | None) -> None:
    cohort = _COHORT["cohort"]

    def sampler(rank: int) -> CohortSampler:
        return CohortSampler(cohort, seed=5, rank=rank, world=world, uneven="drop", balance=balance, epoch=3)

    for rank in range(world):
        whole = list(sampler(rank))
        used = min(consumed, len(whole))
        state = sampler(rank).state_dict(used)
        resumed = CohortSampler(cohort, seed=5, rank=rank, world=world, uneven="drop", balance=balance)
        resumed.load_state_dict(state)
        assert len(resumed) == len(whole)
        if used == len(whole):
            assert (resumed.epoch, resumed.start) == (4, 0)
            continue
        resumed.set_epoch(3)  # as a loop does, also with the epoch that it resumes
        assert list(resumed) == whole[used:]
        resumed.set_epoch(4)
        following = sampler(rank)
        following.set_epoch(4)
        assert list(resumed) == list(following)


_COHORT: dict[str, Cohort] = {}


@pytest.fixture(autouse=True)
def _shown_to_hypothesis(cohort: Cohort) -> None:
    _COHORT["cohort"] = cohort


def test_more_processes_take_over(cohort: Cohort) -> None:
    one = CohortSampler(cohort[:4], seed=5)
    state = one.state_dict(consumed=2)
    rest: list[Draw] = []
    for rank in (0, 1):
        two = CohortSampler(cohort[:4], seed=5, rank=rank, world=2)
        two.load_state_dict(state)
        rest.extend(two)
    assert rest == list(one)[2:]


def test_a_state_of_another_training_is_refused(cohort: Cohort, tmp_path: Path) -> None:
    state = CohortSampler(cohort, seed=5).state_dict(2)
    for other in (
        CohortSampler(cohort),
        CohortSampler(cohort[:4], seed=5),
        CohortSampler(cohort, seed=5, balance="site"),
    ):
        with pytest.raises(QueryError, match=r"the state is of another training: .* was .*, is "):
            other.load_state_dict(state)
    with pytest.raises(QueryError, match="consumed=9; this process has 5 draws"):
        CohortSampler(cohort).state_dict(9)
