"""Laws of splits, for whatever trial: nobody on two sides, everybody somewhere, sizes, order, and growth."""

from __future__ import annotations

import random
from typing import Any

from hypothesis import assume, given, settings
from hypothesis import strategies as st
from people import cohort_of, people

from trialbids.datasets import Cohort
from trialbids.datasets.errors import SplitError
from trialbids.datasets.splits.assign import Bundle, assign, quotas

PEOPLE = st.lists(
    st.fixed_dictionaries(
        {
            "site": st.sampled_from(["S01", "S02", "S03"]),
            "grade": st.sampled_from(["low", "high", None]),
            "age": st.one_of(st.none(), st.floats(18, 90)),
            "family": st.one_of(st.none(), st.sampled_from("abcdef")),
            "visits": st.integers(1, 3),
        }
    ),
    min_size=8,
    max_size=40,
)
DESIGNS = st.sampled_from(
    [{"k": 4}, {"k": 3, "test": 0.25}, {"val": 0.2, "test": 0.2}, {"k": 3, "val": 0.3}, {"k": 3, "nested": 2}]
)


def rows_of(persons: list[dict[str, Any]], first: int = 1) -> list[dict[str, Any]]:
    """A row a visit; the ids are numbers from ``first`` on."""
    return [
        {"person": f"{n}", "session": f"{visit + 1:02d}", **facts}
        for n, facts in enumerate(persons, start=first)
        for visit in range(facts["visits"])
    ]


def placed(splits: Any) -> dict[str, dict[str, str]]:
    return {name: dict(words) for name, words in splits.words.items()}


@settings(max_examples=40, deadline=None)
@given(PEOPLE, DESIGNS, st.integers(0, 5), st.booleans())
def test_nobody_stands_on_two_sides_and_everybody_somewhere(
    persons: list[dict[str, Any]], design: dict[str, Any], seed: int, grouped: bool
) -> None:
    rows = [{**row, "grade": row["grade"] or "low", "age": row["age"] or 50.0} for row in rows_of(persons)]
    cohort = cohort_of(rows)
    try:
        splits = cohort.split(**design, stratify=["grade", "age"], seed=seed, groups="family" if grouped else None)
    except SplitError:
        assume(False)
    family = {str(n): facts["family"] or n for n, facts in enumerate(persons, start=1)}
    for split in splits:
        parts = [part for part in split if part is not None]
        assert sorted(s["sample_id"] for part in parts for s in part) == sorted(s["sample_id"] for s in cohort)
        sides = [people(part) for part in parts]
        assert sum(map(len, sides)) == len(persons)
        if grouped:
            families = [{family[name] for name in side} for side in sides]
            assert len(set.union(*families)) == sum(map(len, families))


@settings(max_examples=40, deadline=None)
@given(
    st.lists(st.tuples(st.integers(1, 5), st.sampled_from("abc"), st.sampled_from("xy")), min_size=6, max_size=60),
    st.integers(2, 6),
    st.text(max_size=3),
)
def test_parts_of_folds_have_their_size_within_the_largest_group(
    given_bundles: list[tuple[int, str, str]], k: int, seed: str
) -> None:
    bundles = [
        Bundle(f"b{n}", size, {("one", a): float(size), ("two", b): float(size)})
        for n, (size, a, b) in enumerate(given_bundles)
    ]
    shares = {f"fold{n}": 1 / k for n in range(k)}
    parts = assign(bundles, shares, seed=seed)
    total, largest = sum(b.size for b in bundles), max(b.size for b in bundles)
    sizes = {part: sum(b.size for b in bundles if parts[b.name] == part) for part in shares}
    assert min(sizes.values()) >= 1 and sum(sizes.values()) == total
    assert all(abs(size - total / k) < largest + 1 for size in sizes.values())
    if largest == 1:
        assert sizes == quotas(total, shares, seed)


@settings(max_examples=25, deadline=None)
@given(PEOPLE, DESIGNS, st.randoms(use_true_random=False))
def test_the_order_of_rows_says_nothing(
    persons: list[dict[str, Any]], design: dict[str, Any], rng: random.Random
) -> None:
    rows = [{**row, "age": row["age"] or 50.0} for row in rows_of(persons)]
    shuffled = rng.sample(rows, len(rows))

    def words(given_rows: list[dict[str, Any]]) -> dict[str, dict[str, str]]:
        return placed(cohort_of(given_rows).split(**design, stratify=["age", "site"], groups="family"))

    try:
        first = words(rows)
    except SplitError:
        assume(False)
    assert words(shuffled) == first


@settings(max_examples=25, deadline=None)
@given(PEOPLE, PEOPLE, DESIGNS, st.integers(0, 2**32), st.data())
def test_who_is_new_moves_nobody_and_who_is_gone_comes_back(
    persons: list[dict[str, Any]], new: list[dict[str, Any]], design: dict[str, Any], seed: int, data: st.DataObject
) -> None:
    before = [{**row, "family": None} for row in rows_of(persons)]
    after = [{**row, "family": None} for row in rows_of([*persons, *new])]
    gone = str(data.draw(st.integers(1, len(persons))))
    earlier = cohort_of(before).split(**design, stratify="site", seed=seed)
    shrunk = [row for row in after if row["person"] != gone]
    try:
        later = earlier.extend(cohort_of(shrunk))
    except SplitError:
        assume(False)
    assert any(note.startswith(f"sub-{gone}: is gone") for note in later.notes)
    back = later.extend(cohort_of(after))
    for splits in (later, back):
        for fold, words in earlier.words.items():
            assert {name: splits.words[fold][name] for name in words if name in splits.words[fold]} == {
                name: word for name, word in words.items() if splits is back or name != f"sub-{gone}"
            }


def test_a_trial_that_grows_stays_in_balance() -> None:
    rng = random.Random(3)
    rows = [{"person": f"{n}", "site": rng.choice(["S01", "S02"]), "grade": rng.choice("abbc")} for n in range(120)]
    splits = cohort_of(rows[:30]).split(k=4, test=0.2, stratify=["grade", "site"])
    for n in (60, 90, 120):
        splits = splits.extend(cohort_of(rows[:n]))
    counts = [count for count in splits.report().parts if count.part != "train"]
    assert {count.participants for count in counts} == {24}
    for level, total in (("a", 30), ("b", 60), ("c", 30)):
        share = sum(row["grade"] == level for row in rows) / 5
        assert all(abs(count.levels["grade", level] - share) <= 2 for count in counts), (level, total)


def test_the_seed_decides_and_the_place_of_the_tree_does_not(tmp_path: Any) -> None:
    rows = [{"person": f"{n}", "site": f"S0{n % 3}"} for n in range(30)]

    def first(cohort: Cohort, seed: int) -> set[str]:
        return people(cohort.split(k=3, seed=seed, stratify="site")[0].val)

    assert first(cohort_of(rows), 1) == first(cohort_of(rows, root=tmp_path), 1)
    assert len({frozenset(first(cohort_of(rows), seed)) for seed in range(6)}) == 6


def test_a_division_is_the_same_on_every_machine_and_in_every_version() -> None:
    """Frozen: whoever kept a seed instead of a table gets the same parts."""
    splits = cohort_of([{"person": f"{n:02d}", "site": f"S0{n % 2}"} for n in range(12)]).split(k=3, stratify="site")
    assert sorted(people(splits[0].val)) == ["03", "06", "07", "10"]
