"""The bounds are true: they cover what is so as often as they say, and the rule of three is their shadow."""

from __future__ import annotations

from fractions import Fraction
from math import comb

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from trialbids.exporter.errors import UsageError
from trialbids.exporter.qc.inspection.bounds import (
    Counted,
    at_most,
    interval,
    needed,
    weighted_at_most,
    weighted_share,
)


def chance_of_at_most(wrong: int, n: int, share: float) -> float:
    """The binomial law, term by term."""
    return sum(comb(n, k) * share**k * (1 - share) ** (n - k) for k in range(wrong + 1))


@pytest.mark.parametrize(("wrong", "n"), [(0, 60), (1, 20), (5, 50), (19, 20), (0, 1)])
def test_at_the_bound_so_few_would_be_seen_once_in_twenty(wrong: int, n: int) -> None:
    assert chance_of_at_most(wrong, n, at_most(wrong, n)) == pytest.approx(0.05)
    low, high = interval(wrong, n)
    assert chance_of_at_most(wrong, n, high) == pytest.approx(0.025)
    assert low == 0 if wrong == 0 else 1 - chance_of_at_most(wrong - 1, n, low) == pytest.approx(0.025)


def test_all_wrong_and_none_looked_at_have_no_bound() -> None:
    assert at_most(20, 20) == at_most(0, 0) == 1.0


@given(st.integers(1, 5000))
def test_nothing_wrong_in_n_means_less_than_three_in_n(n: int) -> None:
    assert at_most(0, n) < 3 / n
    if n >= 30:
        assert at_most(0, n) > 2.84 / n


@given(st.floats(0.001, 0.9))
def test_the_size_for_a_bound_is_the_smallest(error: float) -> None:
    n = needed(error)
    assert at_most(0, n) <= error
    assert n == 1 or at_most(0, n - 1) > error


@pytest.mark.parametrize("error", [0.0, 1.0, -0.1, 5.0, float("nan")])
def test_a_bound_that_is_none_is_refused_in_one_sentence(error: float) -> None:
    with pytest.raises(UsageError, match="expected a share between 0 and 1"):
        needed(error)


@given(st.integers(1, 200), st.integers(0, 1000).map(lambda share: share / 1000))
@settings(max_examples=25, deadline=None)
def test_the_bound_and_the_interval_cover_by_the_exact_binomial(n: int, share: float) -> None:
    from scipy.stats import binom

    outcomes = np.arange(n + 1)
    chances = binom.pmf(outcomes, n, share)
    bounds = np.array([at_most(int(x), n) for x in outcomes])
    assert chances[bounds >= share - 1e-12].sum() >= 0.95 - 1e-9
    limits = np.array([interval(int(x), n) for x in outcomes])
    inside = (limits[:, 0] <= share + 1e-12) & (limits[:, 1] >= share - 1e-12)
    assert chances[inside].sum() >= 0.95 - 1e-9


STRATUM = st.tuples(st.integers(1, 60), st.floats(0, 1), st.floats(0, 1))


@given(st.lists(STRATUM, min_size=1, max_size=6), st.integers(0, 2**32 - 1))
@settings(max_examples=25, deadline=None)
def test_the_weighted_bound_covers_whatever_was_drawn_of_the_strata(strata: list, seed: int) -> None:
    rng = np.random.default_rng(seed)
    sizes = np.array([size for size, _, _ in strata])
    drawn = np.array([max(1, round(size * share)) for size, share, _ in strata])
    wrong = np.array([round(size * share) for size, _, share in strata])
    truth = wrong.sum() / sizes.sum()
    seen = np.stack([rng.hypergeometric(w, s - w, n, 600) for s, w, n in zip(sizes, wrong, drawn, strict=True)])
    distinct, counts = np.unique(seen, axis=1, return_counts=True)
    good = 0
    for outcome, count in zip(distinct.T, counts, strict=True):
        found = [Counted(int(s), int(n - x), int(x)) for s, n, x in zip(sizes, drawn, outcome, strict=True)]
        good += count * (weighted_at_most(found) >= truth - 1e-12)
    assert good / 600 >= 0.95 - 0.03  # three standard errors of 600 trials


@given(st.integers(1, 8), st.lists(st.integers(1, 40), min_size=1, max_size=6), st.data())
def test_where_the_same_share_of_each_stratum_was_drawn_the_bound_is_clopper_and_pearsons(
    factor: int, drawn: list[int], data: st.DataObject
) -> None:
    wrong = [data.draw(st.integers(0, n)) for n in drawn]
    strata = [Counted(n * factor * 100, n - x, x) for n, x in zip(drawn, wrong, strict=True)]
    pooled = at_most(sum(wrong), sum(drawn))
    assert weighted_at_most(strata) <= pooled + 1e-9
    if not sum(wrong):
        assert weighted_at_most(strata) == pytest.approx(pooled)
    assert weighted_share(strata) == pytest.approx(sum(wrong) / sum(drawn))


@given(st.lists(st.tuples(st.integers(0, 30), st.integers(0, 30)).filter(any), min_size=1, max_size=6))
def test_where_all_was_looked_at_the_bound_is_what_was_seen(strata: list[tuple[int, int]]) -> None:
    counted = [Counted(right + wrong, right, wrong) for right, wrong in strata]
    truth = Fraction(sum(w for _, w in strata), sum(r + w for r, w in strata))
    assert weighted_at_most(counted) == pytest.approx(float(truth))


@given(st.lists(st.tuples(st.integers(1, 20), st.integers(0, 20), st.integers(0, 80)), min_size=1, max_size=6))
def test_the_weighted_bound_lies_above_the_share(strata: list[tuple[int, int, int]]) -> None:
    counted = [Counted(right + wrong + more, right, wrong) for right, wrong, more in strata]
    assert weighted_share(counted) <= weighted_at_most(counted) + 1e-9 <= 1 + 1e-9
