"""Labels that go with the site: found where they do, and not by chance, however small the sites are."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import hypergeom

from trialbids.exporter.qc.trialwide import association, confounded, permuted_p


def at_random(seed: int, sites: dict[str, int], levels: int = 2) -> list[tuple[str, str]]:
    """Site and level of so many people a site, the level drawn without regard to the site."""
    rng = np.random.default_rng(seed)
    shares = np.array([0.9, *[0.1 / (levels - 1)] * (levels - 1)])
    return [(site, str(rng.choice(levels, p=shares))) for site, n in sites.items() for _ in range(n)]


def test_sites_of_one_person_raise_no_more_alarms_than_said() -> None:
    told = [association(at_random(seed, {"A": 20, "B": 20, "X": 1, "Y": 1, "Z": 1})) for seed in range(150)]
    alarms = [found.p < 0.01 for found in told if found is not None]
    assert len(alarms) > 100 and np.mean(alarms) <= 0.02


def test_a_label_that_is_the_site_is_found() -> None:
    sites = {f"s{n}": "A" if n < 15 else "B" for n in range(30)}
    labels = {"grade": sites, "sex": {s: str(int(s[1:]) % 2) for s in sites}}
    (found,) = confounded(labels, sites)
    assert found.subject == "grade" and found.severity == "warning"
    few = {f"s{n}": "A" if n < 19 else "B" for n in range(23)}
    assert [f.subject for f in confounded({"grade": few}, few)] == ["grade"]


@pytest.mark.parametrize("counts", [[[8, 2], [3, 9]], [[1, 5], [6, 2]], [[3, 1], [0, 25]]])
def test_p_by_permutation_is_near_the_exact_one_and_the_same_in_every_run(counts: list[list[int]]) -> None:
    table = np.array(counts)
    (first, second), one = table.sum(axis=1), table[:, 0].sum()
    legal = range(max(0, one - second), min(first, one) + 1)
    expected = first * one / (first + second)  # of two by two, the distance from it orders tables as chi-squared does
    far = [k for k in legal if abs(k - expected) >= abs(table[0, 0] - expected) - 1e-9]
    exact = hypergeom(first + second, one, first).pmf(far).sum()
    assert permuted_p(table) == pytest.approx(exact, abs=0.02)
    assert permuted_p(table) == permuted_p(table)


def test_few_people_or_one_site_tell_nothing() -> None:
    assert association(at_random(0, {"A": 10, "B": 9})) is None
    assert association(at_random(0, {"A": 40})) is None
