"""k-anonymity as released: groups, what is offered, and what may never be told."""

from __future__ import annotations

import random
import time
from collections import Counter
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from trialbids.exporter.deidentify.anonymity import MOST_LISTED, Anonymity, Quasi, assess, band, read_quasi

WORDS = st.sampled_from(["a", "b", "n/a"])


def quasi(*rows: tuple[str, ...], columns: tuple[str, ...] = ("site", "sex", "age")) -> Quasi:
    return Quasi(columns, rows)


def test_the_smallest_group_and_those_under_five_are_listed_with_values_and_counts() -> None:
    found = assess(quasi(*[("S01", "F", "60")] * 7, *[("S01", "M", "61")] * 2, ("S02", "F", "60")))
    assert (found.k, found.groups, found.n_small, found.in_small) == (1, 3, 2, 3)
    assert [(g.values, g.participants) for g in found.small] == [(("S02", "F", "60"), 1), (("S01", "M", "61"), 2)]
    assert dict(found.sizes) == {"1": 1, "2 to 4": 2, "5 to 9": 7, "10 or more": 0}


def test_each_column_tells_its_rarest_value() -> None:
    found = assess(quasi(*[("S01", "F", "60")] * 6, ("S01", "M", "60")))
    assert [(c.name, c.values, c.rarest) for c in found.columns] == [("site", 1, 7), ("sex", 2, 1), ("age", 1, 7)]


def test_a_column_whose_loss_is_enough_is_offered_first_with_its_cost() -> None:
    rows = [("S01", "F", "60")] * 5 + [("S02", "F", "60"), ("S03", "F", "n/a")] + [("n/a", "F", "60")]
    best = assess(quasi(*rows, *[("S01", "F", "n/a")] * 5)).offers[0]
    assert best.steps == ("leave out site",)
    assert best.reaches
    assert (best.k, best.cells) == (6, 12)  # one of 13 cells of the column already says nothing


@pytest.mark.parametrize(("spread", "width"), [(5, 5), (10, 10)])
def test_the_narrowest_band_of_age_that_is_enough_is_offered(spread: int, width: int) -> None:
    rows = [("S01", "F", str(60 + n % spread)) for n in range(2 * spread)]
    offers = {o.steps: o for o in assess(quasi(*rows)).offers}
    assert offers[f"age in bands of {width} years",].k == 2 * spread
    assert offers["age in bands of 5 years",].reaches
    assert offers[f"age in bands of {width} years",].cells == 2 * spread


def test_ages_of_the_visits_are_put_into_bands_with_the_age() -> None:
    rows = [(str(60 + n % 5), f"{60 + n % 5} / {65 + n % 5}") for n in range(10)]
    offers = {o.steps: o for o in assess(quasi(*rows, columns=("age", "age (visits)"))).offers}
    assert offers["age in bands of 5 years",].reaches


def test_where_no_single_step_is_enough_a_row_of_steps_is_offered() -> None:
    rows = [(f"S{n}", "F", str(20 + 10 * n)) for n in range(6)]
    found = assess(quasi(*rows))
    assert found.offers[0].reaches
    assert len(found.offers[0].steps) == 2
    assert sum(o.reaches for o in found.offers) == 2  # and leaving the participants out


def test_nothing_is_offered_where_all_groups_are_large_and_only_leaving_out_where_there_are_too_few() -> None:
    assert assess(quasi(*[("S01", "F", "60")] * 5)).offers == ()
    few = assess(quasi(("S01", "F", "60")))
    assert [(o.steps, o.k) for o in few.offers] == [(("leave out the 1 participant in groups under 5",), 0)]
    assert assess(quasi()) == Anonymity(columns=assess(quasi()).columns)


def test_the_list_of_groups_is_bounded_and_says_how_many_there_are() -> None:
    found = assess(quasi(*[("S01", "F", "x" * 500 + str(n)) for n in range(300)]))
    assert (found.n_small, len(found.small)) == (300, MOST_LISTED)
    assert all(len(value) <= 81 for group in found.small for value in group.values)


@settings(deadline=None, max_examples=25)
@given(st.lists(st.tuples(WORDS, WORDS, WORDS), min_size=1, max_size=60))
def test_law_groups_are_those_of_counting_by_hand(rows: list[tuple[str, ...]]) -> None:
    found, by_hand = assess(quasi(*rows)), Counter(rows)
    assert found.k == min(by_hand.values())
    assert found.groups == len(by_hand)
    assert found.in_small == sum(n for n in by_hand.values() if n < 5)
    assert sum(n for _, n in found.sizes) == found.participants == len(rows)
    assert {g.values: g.participants for g in found.small} == {r: n for r, n in by_hand.items() if n < 5}


