"""Images that stand apart from their like, and sites from each other."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from trialbids.exporter.qc.metrics import Measured, outliers, shifts
from trialbids.exporter.qc.outliers import rank_sum_p, robust_z


def rows(values, site="a", sequence="T2w", scanner="s1", metric="snr"):
    return [
        Measured(f"{site}-{scanner}-{sequence}-{n}", sequence, site, scanner, {metric: float(v)})
        for n, v in enumerate(values)
    ]


def normal(n, mean=50.0, seed=0):
    return np.random.default_rng(seed).normal(mean, 5, n)


def test_the_one_that_stands_apart_is_found_with_its_z():
    values = np.append(normal(30), 120.0)
    (found,) = outliers(rows(values))
    expected = (120 - np.median(values)) / stats.median_abs_deviation(values, scale="normal")
    assert (found.image, found.metric, found.n) == ("a-s1-T2w-30", "snr", 31)
    assert found.z == pytest.approx(expected, rel=1e-3) and found.value == 120


def test_like_is_of_the_same_sequence_site_and_scanner():
    usual = [*rows(normal(20)), *rows(normal(20, 200), site="b"), *rows(normal(20, 300), scanner="s2")]
    assert outliers([*usual, *rows(normal(20, 400), sequence="T1w")]) == []
    assert [o.image for o in outliers([*usual, Measured("x", "T2w", "a", "s1", {"snr": 200.0})])] == ["x"]


def test_few_images_tell_nothing():
    assert outliers(rows([1, 2, 1, 2, 1, 2, 1, 2, 900])) == []
    assert outliers(rows([1, 2, 1, 2, 1, 2, 1, 2, 900]), least=9) != []


def test_an_image_without_the_metric_is_left_out():
    assert outliers([*rows(normal(12)), Measured("bare", "T2w", "a", "s1", {})]) == []


def test_equal_values_are_no_division_by_zero():
    assert outliers(rows([7.0] * 20)) == []
    assert [o.image for o in outliers(rows([7.0] * 20 + [9.0]))] == ["a-s1-T2w-20"]


@given(st.lists(st.floats(-1e6, 1e6), min_size=3, max_size=30), st.floats(0.1, 100), st.floats(-1e5, 1e5))
def test_robust_z_does_not_depend_on_the_unit(values, factor, shift):
    values = np.array(values).round(3)
    assert robust_z(values * factor + shift) == pytest.approx(robust_z(values), rel=1e-3, abs=1e-3)


def test_clean_groups_rarely_hold_an_outlier():
    share = np.mean([len(outliers(rows(normal(50, seed=s)))) / 50 for s in range(40)])
    assert share < 0.004  # a normal value lies beyond 3.5 in 0.05 %, in groups of 50 somewhat more often


def test_a_site_that_drifts_is_named_with_its_shift():
    trial = [r for n in range(4) for r in rows(normal(30, seed=n), site=f"s{n}")] + rows(normal(30, 65, 9), site="odd")
    found = shifts(trial)
    assert [(s.site, s.metric, s.sequence) for s in found] == [("odd", "snr", "T2w")]
    assert found[0].shift == pytest.approx(15 / 5, rel=0.4) and found[0].p < 1e-6
    assert (found[0].n, found[0].others) == (30, 120)


def test_sites_that_are_alike_do_not_drift():
    for seed in range(20):
        assert not shifts([r for n in range(5) for r in rows(normal(20, seed=10 * seed + n), site=f"s{n}")])


def test_p_is_mann_whitney_s_with_holm_s_correction():
    a, b = normal(20), normal(20, 60, 1)
    found = shifts([*rows(a, site="a"), *rows(b, site="b")])
    raw = stats.mannwhitneyu(a, b, method="asymptotic").pvalue
    assert [s.p for s in found] == pytest.approx([2 * raw, 2 * raw])


def test_p_of_values_that_are_equal_is_corrected_for_ties():
    a, b = normal(25).round(), normal(15, 52, 1).round()
    assert rank_sum_p(a, b) == pytest.approx(stats.mannwhitneyu(a, b, method="asymptotic").pvalue)
    assert rank_sum_p(np.ones(4), np.ones(5)) == 1


def test_the_clearest_drift_is_that_of_a_metric_that_varies_at_no_site():
    trial = [*rows([0.0] * 40, site="a"), *rows([0.5] * 40, site="b")]
    assert {(s.site, np.sign(s.shift)) for s in shifts(trial)} == {("a", -1), ("b", 1)}
    assert all(np.isfinite(s.shift) for s in shifts(trial))
    assert shifts([*rows([0.5] * 40, site="a"), *rows([0.500001] * 40, site="b")]) == []
    assert shifts([*rows([0.0] * 40, site="a"), *rows([0.0] * 40, site="b")]) == []


def test_one_site_or_few_images_tell_nothing_of_sites():
    assert shifts(rows(normal(50))) == []
    assert shifts([*rows(normal(5)), *rows(normal(30, 90), site="b")]) == []
