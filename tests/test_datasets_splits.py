"""Splits: what the parts hold, what they are called, and what is refused before anything is trained."""

from __future__ import annotations

import pickle
import random
import time
from collections import Counter
from typing import Any

import pytest
from people import cohort_of, people

from trialbids.datasets import Cohort, QueryError, Regression
from trialbids.datasets.cohorts.targets import Categorical, MultiLabel, Survival
from trialbids.datasets.errors import SplitError


def trial(n: int = 40, sessions: int = 1, **targets: Any) -> Cohort:
    """Participants at four sites with a score, an age, findings and a survival."""
    rng = random.Random(5)
    rows = []
    for i in range(n):
        facts = {
            "site": f"S0{1 + i % 4}",
            "orads": rng.choice([2, 3, 3, 4]),
            "age": round(rng.gauss(60, 12), 1),
            "crib": i % 3 == 0,
            "cyst": i % 5 == 0,
            "months": rng.expovariate(0.05),
            "died": "yes" if i % 4 == 0 else "no",
            "family": f"F{i // 2}",
        }
        rows += [{"person": f"{i + 1:02d}", "session": f"{s + 1:02d}", **facts} for s in range(sessions)]
    return cohort_of(rows, targets=targets)


def test_five_folds_and_a_test_part_that_is_the_same_in_all() -> None:
    cohort = trial(40, sessions=2, orads=Categorical("orads", (2, 3, 4)))
    splits = cohort.split(k=5, test=0.2, stratify=["orads", "site"], seed=0)
    assert (len(splits), splits.names) == (5, ("fold1", "fold2", "fold3", "fold4", "fold5"))
    tests, vals = [], []
    for train, val, test in splits:
        assert val is not None and test is not None
        assert people(train) | people(val) | people(test) == people(cohort)
        assert len(train) + len(val) + len(test) == len(cohort) == 80
        assert not people(train) & people(val) and not people(train) & people(test) and not people(val) & people(test)
        tests.append(people(test))
        vals += people(val)
    assert all(part == tests[0] for part in tests) and len(tests[0]) == 8
    assert sorted([*vals, *tests[0]]) == sorted(people(cohort))
    assert splits[0].train.column("site").count("S01") == pytest.approx(0.64 * 20, abs=2)


def test_the_parts_know_which_they_are_also_in_a_worker() -> None:
    cohort = trial()
    train, val, test = cohort.split(k=4)[2]
    assert test is None and val is not None
    assert (cohort.part, train.part, val.part, train[:5].part) == ("", "fold3/train", "fold3/val", "fold3/train")
    assert pickle.loads(pickle.dumps(train)).part == "fold3/train"
    assert pickle.loads(pickle.dumps(cohort.split(k=4)))[2].train == train
    assert (
        train.fingerprint
        == cohort[[i for i, p in enumerate(cohort) if p["participant_id"][4:] in people(train)]].fingerprint
    )


def test_hold_out_with_and_without_validation() -> None:
    cohort = trial(50)
    train, val, test = cohort.split(val=0.2, test=0.1)[0]
    assert [len(part or ()) for part in (train, val, test)] == [35, 10, 5]
    assert cohort.split(test=0.1)[0].val is None and cohort.split(k=1, val=0.1)[0].test is None


def test_folds_whose_left_out_part_is_the_test_and_a_share_validates() -> None:
    cohort = trial(40)
    splits = cohort.split(k=5, val=0.25, stratify="site")
    assert sorted(name for split in splits for name in people(split.test)) == sorted(people(cohort))
    assert [(len(s.train), len(s.val or ()), len(s.test or ())) for s in splits] == [(24, 8, 8)] * 5
    assert not people(splits[0].train) & people(splits[0].val)


def test_nested_folds() -> None:
    cohort = trial(24)
    splits = cohort.split(k=3, nested=4, stratify="orads")
    assert splits.names[:5] == ("fold1.1", "fold1.2", "fold1.3", "fold1.4", "fold2.1")
    for outer in range(3):
        inner = splits.inner(outer)
        whole = splits.outer[outer]
        assert all(people(split.test) == people(whole.test) for split in inner) and whole.val is None
        assert sorted(n for split in inner for n in people(split.val)) == sorted(people(whole.train))
        assert whole.train.part == f"fold{outer + 1}/train"
    assert sorted(n for split in splits.outer for n in people(split.test)) == sorted(people(cohort))
    with pytest.raises(SplitError, match="not nested"):
        cohort.split(k=3).inner(0)


