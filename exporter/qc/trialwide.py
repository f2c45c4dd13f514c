"""What shows only when all sessions are seen together: labels and metrics that go with the site (S03, S04)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from math import sqrt

import numpy as np
from numpy.typing import NDArray

from .check import WARNING, Evidence, Finding
from .outliers import Measured, shifts

LEAST_PEOPLE = 20
STRONG = 0.5
"""Cramér's V above which two variables go together strongly (Cohen 1988, Statistical Power Analysis, chapter 7)."""
ALPHA = 0.01
LEAST_EXPECTED = 5
PERMUTATIONS, DEALT = 4999, 2_000_000
"""How often levels are dealt out, and to how many people at once: memory."""


@dataclass(frozen=True, slots=True)
class Association:
    """How strongly a label goes with the site: Cramér's V (0 to 1), the p of the test of independence, how many people
    and sites there are."""

    v: float
    p: float
    n: int
    sites: int


def confounded(labels: Mapping[str, Mapping[str, str]], sites: Mapping[str, str]) -> Iterator[Finding]:
    """S03: labels that tell the site, so that a model can learn the site in the place of the disease.

    ``labels`` hold by column the level of each subject, ``sites`` the site of each.
    """
    for column, levels in sorted(labels.items()):
        found = association((sites[s], level) for s, level in levels.items() if s in sites)
        if found is None or found.v < STRONG or found.p >= ALPHA:
            continue
        message = f"site and label go together: Cramér's V {found.v:.2f} over {found.n} people at {found.sites} sites"
        values = (("v", found.v), ("people", found.n), ("sites", found.sites), ("column", column))
        yield Finding("S03", WARNING, message, Evidence(message, "", values), "release", column)


def association(pairs: Iterable[tuple[str, str]]) -> Association | None:
    """Site and level of each person, compared; None where there are too few people, or one site or level only.

    V is corrected for bias (Bergsma 2013, doi:10.1016/j.jkss.2012.10.002). p is that of the chi-squared test; where a
    cell would hold fewer than five people (Cochran 1954, doi:10.2307/3001616) it is reckoned by :func:`permuted_p`.
    """
    counts = _table(pairs)
    n = int(counts.sum())
    if n < LEAST_PEOPLE or min(counts.shape) < 2:
        return None
    from scipy.special import chdtrc  # its tail alone: scipy.stats takes a second to import

    rows, columns = counts.shape
    expected = expected_counts(counts)
    chi_squared = float(((counts - expected) ** 2 / expected).sum())
    enough = expected.min() >= LEAST_EXPECTED
    p = float(chdtrc((rows - 1) * (columns - 1), chi_squared)) if enough else permuted_p(counts)
    phi = max(0.0, chi_squared / n - (rows - 1) * (columns - 1) / (n - 1))
    least = min(rows - (rows - 1) ** 2 / (n - 1), columns - (columns - 1) ** 2 / (n - 1)) - 1
    return Association(sqrt(phi / least) if least > 0 else 0.0, p, n, rows)


def expected_counts(counts: NDArray[np.int64]) -> NDArray[np.float64]:
    """(sites, levels) How many people each cell would hold if the level did not depend on the site."""
    return np.outer(counts.sum(axis=1), counts.sum(axis=0)) / counts.sum()


def permuted_p(counts: NDArray[np.int64]) -> float:
    """The p of the chi-squared statistic by dealing the levels out anew to the people of all sites, at random but the
    same in every run (Phipson & Smyth 2010, doi:10.2202/1544-6115.1585)."""
    rows, columns = counts.shape
    expected = expected_counts(counts)
    sites = np.repeat(np.arange(rows), counts.sum(axis=1))
    levels = np.repeat(np.arange(columns), counts.sum(axis=0))
    observed = float(((counts - expected) ** 2 / expected).sum())
    rng, as_far = np.random.default_rng(0), 0
    at_once = max(1, DEALT // len(levels))
    for start in range(0, PERMUTATIONS, at_once):
        n = min(at_once, PERMUTATIONS - start)
        dealt = rng.permuted(np.tile(levels, (n, 1)), axis=1)
        cells = (np.arange(n)[:, np.newaxis] * rows + sites) * columns + dealt
        tables = np.bincount(cells.ravel(), minlength=n * counts.size).reshape(n, rows, columns)
        as_far += int((((tables - expected) ** 2 / expected).sum(axis=(1, 2)) >= observed * (1 - 1e-9)).sum())
    return (as_far + 1) / (PERMUTATIONS + 1)


def _table(pairs: Iterable[tuple[str, str]]) -> NDArray[np.int64]:
    """Counts of people, sites x levels."""
    members = list(pairs)
    sites, levels = (sorted({pair[k] for pair in members}) for k in (0, 1))
    counts = np.zeros((len(sites), len(levels)), np.int64)
    for site, level in members:
        counts[sites.index(site), levels.index(level)] += 1
    return counts


def drifting(rows: Iterable[Measured]) -> Iterator[Finding]:
    """S04: metrics that are others at one site."""
    for shift in shifts(rows):
        message = (
            f"{shift.metric} of {shift.sequence} at one site lies {shift.shift:+.1f} robust standard deviations from "
            f"the other sites ({shift.n} images, {shift.others} of the others)"
        )
        values = (("shift", shift.shift), ("p", shift.p), ("metric", shift.metric), ("site", shift.site))
        subject = f"{shift.site} {shift.sequence} {shift.metric}"
        yield Finding("S04", WARNING, message, Evidence(message, "", values), "release", subject)