@settings(deadline=None, max_examples=25)
@given(st.lists(st.tuples(WORDS, WORDS, st.integers(0, 89).map(str)), min_size=1, max_size=40), st.randoms())
def test_law_the_order_of_participants_changes_nothing(rows: list[tuple[str, ...]], chance: random.Random) -> None:
    shuffled = chance.sample(rows, len(rows))
    assert assess(quasi(*rows)) == assess(quasi(*shuffled))


@settings(deadline=None, max_examples=25)
@given(st.lists(st.tuples(WORDS, WORDS, st.integers(0, 89).map(str)), min_size=5, max_size=40))
def test_law_no_offer_makes_groups_smaller_and_what_reaches_reaches(rows: list[tuple[str, ...]]) -> None:
    found = assess(quasi(*rows))
    for offer in found.offers:
        assert offer.k >= found.k or offer.k == 0
        assert offer.reaches == (offer.left_small == 0)
        assert offer.left_small <= found.in_small


@given(st.integers(0, 120), st.sampled_from([5, 10]))
def test_law_an_age_lies_in_its_band(age: int, width: int) -> None:
    low, high = map(int, band(str(age), width).split("-"))
    assert low <= age <= high == low + width - 1
    assert band(band(str(age), width), width) == f"{low}-{high}"


def test_the_tree_is_read_as_released_with_visits_and_models_and_without_labels(tmp_path: Path) -> None:
    (tmp_path / "participants.tsv").write_text("participant_id\tsite\tsex\nsub-AA\tS01\tF\nsub-BB\tS02\tn/a\n")
    (tmp_path / "sub-AA").mkdir()
    (tmp_path / "sub-AA" / "sub-AA_sessions.tsv").write_text(
        "session_id\tacq_time\tdays\tinjection\tgrade\nses-02\tn/a\t30\tyes\t3\nses-01\tn/a\t0\tyes\t2\n"
    )
    found = read_quasi(tmp_path, {"sub-AA": {"Skyra", "Prisma"}})
    assert found.columns == ("site", "sex", "grade (visits)", "device model")
    assert found.rows == (("S01", "F", "2 / 3", "Prisma + Skyra"), ("S02", "n/a", "n/a", "n/a"))
    assert "AA" not in str(assess(found))


@settings(deadline=None, max_examples=40)
@given(
    st.lists(
        st.sampled_from(["count_all", "", "1:count_all", "a.b", "[0]", "age", "."]) | st.text(max_size=3), max_size=4
    )
)
def test_law_the_names_of_columns_are_only_shown(names: list[str]) -> None:
    rows = [tuple("ab"[(n >> place) & 1] for place in range(len(names))) for n in range(9)]
    plain = assess(quasi(*rows, columns=tuple(f"c{place}" for place in range(len(names)))))
    found = assess(quasi(*rows, columns=tuple(names)))
    assert [c.name for c in found.columns] == names
    assert (found.k, found.sizes, found.small) == (plain.k, plain.sizes, plain.small)
    assert {s for o in found.offers for s in o.steps if s.startswith("leave out ") and "participant" not in s} == {
        f"leave out {name}" for name in names if found.n_small
    }


def test_a_column_called_as_the_counts_is_one_like_any_other(tmp_path: Path) -> None:
    (tmp_path / "participants.tsv").write_text("participant_id\tcount_all\nsub-AA\t3\nsub-BB\t4\n")
    found = assess(read_quasi(tmp_path, {}))
    assert [(c.name, c.values, c.rarest) for c in found.columns] == [("count_all", 2, 1), ("device model", 1, 2)]


def test_a_tree_without_participants_has_no_groups(tmp_path: Path) -> None:
    assert assess(read_quasi(tmp_path, {})).k == 0


def test_a_hundred_thousand_participants_take_seconds() -> None:
    chance = random.Random(1)
    rows = [
        (f"S{chance.randrange(30)}", chance.choice("FM"), str(chance.randrange(18, 90)), chance.choice("1234"))
        for _ in range(100_000)
    ]
    start = time.perf_counter()
    found = assess(quasi(*rows, columns=("site", "sex", "age", "grade")))
    assert time.perf_counter() - start < 10
    assert found.participants == 100_000
    assert found.offers[0].reaches