def test_leave_one_site_out() -> None:
    cohort = trial(20)
    splits = cohort.leave_one_out("site")
    assert splits.names == ("without S01", "without S02", "without S03", "without S04")
    for name, (train, val, test) in zip(splits.names, splits, strict=True):
        assert test is not None and val is None and test.part == f"{name}/test"
        assert {f"without {site}" for site in test.column("site")} == {name}
        assert f"without {train.column('site')[0]}" != name and len(train) == 15
    for train, val, test in cohort.leave_one_out("site", val=0.2, stratify="orads"):
        assert (len(train), len(val or ()), len(test or ())) == (12, 3, 5) and len(set(test.column("site"))) == 1
    nested = cohort.leave_one_out("site", nested=3)
    assert len(nested) == 12 and nested.names[0] == "without S01.1"


def test_who_was_seen_at_two_sites_is_left_out_with_each() -> None:
    rows = [{"person": f"{i}", "site": f"S{i % 3}"} for i in range(9)]
    splits = cohort_of([*rows, {"person": "0", "session": "02", "site": "S1"}]).leave_one_out("site")
    assert [("0" in people(split.test)) for split in splits] == [True, True, False]
    assert "sub-0: left out with each of S0, S1" in splits.notes[0]


def test_groups_stay_together_and_are_followed_to_their_end() -> None:
    cohort = trial(12)
    chain = {"sub-01": "a", "sub-05": "a"}
    splits = cohort.split(k=3, groups=chain, aliases={"sub-05": "sub-09", "sub-12": "sub-09"})
    for split in splits:
        assert len({"01", "05", "09", "12"} & people(split.val)) in (0, 4)
    for split in cohort.split(k=3, groups="family"):
        assert {(int(name) - 1) // 2 for name in people(split.val)}.isdisjoint(
            (int(name) - 1) // 2 for name in people(split.train)
        )
    with pytest.raises(QueryError, match="names nobody of the cohort; it has '01'"):
        cohort.split(k=3, groups={"01": "a"})
    with pytest.raises(QueryError, match="no such column"):
        cohort.split(k=3, groups="household")


@pytest.mark.parametrize(
    ("column", "level"),
    [
        ("orads", lambda row: row["orads"]),
        ("age", lambda row: row["age"] > 60.8),
        ("findings", lambda row: row["cyst"]),
        ("survival", lambda row: row["died"]),
        ("survival", lambda row: row["died"] == "no" and row["months"] > 20.5),
    ],
)
def test_every_kind_of_column_is_balanced_better_than_by_chance(column: str, level: Any) -> None:
    targets = {
        "orads": Categorical("orads", (2, 3, 4)),
        "age": Regression("age"),
        "findings": MultiLabel(("crib", "cyst")),
        "survival": Survival("months", "died"),
    }
    cohort = trial(60, **targets)
    names = ("orads", "age", "cyst", "months", "died")
    values = [
        level(dict(zip(names, row, strict=True)))
        for row in zip(*map(cohort.column, ("orads", "age", "cyst", "months", "died")), strict=True)
    ]

    def spread(stratify: list[str], seed: int) -> float:
        total = Counter(values)
        off = 0.0
        for _, val, _ in cohort.split(k=5, stratify=stratify, seed=seed):
            held = Counter(
                value
                for value, name in zip(values, cohort.column("participant_id"), strict=True)
                if name[4:] in people(val)
            )
            off += sum(abs(held[value] - n / 5) for value, n in total.items())
        return off

    alike = sum(spread([column], seed) for seed in range(4))
    assert alike < 0.6 * sum(spread([], seed) for seed in range(4))


def test_a_finding_that_is_not_known_is_no_absence() -> None:
    given = [{"person": f"{n:02d}", "crib": 0, "cyst": None if n < 4 else 0} for n in range(8)]
    cohort = cohort_of(given, targets={"found": MultiLabel(("crib", "cyst"), gaps="mask")})
    found = cohort.split(k=2, stratify="found").report().parts[1].levels
    assert found == {("found", "n/a"): 2, ("found", "none"): 2, ("site", "S01"): 4}


def test_the_report_counts_parts_and_names_levels_that_are_too_rare() -> None:
    cohort = cohort_of([{"person": f"{i:02d}", "grade": "rare" if i == 3 else "common"} for i in range(20)])
    report = cohort.split(k=4, test=0.2, stratify="grade").report()
    assert [(c.fold, c.part, c.participants) for c in report.parts[:3]] == [
        ("fold1", "train", 12),
        ("fold1", "val", 4),
        ("fold1", "test", 4),
    ]
    assert report.rare == (
        "grade = rare: 1 participant, fewer than the 5 parts; merge it with another level, or ask for fewer parts",
    )
    assert report.columns == ("grade", "site") and report.parts[0].levels["site", "S01"] == 12
    assert "grade, participants" in str(report) and "Rare: grade = rare" in str(report)


