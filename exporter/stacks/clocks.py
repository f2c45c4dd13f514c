"""Which volume each image of a repeated group belongs to, and what says so: a list of clocks, tried in order."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Hashable, Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from statistics import median

from ..inventory.instance import Instance
from ..inventory.moment import content_moment, moment, unwrapped
from .headers import described_time, says_dynamic

Group = Sequence[Instance]
Readings = list[float | None]

DYNAMIC_STEP_MS = 1000.0
"""Phases after an injection are seconds apart; shorter steps are within one heart beat or breath."""
BEAT_STEP_MS, BEAT_MS = 400.0, 200.0
"""Phases of a moving heart are at most this far apart, and together at least this long."""


@dataclass(frozen=True)
class Clock:
    """A header value that may count the volumes.

    ``temporal`` if it says that they are phases in time, ``ordered`` if at least that they were measured one after
    the other. A temporal clock with steps (their median) shorter than ``least_step`` tells no phases.
    """

    name: str
    read: Callable[[Group], Readings]
    temporal: bool = False
    ordered: bool = True
    least_step: float = 0.0


def header(read: Callable[[Instance], float | None]) -> Callable[[Group], Readings]:
    """A clock that each header reads by itself."""
    return lambda rows: [read(i) for i in rows]


def over_midnight(read: Callable[[Instance], float | None]) -> Callable[[Group], Readings]:
    """A time of day, continued over midnight."""
    return lambda rows: unwrapped([read(i) for i in rows])


CLOCKS = (
    Clock("TemporalPositionIdentifier", header(lambda i: i.TemporalPositionIdentifier), temporal=True),
    Clock("TemporalPositionTimeOffset", header(lambda i: i.TemporalPositionTimeOffset), temporal=True),
    Clock("TriggerTime", header(lambda i: i.TriggerTime), temporal=True, least_step=DYNAMIC_STEP_MS),
    Clock("AcquisitionNumber", header(lambda i: i.AcquisitionNumber)),
    Clock("AcquisitionTime", over_midnight(moment)),
    Clock("description", header(described_time), temporal=True),
    Clock("ContentTime", over_midnight(content_moment), ordered=False),
)
SLICE_CLOCKS = (CLOCKS[2], CLOCKS[4])
"""Clocks that also count where every slice has a time of its own, as in a dynamic of 2D slices."""


@dataclass(frozen=True)
class Labels:
    """The volume of each instance, from 0, and what is known of the volumes.

    ``told``     the header says that they are phases in time
    ``ordered``  they were measured one after the other; if not even that, they may be products of one measurement
    """

    volume: list[int]
    told: bool
    ordered: bool


def volume_labels(rows: Group, bins: Sequence[int]) -> Labels:
    """The volume of each instance, in order of time.

    A clock is believed when it gives as many volumes as there are repeats and meets no position twice in one; else
    when it gives every image of a position another time, and then their order counts. Where no clock is believed, the
    n-th image of a position belongs to volume n.
    """
    repeats = max(Counter(bins).values())
    announced = any((i.NumberOfTemporalPositions or 0) > 1 for i in rows)
    for clock in CLOCKS:
        values = clock.read(rows)
        known = sorted({v for v in values if v is not None})
        if None not in values and len(known) == repeats and all_differ(zip(bins, values, strict=True)):
            index = {v: k for k, v in enumerate(known)}
            told = clock.temporal and step(known) >= clock.least_step
            return Labels([index[v] for v in values if v is not None], told or announced, clock.ordered or told)
    dynamic = any(says_dynamic(i) for i in rows[:1])
    for clock in SLICE_CLOCKS:
        values = clock.read(rows)
        if None not in values and all_differ(zip(bins, values, strict=True)):
            return Labels(ranks(bins, [v or 0.0 for v in values]), announced, ordered=True)
    return Labels(occurrences(bins), announced, announced or dynamic)


def all_differ(keys: Iterable[Hashable]) -> bool:
    """Whether no key is met twice."""
    return max(Counter(keys).values(), default=1) == 1


def step(values: Sequence[float]) -> float:
    """The median step of rising values, 0 for fewer than two."""
    return median(b - a for a, b in pairwise(values)) if len(values) > 1 else 0.0


def ranks(bins: Sequence[int], values: Sequence[float]) -> list[int]:
    """The rank of each value among those of its position."""
    rank = [0] * len(values)
    met: Counter[int] = Counter()
    for k in sorted(range(len(values)), key=lambda k: (values[k], k)):
        rank[k] = met[bins[k]]
        met[bins[k]] += 1
    return rank


def occurrences(keys: Sequence[Hashable]) -> list[int]:
    """How often each key was met before.

    >>> occurrences("abab")
    [0, 0, 1, 1]
    """
    met: Counter[Hashable] = Counter()
    turns: list[int] = []
    for key in keys:
        turns.append(met[key])
        met[key] += 1
    return turns


def is_beating(rows: Group, bins: Sequence[int]) -> bool:
    """Whether TriggerTime (ms after the heart's R wave) steps through a beat: at most 0.4 s from image to image."""
    times: dict[int, set[float]] = defaultdict(set)
    for row, place in zip(rows, bins, strict=True):
        if row.TriggerTime is not None:
            times[place].add(row.TriggerTime)
    fullest = sorted(max(times.values(), key=len, default=set[float]()))
    return len(fullest) >= 3 and step(fullest) <= BEAT_STEP_MS and fullest[-1] - fullest[0] >= BEAT_MS
