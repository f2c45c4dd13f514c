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


@dataclass(frozen=True, slots=True)
class Association:
    """How strongly a label goes with the site: Cramér's V (0 to 1), the p of the chi-squared test, how many people and
    sites there are."""

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

    V is corrected for bias (Bergsma 2013, doi:10.1016/j.jkss.2012.10.002).
    """
    counts = _table(pairs)
    n = int(counts.sum())
    if n < LEAST_PEOPLE or min(counts.shape) < 2:
        return None
    from scipy.special import chdtrc  # its tail alone: scipy.stats takes a second to import

    rows, columns = counts.shape
    expected = np.outer(counts.sum(axis=1), counts.sum(axis=0)) / n
    chi_squared = float(((counts - expected) ** 2 / expected).sum())
    p = float(chdtrc((rows - 1) * (columns - 1), chi_squared))
    phi = max(0.0, chi_squared / n - (rows - 1) * (columns - 1) / (n - 1))
    least = min(rows - (rows - 1) ** 2 / (n - 1), columns - (columns - 1) ** 2 / (n - 1)) - 1
    return Association(sqrt(phi / least) if least > 0 else 0.0, p, n, rows)


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