@pytest.mark.parametrize(
    ("asked", "words"),
    [
        ({}, r"ask for folds \(k=5\), or for a part"),
        ({"k": 0}, "k=0 must be a whole number from 2 on"),
        ({"k": True}, "k=True must be"),
        ({"k": 3, "nested": 1}, "nested=1 must be"),
        ({"nested": 3, "val": 0.1}, "nested= counts the inner folds"),
        ({"test": 20}, "test=20 must be a share between 0 and 1"),
        ({"val": float("nan")}, "val=nan must be a share"),
        ({"test": 0.5, "val": 0.5}, "leave nobody for training"),
        ({"k": 3, "test": 0.2, "val": 0.2}, "what a fold leaves out is its test part"),
        ({"k": 3, "nested": 2, "val": 0.2}, "nested= makes the validation parts"),
        ({"k": 3, "seed": "7"}, "seed='7' must be a whole number"),
        ({"k": 3, "stratify": "participant_id"}, "'participant_id' is an id"),
        ({"k": 3, "stratify": "height"}, "no such column"),
        ({"k": 3, "stratify": "hollow"}, "'hollow' is empty for every sample"),
    ],
)
def test_what_cannot_be_meant_is_refused(asked: dict[str, Any], words: str) -> None:
    cohort = cohort_of([{"person": f"{i}", "hollow": None} for i in range(9)])
    with pytest.raises(QueryError, match=words):
        cohort.split(**asked)


@pytest.mark.parametrize("asked", [{"k": 10**6}, {"k": 10**30}, {"k": 2, "nested": 10**30}])
def test_more_folds_than_anybody_are_refused_at_once(asked: dict[str, int]) -> None:
    cohort = cohort_of([{"person": f"{i}"} for i in range(6)])
    wrong: dict[str, Any] = {**asked}
    with pytest.raises(SplitError, match=r"6 participants .* cannot fill 1000000"):
        cohort.split(**wrong)


@pytest.mark.parametrize("named", ["groups", "aliases"])
def test_what_can_be_no_group_is_named(named: str) -> None:
    cohort = cohort_of([{"person": f"{i}"} for i in range(6)])
    wrong: Any = {named: {"sub-1": ["x"]}}
    with pytest.raises(SplitError, match=rf"{named}= gives 'sub-1' \['x'\]; one word or number"):
        cohort.split(k=2, **wrong)


def test_too_few_participants_name_what_to_change() -> None:
    few = cohort_of([{"person": f"{i}", "family": "F"} for i in range(3)])
    with pytest.raises(SplitError, match=r"3 participants .* cannot fill 5 parts \(k=5\); ask for fewer folds"):
        few.split(k=5)
    with pytest.raises(SplitError, match=r"1 participants .* cannot fill 2 parts"):
        few.split(k=2, groups="family")
    with pytest.raises(SplitError, match="the column holds only 'S01'"):
        few.leave_one_out("site")
    with pytest.raises(SplitError, match=r"1 participants have no value.*\n  sub-1"):
        cohort_of([{"person": "1", "site": ""}, {"person": "2"}, {"person": "3", "site": "S02"}]).leave_one_out("site")
    with pytest.raises(SplitError, match="everybody is left out or tied"):
        cohort_of([{"person": "1", "site": "S01"}, {"person": "2", "site": "S02"}]).leave_one_out(
            "site", aliases={"sub-1": "sub-2"}
        )


def test_ten_thousand_participants_by_four_columns_in_seconds() -> None:
    rng = random.Random(0)
    rows = [
        {
            "person": f"{i:05d}",
            "site": f"S{rng.randrange(30):02d}",
            "orads": rng.choice((1, 2, 2, 3, 4, 5)),
            "age": rng.gauss(60, 10),
            "sex": rng.choice("FM"),
        }
        for i in range(10_000)
    ]
    cohort = cohort_of(rows)
    began = time.process_time()
    splits = cohort.split(k=5, test=0.2, stratify=["orads", "site", "age", "sex"])
    assert time.process_time() - began < 4.0  # 1 s on a core of its own; runners share theirs
    score = dict(zip(cohort.column("participant_id"), cohort.column("orads"), strict=True))
    counts = [
        sum(word == "val" and score[name] == 5 for name, word in words.items()) for words in splits.words.values()
    ]
    assert max(counts) - min(counts) <= 2
