"""Sequences left out at random: zeros and a flag, never all of them, the same for the same draw."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from treemaker import small_trial

from trialbids.datasets import CohortDataset, Database, Q, QueryError, Require
from trialbids.datasets.reading.draws import Draw
from trialbids.datasets.training.dropout import DropSequencesd

KEYS = ("t2", "adc", "dce")


def sample(present: tuple[bool, ...] = (True, True, True)) -> dict[str, torch.Tensor]:
    images = {key: torch.ones(2, 3, 3, 3) * there for key, there in zip(KEYS, present, strict=True)}
    return {**images, "present": torch.tensor(present)}


@given(
    st.lists(st.sampled_from([0.0, 0.3, 1.0]), min_size=3, max_size=3), st.integers(1, 3), st.integers(0, 999),
    st.tuples(st.booleans(), st.booleans(), st.booleans()),
)  # fmt: skip
@settings(max_examples=120, deadline=None)
def test_as_many_stay_as_was_asked_and_the_flags_are_true(
    prob: list[float], keep: int, seed: int, present: tuple[bool, ...]
) -> None:
    drop = DropSequencesd(KEYS, prob, keep)
    drop.set_random_state(seed=seed)
    out = drop(sample(present))
    flags = out["present"].tolist()
    assert [bool(out[key].any()) for key in KEYS] == flags
    assert all(was or not flag for was, flag in zip(present, flags, strict=True))
    assert sum(flags) >= min(keep, sum(present))
    for p, was, flag in zip(prob, present, flags, strict=True):
        assert flag == was if p == 0 else True
    if set(prob) == {1.0}:
        assert sum(flags) == min(keep, sum(present))


def test_each_is_dropped_as_often_as_was_asked() -> None:
    drop = DropSequencesd(KEYS, (0.1, 0.3, 0.0))
    drop.set_random_state(seed=0)
    left = Counter(key for _ in range(2000) for key, flag in zip(KEYS, drop(sample())["present"], strict=True) if flag)
    assert [1 - left[key] / 2000 for key in KEYS] == pytest.approx([0.1, 0.3, 0.0], abs=0.03)
    always = DropSequencesd(KEYS, 1.0)
    always.set_random_state(seed=0)
    stays = Counter(tuple(always(sample())["present"].tolist()) for _ in range(600))
    assert sorted(stays.values()) == pytest.approx([200, 200, 200], abs=50)  # which one stays is chosen evenly


def test_type_shape_order_and_meta_stay(tmp_path: Path) -> None:
    cohort = Database(small_trial(tmp_path / "bids")).cohort(
        images={"t2": Q("T2w"), "adc": Q("ADC"), "dce": Q("DCE")}, labels={"lesion": Q(label="lesion")},
        missing=Require("t2"), qc="warn", grid="same",
    )  # fmt: skip
    plain = CohortDataset(cohort)[0]
    drop = DropSequencesd(cohort.image_keys, 0.6, order=cohort.keys)
    dataset = CohortDataset(cohort, drop, seed=0)
    seen = set()
    for epoch in range(6):
        first, again = dataset[Draw(0, epoch)], dataset[Draw(0, epoch)]
        seen.add(tuple(first["present"].tolist()))
        assert first["present"].tolist() == again["present"].tolist() and first["present"][3]
        for key in cohort.keys:
            one, other = first[key], plain[key]
            assert (type(one), one.dtype, one.shape, one.stride()) == (
                type(other),
                other.dtype,
                other.shape,
                other.stride(),
            )
            assert torch.equal(one.affine, other.affine) and one.meta["unit"] == other.meta["unit"]
            assert torch.equal(one, other) or not one.any()
    assert len(seen) > 2
    with pytest.raises(QueryError, match=r"`present` has 4 flags, and 3 keys are known; give order=cohort.keys"):
        DropSequencesd(cohort.image_keys, 0.6)(plain)
    repeats = {tuple(dataset[Draw(0, 0, repeat)]["present"].tolist()) for repeat in range(6)}
    assert len(repeats) > 1


def test_a_sample_without_flags_gets_them() -> None:
    drop = DropSequencesd(KEYS, 0.0)
    bare = {key: torch.ones(1, 2, 2, 2) for key in KEYS}
    assert drop(bare)["present"].tolist() == [True, True, True] and "present" not in bare


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"prob": 1.2}, "one probability from 0 to 1"),
        ({"prob": (0.1, 0.2)}, "or 3 of them"),
        ({"prob": 0.1, "keep": 0}, "at least 1"),
        ({"prob": 0.1, "keep": 4}, "at most 3"),
        ({"prob": 0.1, "order": ("t2", "adc")}, r"\['dce'\] are not in order"),
    ],
)
def test_numbers_that_cannot_be_meant(arguments: dict, words: str) -> None:
    with pytest.raises(QueryError, match=words):
        DropSequencesd(KEYS, **arguments)


def test_a_key_that_is_not_there() -> None:
    with pytest.raises(QueryError, match="the sample has no dce"):
        DropSequencesd(KEYS, 0.1)({"t2": torch.ones(1), "adc": torch.ones(1)})
