"""Images whose metrics stand apart from those of their like, and sites whose metrics do. Global limits do not carry
over between sites (MRIQC's classifier falls to 76 % on unseen ones, doi:10.1371/journal.pone.0184661), so an image is
judged among images of the same sequence, site and scanner."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from math import erfc, sqrt

import numpy as np
from numpy.typing import NDArray

LEAST = 10
LIMIT = 3.5
"""Iglewicz & Hoaglin 1993, How to Detect and Handle Outliers, ASQC Quality Press."""
SHIFT = 1.0
ALPHA = 0.01
NORMAL = 1.4826
"""From the median distance to a standard deviation where values are normal."""
NORMAL_MEAN = 1.2533
"""The same from the mean distance."""
CONSTANT = 0.01
"""Of a metric that varies at no site, this share of its mean size stands for a standard deviation (ours)."""


@dataclass(frozen=True, slots=True)
class Measured:
    """One image's metrics. ``image`` is any name that is its own."""

    image: str
    sequence: str
    site: str
    scanner: str
    metrics: Mapping[str, float]


@dataclass(frozen=True, slots=True)
class Outlier:
    """A metric of an image that stands apart: its ``value``, the ``median`` and number ``n`` of its like, and the
    robust ``z``."""

    image: str
    metric: str
    value: float
    median: float
    n: int
    z: float


@dataclass(frozen=True, slots=True)
class Shift:
    """A metric of a site that stands apart from the other sites': ``shift`` in robust standard deviations within
    sites, ``p`` of the Mann-Whitney test (Holm's correction), numbers of images of the site and of the others."""

    sequence: str
    metric: str
    site: str
    shift: float
    p: float
    n: int
    others: int


def outliers(rows: Iterable[Measured], least: int = LEAST, limit: float = LIMIT) -> list[Outlier]:
    """Every metric of every image with a robust |z| above ``limit`` among at least ``least`` images of the same
    sequence, site and scanner; the farthest first."""
    found: list[Outlier] = []
    for group in _grouped(rows, lambda row: (row.sequence, row.site, row.scanner)).values():
        for metric, images, values in _columns(group, least):
            z, median = robust_z(values), float(np.median(values))
            apart = np.flatnonzero(np.abs(z) > limit)
            found += [Outlier(images[n], metric, float(values[n]), median, len(values), float(z[n])) for n in apart]
    return sorted(found, key=lambda o: (-abs(o.z), o.image, o.metric))


def robust_z(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """(value - median) / (1.4826 x median distance from it); where half of the values or more are equal, over 1.2533 x
    the mean distance; 0 where all are equal (Iglewicz & Hoaglin 1993).

    >>> robust_z(np.array([1.0, 2, 3, 4, 100])).round(1).tolist()
    [-1.3, -0.7, 0.0, 0.7, 65.4]
    """
    distances = np.abs(values - np.median(values))
    spread = NORMAL * np.median(distances) or NORMAL_MEAN * np.mean(distances)
    return (values - np.median(values)) / spread if spread > 0 else np.zeros(len(values))


def shifts(rows: Iterable[Measured], least: int = LEAST, shift: float = SHIFT, alpha: float = ALPHA) -> list[Shift]:
    """Where a metric drifts by site (S04): of one sequence, the median of a site's images lies more than ``shift``
    from the median of all other sites' images, in robust standard deviations within sites (1.4826 x median distance of
    an image from its own site's median; where nothing varies within sites, :data:`CONSTANT`), and the Mann-Whitney test
    (Mann & Whitney 1947, doi:10.1214/aoms/1177730491) tells the two apart with p < ``alpha`` after Holm's correction
    over all tests (Holm 1979, https://www.jstor.org/stable/4615733). Sites of fewer than ``least`` images are not
    looked at. Greatest first.

    The test takes images as independent; those of one patient are not quite, which is why the shift counts too.
    """
    tests: list[Shift] = []
    for sequence, group in _grouped(rows, lambda row: row.sequence).items():
        names = sorted({name for row in group for name in row.metrics})
        for name in names:
            tests += _tested(str(sequence), name, group, least)
    return sorted((t for t in _holm(tests) if abs(t.shift) > shift and t.p < alpha), key=lambda t: -abs(t.shift))


def _tested(sequence: str, metric: str, group: Sequence[Measured], least: int) -> Iterator[Shift]:
    sites = {
        str(site): np.array([row.metrics[metric] for row in members if metric in row.metrics])
        for site, members in _grouped(group, lambda row: row.site).items()
    }
    sites = {site: values for site, values in sites.items() if len(values) >= least}
    if len(sites) < 2:
        return
    distances = np.concatenate([np.abs(values - np.median(values)) for values in sites.values()])
    spread = NORMAL * float(np.median(distances)) or NORMAL_MEAN * float(np.mean(distances))
    spread = spread or CONSTANT * float(np.mean(np.abs(np.concatenate([*sites.values()]))))
    if spread == 0:
        return
    for site, values in sorted(sites.items()):
        others = np.concatenate([v for name, v in sites.items() if name != site])
        apart = float(np.median(values) - np.median(others)) / spread
        yield Shift(sequence, metric, site, apart, rank_sum_p(values, others), len(values), len(others))


def rank_sum_p(one: NDArray[np.float64], other: NDArray[np.float64]) -> float:
    """The two-sided p of the Mann-Whitney test of two samples, by the normal approximation with its corrections for
    ties and continuity; 1 where all values are equal. It is written out because scipy.stats takes a second to import.
    """
    n, m = len(one), len(other)
    _, place, counts = np.unique(np.concatenate([one, other]), return_inverse=True, return_counts=True)
    ranks = np.cumsum(counts) - (counts - 1) / 2
    u = float(ranks[place[:n]].sum()) - n * (n + 1) / 2
    ties = float((counts.astype(float) ** 3 - counts).sum())
    variance = n * m / 12 * (n + m + 1 - ties / ((n + m) * (n + m - 1)))
    if variance <= 0:
        return 1.0
    return min(1.0, erfc((max(u, n * m - u) - n * m / 2 - 0.5) / sqrt(2 * variance)))


def _holm(tests: Sequence[Shift]) -> Iterator[Shift]:
    """The tests with p corrected for their number: the k-th least times the number that is left, never falling."""
    greatest = 0.0
    for rank, test in enumerate(sorted(tests, key=lambda t: t.p)):
        greatest = max(greatest, min(1.0, test.p * (len(tests) - rank)))
        yield Shift(test.sequence, test.metric, test.site, test.shift, greatest, test.n, test.others)


def _columns(group: Sequence[Measured], least: int) -> Iterator[tuple[str, list[str], NDArray[np.float64]]]:
    """Each metric that at least ``least`` of the images have: its name, the images, their values."""
    for name in sorted({name for row in group for name in row.metrics}):
        having = [row for row in group if name in row.metrics]
        if len(having) >= least:
            yield name, [row.image for row in having], np.array([row.metrics[name] for row in having])


def _grouped(rows: Iterable[Measured], key: Callable[[Measured], object]) -> dict[object, list[Measured]]:
    groups: dict[object, list[Measured]] = defaultdict(list)
    for row in rows:
        groups[key(row)].append(row)
    return groups
